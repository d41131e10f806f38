"""The calls of the asyncio shell: how they are written to, and how they end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

import grpc

from convolved.connections import Lease
from convolved.session.deadline import Deadline
from convolved.wire.status import error_of
from convolved_vocabulary import ConvolvedError, DeadlineExceeded, Unavailable

__all__ = ["AsyncPipe", "OpenCalls", "Status", "written"]

T = TypeVar("T")

_LAST_EVENTS_SECONDS = 0.05
_STATUS_SECONDS = 0.25
_OVERWRITTEN = "Internal error from Core"


class Status:
    """The status with which the server ended a call.

    A write that fails because the call has ended makes grpc.aio overwrite the server's status
    with an INTERNAL of its own (github.com/grpc/grpc/issues/36066). Here the server's is kept.
    """

    def __init__(self, call: Any) -> None:
        self._told: asyncio.Future[_Ended] = asyncio.get_running_loop().create_future()
        call.add_done_callback(self._note)

    async def error(self, failure: Any, target: str) -> ConvolvedError:
        """The error that the failure of the call stands for.

        Args:
            failure: what gRPC raised.
            target: the server, for the words.
        """
        if failure.details() == _OVERWRITTEN:
            try:
                async with asyncio.timeout(_STATUS_SECONDS):
                    failure = await self._told
            except TimeoutError:
                # That it has ended is certain, and the reason is not gRPC's to make up.
                return Unavailable(f"{target} ended the call without saying why")
        if failure.code() is grpc.StatusCode.OK:
            return Unavailable(f"{target} ended the stream before its end")
        return error_of(failure, target)

    def _note(self, call: Any) -> None:
        # The call is done: nothing of this waits.
        if not self._told.done() and _now(call.details()) != _OVERWRITTEN:
            ended = _Ended(_now(call.code()), _now(call.details()), _now(call.trailing_metadata()))
            self._told.set_result(ended)


class _Ended:
    def __init__(self, code: grpc.StatusCode, details: str, metadata: Any) -> None:
        self._code, self._details, self._metadata = code, details, metadata

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return self._metadata


def _now(awaited: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that need not wait."""
    try:
        awaited.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    awaited.close()
    raise AssertionError("the status of a call that has ended is there")


class OpenCalls:
    """The calls of live streams on one loop.

    gRPC reports the end of a cancelled call a moment later, to its loop or to none; a loop that
    ends waits that moment.
    """

    def __init__(self) -> None:
        self._calls: set[Any] = set()
        self._settled = 0.0

    def add(self, call: Any) -> None:
        """Count a call among the open ones."""
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
        """Cancel every open call."""
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

    def __init__(self, lease: Lease[grpc.aio.Channel], call: Any, calls: OpenCalls) -> None:
        self.lease = lease
        self._call, self._calls = call, calls
        self._status = Status(call)
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
                written(self._call, messages, close=last),
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
            found = await self._status.error(error, target)
            self.close()
            raise found from error
        except BaseException:
            self.close()
            raise

    async def send(self, messages: Iterable[Any], *, last: bool = False) -> None:
        """Send messages; wait until gRPC has taken them, and not for what comes back.

        Args:
            messages: to send.
            last: these are the last ones.
        """
        # A call that has ended takes nothing more; whoever reads from it learns why.
        with suppress(grpc.RpcError, asyncio.InvalidStateError):
            for message in messages:
                await self._call.write(message)
            if last:
                await self._call.done_writing()

    async def read(self, deadline: Deadline) -> Any:
        """Wait for the next message; None when the call has ended well.

        Raises:
            DeadlineExceeded: if none comes in time.
            ConvolvedError: with which the call has ended.
        """
        target = self.lease.target
        try:
            async with asyncio.timeout(deadline.remaining):
                message = await self._call.read()
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"{target} did not answer within {deadline.seconds:g} s"
            ) from error
        except grpc.RpcError as error:
            raise await self._status.error(error, target) from error
        return None if message is grpc.aio.EOF else message

    def close(self) -> None:
        """End the call."""
        self._calls.cancel(self._call)
        self.lease.end()

    async def _read(self) -> Any:
        message = await self._call.read()
        if message is grpc.aio.EOF:
            raise Unavailable(f"{self.lease.target} ended the stream before its end")
        return message


class written:  # noqa: N801  # reads as what it does: async with written(call, messages)
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
