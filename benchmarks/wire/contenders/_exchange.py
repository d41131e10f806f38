"""Bytes there and back over gRPC without serializers, by either of its Python clients.

The fastest that can be written: nothing is parsed, one copy makes each message, and sending and
receiving overlap.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from queue import SimpleQueue
from typing import Any

import grpc

from ._serving import UNLIMITED

__all__ = ["Exchange"]


class Exchange:
    """The two methods of a service that takes and gives bytes.

    Args:
        address: of the server.
        service: its name; its methods are `Unary` and `Stream`.
    """

    def __init__(self, address: str, service: str) -> None:
        channel = grpc.insecure_channel(address, options=UNLIMITED)
        self._unary: Any = channel.unary_unary(f"/{service}/Unary")
        self._stream: Any = channel.stream_stream(f"/{service}/Stream")
        self._loop = asyncio.new_event_loop()
        self._methods = self._loop.run_until_complete(_aio_methods(address, service))

    def unary(self, head: bytes, payload: memoryview) -> bytes:
        """One message each way."""
        reply: bytes = self._unary(b"".join((head, payload)))
        return reply

    def unary_aio(self, head: bytes, payload: memoryview) -> bytes:
        """One message each way, by grpc.aio."""

        async def call() -> bytes:
            reply: bytes = await self._methods[0](b"".join((head, payload)))
            return reply

        return self._loop.run_until_complete(call())

    def stream(self, head: bytes, payload: memoryview, block: int) -> Iterator[bytes]:
        """A head and then blocks of bytes; what comes back, as it comes."""
        replies: Iterator[bytes] = self._stream(_pieces(head, payload, block))
        return replies

    def stream_aio(self, head: bytes, payload: memoryview, block: int) -> list[bytes]:
        """The same by grpc.aio; what has come back, at the end."""

        async def call() -> list[bytes]:
            return [reply async for reply in self._aio_replies(head, payload, block)]

        return self._loop.run_until_complete(call())

    def count_aio(self, head: bytes, payload: memoryview, block: int) -> int:
        """The same; only how many bytes have come back."""

        async def call() -> int:
            total = 0
            async for reply in self._aio_replies(head, payload, block):
                total += len(reply)
            return total

        return self._loop.run_until_complete(call())

    def open(self) -> tuple[SimpleQueue[bytes | None], Iterator[bytes]]:
        """A stream that sends what is put into a queue, up to None."""
        outbox: SimpleQueue[bytes | None] = SimpleQueue()
        return outbox, self._stream(iter(outbox.get, None))

    def begin(self, messages: Iterator[bytes]) -> grpc.Call:
        """A stream of messages of the caller's making."""
        call: grpc.Call = self._stream(messages)
        return call

    async def _aio_replies(
        self, head: bytes, payload: memoryview, block: int
    ) -> AsyncIterator[bytes]:
        call = self._methods[1]()

        async def send() -> None:
            for piece in _pieces(head, payload, block):
                await call.write(piece)
            await call.done_writing()

        sending = asyncio.create_task(send())
        while (reply := await call.read()) is not grpc.aio.EOF:
            yield reply
        await sending


async def _aio_methods(address: str, service: str) -> tuple[Any, Any]:
    channel = grpc.aio.insecure_channel(address, options=UNLIMITED)
    return channel.unary_unary(f"/{service}/Unary"), channel.stream_stream(f"/{service}/Stream")


def _pieces(head: bytes, payload: memoryview, block: int) -> Iterator[bytes]:
    yield head
    for begin in range(0, len(payload), block):
        yield bytes(payload[begin : begin + block])
