"""A bare grpc.aio echo: the least that carrying the bytes over gRPC in Python can cost.

It computes nothing and parses nothing. A stream gives each message back as it is; then, and in a
unary call, come as many bytes as a convolution would return, from a buffer made beforehand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from itertools import chain, repeat
from queue import SimpleQueue
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from benchmarks.wire.cases import BLOCK, FIR_TAPS, HALL_TAPS, STALLED_BLOCK_BYTES, Signal
from benchmarks.wire.contender import KEPT, Push, Streaming

from ._exchange import Exchange
from ._serving import serve_grpc
from ._stalling import Stalled

__all__ = ["client", "serve"]

_SERVICE = "benchmarks.Echo"
_PIECE_BYTES = 1 << 20
_BLOCKS_BYTES = (64 << 10, 256 << 10, 1 << 20)
_ITEM_BYTES = 4
_HEAD_BYTES = 8


class Echo(Streaming):
    """Sends a signal and gets back as many bytes as its convolution has."""

    def __init__(self, address: str) -> None:
        self._exchange = Exchange(address, _SERVICE)
        self._outboxes: list[SimpleQueue[bytes | None]] = []
        self.variants: dict[str, Callable[[Signal], NDArray[Any] | None]] = {
            "unary": self._unary,
            "unary, aio": self._unary_aio,
        }
        for block in _BLOCKS_BYTES:
            name = f"stream of {block >> 10} KiB"
            self.variants[name] = partial(self._stream, block)
            self.variants[f"{name}, aio"] = partial(self._stream_aio, block)

    def open_streams(self, count: int) -> list[Push]:
        block = bytes(BLOCK * _ITEM_BYTES)
        pushes: list[Push] = []
        for _ in range(count):
            outbox, replies = self._exchange.open()
            outbox.put(_head(0))
            self._outboxes.append(outbox)
            pushes.append(partial(_push, outbox, replies, block))
        return pushes

    def close_streams(self) -> None:
        for outbox in self._outboxes:
            outbox.put(None)
        self._outboxes.clear()

    def large_variants(self) -> Mapping[str, Callable[[Signal], int]]:
        head = _head((FIR_TAPS - 1) * _ITEM_BYTES)

        def sync(signal: Signal) -> int:
            return sum(map(len, self._exchange.stream(head, _bytes(signal), _PIECE_BYTES)))

        def aio(signal: Signal) -> int:
            return self._exchange.count_aio(head, _bytes(signal), _PIECE_BYTES)

        def kept(signal: Signal) -> int:
            output = np.empty(signal.nbytes + (FIR_TAPS - 1) * _ITEM_BYTES, np.uint8)
            end = 0
            for reply in self._exchange.stream(head, _bytes(signal), _PIECE_BYTES):
                begin, end = end, end + len(reply)
                output[begin:end] = np.frombuffer(reply, np.uint8)
            return end

        return {"sync": sync, "aio": aio, KEPT: kept}

    def stall(self, streams: int, blocks: int, manner: str) -> Stalled:
        def messages() -> Iterable[bytes]:
            return chain([_head(0)], repeat(bytes(STALLED_BLOCK_BYTES), blocks))

        return Stalled(self._exchange.begin, streams, messages)

    def _unary(self, signal: Signal) -> None:
        self._exchange.unary(_unary_head(signal), _bytes(signal))

    def _unary_aio(self, signal: Signal) -> None:
        self._exchange.unary_aio(_unary_head(signal), _bytes(signal))

    def _stream(self, block: int, signal: Signal) -> None:
        list(self._exchange.stream(_head(_tail_bytes()), _bytes(signal), block))

    def _stream_aio(self, block: int, signal: Signal) -> None:
        self._exchange.stream_aio(_head(_tail_bytes()), _bytes(signal), block)


def client(address: str) -> Streaming:
    """Connect to an echo."""
    return Echo(address)


def serve(
    address: str, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> None:
    """Serve echoes until standard input closes, on the loop of asyncio or another one."""
    serve_grpc(address, _SERVICE, _unary, _stream, loop_factory)


async def _unary(request: bytes, _context: Any) -> bytes:
    return _made(int.from_bytes(request[:_HEAD_BYTES], "little"))


async def _stream(_requests: Any, context: Any) -> None:
    tail = int.from_bytes(await context.read(), "little")
    while (message := await context.read()) is not grpc.aio.EOF:
        await context.write(message)
    for begin in range(0, tail, _PIECE_BYTES):
        await context.write(_made(min(_PIECE_BYTES, tail - begin)))


@cache
def _made(size: int) -> bytes:
    return bytes(size)


def _push(outbox: SimpleQueue[bytes | None], replies: Iterator[bytes], block: bytes) -> None:
    outbox.put(block)
    next(replies)


def _unary_head(signal: Signal) -> bytes:
    return _head(signal.nbytes + _tail_bytes())


def _tail_bytes() -> int:
    return (HALL_TAPS - 1) * _ITEM_BYTES


def _head(size: int) -> bytes:
    return size.to_bytes(_HEAD_BYTES, "little")


def _bytes(signal: Signal) -> memoryview:
    return signal.data.cast("B")
