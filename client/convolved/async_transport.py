"""The asyncio shell: performs a session's steps by grpc.aio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import grpc

from convolved.channel import CHANNEL_OPTIONS, Targets, call_metadata, checked_timeout
from convolved.methods import STREAM_CONVOLVE, Method
from convolved.session.operations import Exchange, Open, Operation, Pause, Steps, Unary, Upload
from convolved.session.resuming import Resuming
from convolved.session.whole import WholeSession
from convolved.wire.framing import serialize
from convolved.wire.status import error_of
from convolved_vocabulary import (
    ConvolvedError,
    DeadlineExceeded,
    FailedPrecondition,
    Unavailable,
)

__all__ = ["AsyncPipe", "AsyncTransport"]

T = TypeVar("T")

_LAST_EVENTS_SECONDS = 0.05


class AsyncTransport:
    """A channel to each server that is used, for the running loop, made when it is first needed.

    gRPC binds a channel to a loop. When another loop runs, other channels are made; those of a
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
        self.timeout: float | None = checked_timeout(timeout)
        self._metadata = call_metadata(token)
        self._resuming = resuming
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._held: AsyncGenerator[None, None] | None = None
        self._calls = _OpenCalls()
        self.closed: bool = False

    @property
    def target(self) -> str:
        """The server that is used."""
        return self._targets.current

    async def run(self, steps: Steps[T], lost: ConvolvedError | None = None) -> T:
        """Perform steps to their end.

        Args:
            steps: of a session.
            lost: the loss of a stream that the first step takes up again.

        Raises:
            ConvolvedError: as the steps leave it.
        """
        steps = self._resuming.persist(steps, lost)
        used = self.target
        try:
            operation = next(steps)
            while True:
                try:
                    if isinstance(operation, Pause):
                        self._targets.turn_from(used)
                    used = self.target
                    answer = await self._perform(operation)
                except ConvolvedError as error:
                    operation = steps.throw(error)
                else:
                    operation = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    async def close(self) -> None:
        """End what is open, and the connection."""
        self.closed = True
        if self._held is not None and self._loop is asyncio.get_running_loop():
            await self._held.aclose()
        self._channels, self._held = {}, None

    async def _perform(self, operation: Operation) -> Any:
        match operation:
            case Unary(method, request):
                channel = await self._open_channel()
                return await self._answer(channel.unary_unary, method, request)
            case Upload(method, requests):
                messages = _yielded(requests())
                channel = await self._open_channel()
                return await self._answer(channel.stream_unary, method, messages)
            case Exchange(session):
                return await self._exchange(session)
            case Open(live):
                call = await self._stream()
                pipe = AsyncPipe(call, self._calls, self.target, self.timeout)
                await pipe.exchange(live.opening(), live.receive, last=live.ended)
                return pipe
            case Pause(seconds):
                await asyncio.sleep(seconds)
                return None

    async def _answer(self, kind: Callable[..., Any], method: Method, request: Any) -> Any:
        call = kind(method.path, request_serializer=serialize, response_deserializer=method.parse)
        try:
            return await call(request, timeout=self.timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise error_of(error, self.target) from error

    async def _exchange(self, session: WholeSession) -> Any:
        call = await self._stream(self.timeout)
        try:
            async with _written(call, session.requests(), close=True):
                async for message in call:
                    session.receive(message)
        except grpc.RpcError as error:
            raise session.failed(error_of(error, self.target)) from error
        finally:
            call.cancel()
        return session.end()

    async def _stream(self, seconds: float | None = None) -> Any:
        channel = await self._open_channel()
        method = channel.stream_stream(
            STREAM_CONVOLVE.path,
            request_serializer=serialize,
            response_deserializer=STREAM_CONVOLVE.parse,
        )
        return method(timeout=seconds, metadata=self._metadata)

    async def _open_channel(self) -> grpc.aio.Channel:
        if self.closed:
            raise FailedPrecondition("the client is closed: make another")
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._channels, self._calls = loop, {}, _OpenCalls()
            self._held = _held(self._channels, self._calls)
            await anext(self._held)
        target = self.target
        if target not in self._channels:
            channel = grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
            self._channels[target] = channel
        return self._channels[target]


async def _held(
    channels: dict[str, grpc.aio.Channel], calls: _OpenCalls
) -> AsyncGenerator[None, None]:
    """Close the channels when their loop ends, which closes the generators that it still has."""
    try:
        yield
    finally:
        calls.cancel_all()
        for channel in channels.values():
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
    """The call of a live stream: messages go in by the push, answers are awaited."""

    def __init__(self, call: Any, calls: _OpenCalls, target: str, timeout: float | None) -> None:
        self._call, self._calls = call, calls
        self._target, self._timeout = target, timeout
        calls.add(call)

    async def exchange(
        self, messages: Iterable[Any], receive: Callable[[Any], bool], *, last: bool = False
    ) -> None:
        """Send messages and feed what comes to `receive` until it returns True.

        Args:
            messages: to send; drawn while answers are read.
            receive: takes a message in and says whether it was the last one awaited.
            last: these are the last messages, and the call ends well after them.

        Raises:
            Unavailable: if the server ends the call before.
            DeadlineExceeded: if that takes longer than the timeout.
            ConvolvedError: that the server tells, or that `receive` raises.
        """
        try:
            async with asyncio.timeout(self._timeout), _written(self._call, messages, close=last):
                while not receive(await self._read("ended the stream before its end")):
                    pass
                if last and await self._call.read() is not grpc.aio.EOF:
                    raise Unavailable(f"{self._target} went on after the end of the stream")
        except TimeoutError as error:
            self.close()
            if isinstance(error, ConvolvedError):
                raise
            raise DeadlineExceeded(
                f"{self._target} did not answer within {self._timeout:g} s"
            ) from error
        except grpc.RpcError as error:
            self.close()
            raise error_of(error, self._target) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the call."""
        self._calls.cancel(self._call)

    async def _read(self, otherwise: str) -> Any:
        message = await self._call.read()
        if message is grpc.aio.EOF:
            raise Unavailable(f"{self._target} {otherwise}")
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
