"""The asyncio shell: performs a session's steps by grpc.aio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Any, TypeVar

import grpc

from convolved.async_calls import AsyncPipe, OpenCalls, Status, written
from convolved.channel import CHANNEL_OPTIONS
from convolved.connections import Connections, Lease
from convolved.methods import COMPUTE_GRADIENTS, STREAM_CONVOLVE, Method
from convolved.session.deadline import Deadline
from convolved.session.differentiating import GradientsSession
from convolved.session.operations import (
    Differentiate,
    Exchange,
    Open,
    Operation,
    Pause,
    Steps,
    Unary,
    Upload,
)
from convolved.session.resuming import Lost, Resuming
from convolved.session.whole import WholeSession
from convolved.transport_face import TransportFace
from convolved.wire.framing import serialize
from convolved_vocabulary import ConvolvedError

__all__ = ["AsyncTransport"]

T = TypeVar("T")


class AsyncTransport(TransportFace[grpc.aio.Channel]):
    """Performs steps over the connections of one client, which are the running loop's.

    gRPC binds a channel to a loop. When another loop runs, other connections are made; those of a
    loop that has ended have ended with it.

    Args:
        target: `HOST:PORT` or `unix:PATH`, or several of them.
        token: sent with every call, or None.
        timeout: seconds that a call, or a push of a stream, may take; None for no limit.
        resuming: the rule by which lost calls and streams are taken up again.
    """

    def __init__(
        self,
        target: str | Sequence[str],
        token: str | None,
        timeout: float | None,
        resuming: Resuming,
    ) -> None:
        super().__init__(target, token, timeout, resuming, _connected)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._held: AsyncGenerator[None, None] | None = None
        self._calls = OpenCalls()
        self.closed: bool = False

    async def run(self, steps: Steps[T], lost: Lost[grpc.aio.Channel] | None = None) -> T:
        """Perform steps to their end.

        Args:
            steps: of a session.
            lost: the loss of a stream that the first step takes up again.

        Raises:
            ConvolvedError: as the steps leave it.
        """
        steps, deadline = self._persistent(steps, lost)
        try:
            operation = next(steps)
            while True:
                try:
                    answer = await self._attempt(operation, deadline)
                except ConvolvedError as error:
                    operation = steps.throw(error)
                else:
                    operation = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    async def close(self) -> None:
        """End what is open, and the connections."""
        self.closed = True
        if self._held is not None and self._loop is asyncio.get_running_loop():
            await self._held.aclose()
        self._connections.close()
        self._held = None

    async def _attempt(self, operation: Operation, deadline: Deadline) -> Any:
        if isinstance(operation, Pause):
            await asyncio.sleep(operation.seconds)
            return None
        with await self._lease() as lease:
            try:
                return await self._perform(operation, lease, deadline)
            except ConvolvedError as error:
                self._connections.failed(lease, error)
                raise

    async def _perform(
        self, operation: Operation, lease: Lease[grpc.aio.Channel], deadline: Deadline
    ) -> Any:
        channel = lease.channel
        match operation:
            case Unary(method, request):
                return await self._answer(lease, channel.unary_unary, method, request, deadline)
            case Upload(method, requests):
                sent = _yielded(requests())
                return await self._answer(lease, channel.stream_unary, method, sent, deadline)
            case Exchange(session):
                return await self._exchange(lease, STREAM_CONVOLVE, session, deadline)
            case Differentiate(session):
                return await self._exchange(lease, COMPUTE_GRADIENTS, session, deadline)
            case Open(live):
                call = _stream(lease, STREAM_CONVOLVE, self._metadata, None)
                pipe = AsyncPipe(lease.another(), call, self._calls)
                await pipe.exchange(live.opening(), live.receive, deadline, last=live.ended)
                return pipe

    async def _answer(
        self,
        lease: Lease[grpc.aio.Channel],
        kind: Callable[..., Any],
        method: Method,
        request: Any,
        deadline: Deadline,
    ) -> Any:
        make = lease.methods.get(method.path)
        if make is None:
            make = lease.methods[method.path] = kind(
                method.path, request_serializer=serialize, response_deserializer=method.parse
            )
        call = make(request, timeout=deadline.remaining, metadata=self._metadata)
        status = Status(call)
        try:
            return await call
        except grpc.RpcError as error:
            raise await status.error(error, lease.target) from error

    async def _exchange(
        self,
        lease: Lease[grpc.aio.Channel],
        method: Method,
        session: WholeSession | GradientsSession,
        deadline: Deadline,
    ) -> Any:
        call = _stream(lease, method, self._metadata, deadline.remaining)
        status = Status(call)
        try:
            async with written(call, session.requests(), close=True):
                async for message in call:
                    session.receive(message)
        except grpc.RpcError as error:
            raise session.failed(await status.error(error, lease.target)) from error
        finally:
            call.cancel()
        return session.end()

    async def _lease(self) -> Lease[grpc.aio.Channel]:
        loop = asyncio.get_running_loop()
        if self._loop is not loop and not self.closed:
            self._loop, self._calls = loop, OpenCalls()
            self._connections = Connections(self._targets, _connected)
            self._held = _held(self._connections, self._calls)
            await anext(self._held)
        for channel in self._connections.unused():
            await channel.close()
        return self._connections.lease()


def _connected(target: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)


def _stream(
    lease: Lease[grpc.aio.Channel],
    method: Method,
    metadata: tuple[tuple[str, str], ...],
    seconds: float | None,
) -> Any:
    call = lease.channel.stream_stream(
        method.path, request_serializer=serialize, response_deserializer=method.parse
    )
    return call(timeout=seconds, metadata=metadata)


async def _held(
    connections: Connections[grpc.aio.Channel], calls: OpenCalls
) -> AsyncGenerator[None, None]:
    """Close the connections when their loop ends, which closes the generators that it still has."""
    try:
        yield
    finally:
        calls.cancel_all()
        for channel in connections.close():
            await channel.close()
        await asyncio.sleep(calls.settled_in())


async def _yielded(messages: Iterable[Any]) -> Any:
    for message in messages:
        yield message
