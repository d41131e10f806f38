"""The asyncio shell: performs a session's steps by grpc.aio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import grpc

from convolved.channel import CHANNEL_OPTIONS, call_metadata, checked_timeout
from convolved.connections import Connections, Lease, Targets
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
from convolved.wire.framing import serialize
from convolved.wire.status import error_of
from convolved_vocabulary import ConvolvedError, DeadlineExceeded, Unavailable

__all__ = ["AsyncPipe", "AsyncTransport"]

T = TypeVar("T")

_LAST_EVENTS_SECONDS = 0.05


class AsyncTransport:
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
        self._targets = Targets(target)
        self._connections = Connections(self._targets, _connected)
        self._timeout = checked_timeout(timeout)
        self._metadata = call_metadata(token)
        self._resuming = resuming
        resuming.servers = len(self._targets)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._held: AsyncGenerator[None, None] | None = None
        self._calls = _OpenCalls()
        self.closed: bool = False

    @property
    def target(self) -> str:
        """The server that is used."""
        return self._targets.current

    def deadline(self) -> Deadline:
        """That of a call that begins now."""
        return Deadline.after(self._timeout)

    async def run(self, steps: Steps[T], lost: Lost[grpc.aio.Channel] | None = None) -> T:
        """Perform steps to their end.

        Args:
            steps: of a session.
            lost: the loss of a stream that the first step takes up again.

        Raises:
            ConvolvedError: as the steps leave it.
        """
        if lost is None:
            deadline = self.deadline()
            steps = self._resuming.persist(steps, deadline)
        else:
            deadline = lost.deadline
            steps = self._resuming.persist(steps, deadline, lost.error)
            self._connections.failed(lost.lease, lost.error)
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
        call = kind(method.path, request_serializer=serialize, response_deserializer=method.parse)
        try:
            return await call(request, timeout=deadline.remaining, metadata=self._metadata)
        except grpc.RpcError as error:
            raise error_of(error, lease.target) from error

    async def _exchange(
        self,
        lease: Lease[grpc.aio.Channel],
        method: Method,
        session: WholeSession | GradientsSession,
        deadline: Deadline,
    ) -> Any:
        call = _stream(lease, method, self._metadata, deadline.remaining)
        try:
            async with _written(call, session.requests(), close=True):
                async for message in call:
                    session.receive(message)
        except grpc.RpcError as error:
            raise session.failed(error_of(error, lease.target)) from error
        finally:
            call.cancel()
        return session.end()

    async def _lease(self) -> Lease[grpc.aio.Channel]:
        loop = asyncio.get_running_loop()
        if self._loop is not loop and not self.closed:
            self._loop, self._calls = loop, _OpenCalls()
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
    connections: Connections[grpc.aio.Channel], calls: _OpenCalls
) -> AsyncGenerator[None, None]:
    """Close the connections when their loop ends, which closes the generators that it still has."""
    try:
        yield
    finally:
        calls.cancel_all()
        for channel in connections.close():
            await channel.close()
        await asyncio.sleep(calls.settled_in())


class _OpenCalls:
    """The calls of live streams on one loop.

    gRPC reports the end of a cancelled call a moment later, to its loop or to none; a loop that
    ends waits that moment.
    """

    def __init__(self) -> None:
        self._calls: set[Any] = set()
        self._settled = 0.0

    def add(self, call: Any) -> None:
        self._calls.add(call)

    def cancel(self, call: Any) -> None:
        """Cancel a call, unless that was done."""
        if call in self._calls:
            self._calls.discard(call)
            if call.done():
                return
            # The call of a loop that has ended has ended with it.
            with suppress(RuntimeError):
                call.cancel()
            self._settled = time.monotonic() + _LAST_EVENTS_SECONDS

    def cancel_all(self) -> None:
        for call in list(self._calls):
            self.cancel(call)

    def settled_in(self) -> float:
        """Seconds until everything is reported."""
        return max(0.0, self._settled - time.monotonic())


class AsyncPipe:
    """The call of a live stream: messages go in by the push, answers are awaited.

    Args:
        lease: of the connection, ended with the call.
        call: just made.
        calls: those of its loop.
    """

    def __init__(self, lease: Lease[grpc.aio.Channel], call: Any, calls: _OpenCalls) -> None:
        self.lease, self._call, self._calls = lease, call, calls
        calls.add(call)

    async def exchange(
        self,
        messages: Iterable[Any],
        receive: Callable[[Any], bool],
        deadline: Deadline,
        *,
        last: bool = False,
    ) -> None:
        """Send messages and feed what comes to `receive` until it returns True.

        Args:
            messages: to send; drawn while answers are read.
            receive: takes a message in and says whether it was the last one awaited.
            deadline: by when.
            last: these are the last messages, and the call ends well after them.

        Raises:
            Unavailable: if the server ends the call before.
            DeadlineExceeded: if that takes too long.
            ConvolvedError: that the server tells, or that `receive` raises.
        """
        target = self.lease.target
        try:
            async with (
                asyncio.timeout(deadline.remaining),
                _written(self._call, messages, close=last),
            ):
                while not receive(await self._read()):
                    pass
                if last and await self._call.read() is not grpc.aio.EOF:
                    raise Unavailable(f"{target} went on after the end of the stream")
        except TimeoutError as error:
            self.close()
            if isinstance(error, ConvolvedError):
                raise
            raise DeadlineExceeded(
                f"{target} did not answer within {deadline.seconds:g} s"
            ) from error
        except grpc.RpcError as error:
            self.close()
            raise error_of(error, target) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the call."""
        self._calls.cancel(self._call)
        self.lease.end()

    async def _read(self) -> Any:
        message = await self._call.read()
        if message is grpc.aio.EOF:
            raise Unavailable(f"{self.lease.target} ended the stream before its end")
        return message


class _written:  # noqa: N801  # reads as what it does: async with _written(call, messages)
    """Write messages to a call while the body reads from it.

    One message is written at once; more are drawn by a task, which ends with the body.
    """

    def __init__(self, call: Any, messages: Iterable[Any], *, close: bool) -> None:
        self._call, self._messages, self._close = call, iter(messages), close
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        first = next(self._messages, None)
        second = None if first is None else next(self._messages, None)
        if second is None:
            if first is not None:
                await self._put(self._call.write(first))
            if self._close:
                await self._put(self._call.done_writing())
            return
        self._writer = asyncio.create_task(self._write((first, second)))

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])
            if not self._writer.cancelled() and (error := self._writer.exception()) is not None:
                raise error

    async def _write(self, begun: tuple[Any, Any]) -> None:
        for message in begun:
            await self._put(self._call.write(message))
        for message in self._messages:
            await self._put(self._call.write(message))
        if self._close:
            await self._put(self._call.done_writing())

    async def _put(self, writing: Awaitable[None]) -> None:
        # A call that has ended takes nothing more; whoever reads from it learns why.
        with suppress(grpc.RpcError, asyncio.InvalidStateError):
            await writing


async def _yielded(messages: Iterable[Any]) -> Any:
    for message in messages:
        yield message
