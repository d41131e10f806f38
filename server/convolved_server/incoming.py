"""What a client sends on a stream: read when asked for, or ahead of it, bounded in bytes.

A stream that answers each small block at once reads when it is ready to; that costs no task and
no buffer. While it is away in a thread it lets a task read ahead, so that the next blocks are
there when it comes back.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from convolved.wire.reasons import IdleTimeout
from convolved_vocabulary import InvalidArgument

from .calls import Call
from .compute import Pool
from .uploads import Received

__all__ = ["END", "Incoming"]

END: Any = grpc.aio.EOF
"""What gRPC reads once there are no more messages."""

# First messages of this size are parsed in a thread; data messages are framed, which takes no time.
_LARGE_BYTES = 64 << 10
_FIRST_MESSAGE = 1 << 3 | 2

_CANCELLED_WITHIN = 0.05


class Incoming:
    """The messages of one call, in order.

    Args:
        call: the call.
        parse: makes messages of bytes; it does not copy the payload of large data messages.
        desk: threads that parse large other messages.
        idle_timeout: seconds after which a client that is waited for has been silent too long;
            0 for ever.

    Attributes:
        limit: bytes that may be read ahead.
        waiting_since: when the wait for a message began, None while there is none.
        arrived: when the message came that was given last.
        read: gRPC's own. Who reads by it, which `direct` allows, keeps waiting_since and arrived,
            and tells `closed` of the end.
    """

    def __init__(
        self,
        call: Call,
        parse: Callable[[bytes], Received],
        desk: Pool,
        idle_timeout: float,
    ) -> None:
        self._call = call
        self.read: Callable[[], Awaitable[Any]] = call.context.read
        self._parse = parse
        self._desk = desk
        self.limit = 0
        self._queue: deque[tuple[Received, int, float]] = deque()
        self._held = 0
        self._reader: asyncio.Task[None] | None = None
        self._wake: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self._closed = False
        self._ahead = False
        self._loop = asyncio.get_running_loop()
        self._idle_timeout = idle_timeout
        self._timer: asyncio.TimerHandle | None = None
        self.waiting_since: float | None = None
        self.arrived = 0.0

    async def __aenter__(self) -> Incoming:
        if self._idle_timeout:
            self._timer = self._loop.call_later(self._idle_timeout, self._look)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        self._queue.clear()

    def direct(self) -> bool:
        """Whether nothing has been read ahead, nor is any more: then it is right to `read`."""
        if self._queue or self._reader is not None or self._closed or self._failure is not None:
            return False
        self._ahead = False
        return True

    def closed(self) -> None:
        """Take note that there are no more messages."""
        self._closed = True

    async def read_taken(self, raw: bytes) -> Received:
        """The message in what `read` gave.

        Raises:
            InvalidArgument: if it cannot be parsed.
        """
        try:
            if len(raw) >= _LARGE_BYTES and raw[0] == _FIRST_MESSAGE:
                return await self._desk.run(partial(self._parse, raw))
            return self._parse(raw)
        except DecodeError:
            raise InvalidArgument(
                "request", f"{len(raw):,} bytes that cannot be parsed", "a message of this method"
            ) from None

    async def take(self, *, last: bool = False) -> Received | None:
        """The next message; None when the client has closed its side.

        Args:
            last: whether that is expected. If not, it may be the first sign of a client that is
                lost, and the cancellation that follows is waited for.

        Raises:
            InvalidArgument: if it cannot be parsed.
        """
        if not self._queue:
            # Nothing is gained by reading ahead of one who waits.
            self._ahead = False
            self.waiting_since = time.monotonic()
            try:
                while self._reader is not None and not self._queue:
                    self._wake = self._loop.create_future()
                    await self._wake
                if not (self._queue or self._closed or self._failure):
                    found = await self._next()
                    self.arrived = time.monotonic()
                    if found is not None:
                        return found[0]
            finally:
                self.waiting_since = None
        if not self._queue:
            if self._failure is not None:
                raise self._failure
            if not last:
                await asyncio.sleep(_CANCELLED_WITHIN)
            return None
        message, nbytes, self.arrived = self._queue.popleft()
        self._held -= nbytes
        if self._ahead and self._held < self.limit // 2:
            self.read_ahead()
        return message

    async def comes_before(self, other: asyncio.Future[Any]) -> bool:
        """Wait for a message or `other`; whether `take` need not wait now."""
        self.read_ahead()
        other.add_done_callback(self._wake_up)
        self.waiting_since = time.monotonic()
        try:
            while not (self._queue or self._closed or self._failure or other.done()):
                self._wake = self._loop.create_future()
                await self._wake
        finally:
            self.waiting_since = None
            other.remove_done_callback(self._wake_up)
        return not other.done()

    def waiting(self) -> Received | None:
        """The message that `take` would give without waiting, if there is one."""
        return self._queue[0][0] if self._queue else None

    def read_ahead(self) -> None:
        """Let a task read beside what the caller does, up to the limit, until `take` waits."""
        self._ahead = True
        if self._reader is None and not self._closed and self._failure is None:
            self._reader = self._loop.create_task(self._fill())

    async def _fill(self) -> None:
        try:
            while self._ahead and self._held < self.limit:
                found = await self._next()
                if found is None:
                    return
                self._queue.append((*found, time.monotonic()))
                self._held += found[1]
                self._wake_up()
        except Exception as error:  # noqa: BLE001 - whoever takes the next message shall hear of it
            self._failure = error
        finally:
            self._reader = None
            self._wake_up()

    async def _next(self) -> tuple[Received, int] | None:
        raw = await self.read()
        if raw is END:
            self._closed = True
            return None
        return await self.read_taken(raw), len(raw)

    def _wake_up(self, *_: object) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _look(self) -> None:
        since = self.waiting_since
        silent = 0.0 if since is None else time.monotonic() - since
        if silent >= self._idle_timeout:
            self._call.end(
                IdleTimeout(f"no message came for {self._idle_timeout:g} s; open the stream again")
            )
            return
        self._timer = self._loop.call_later(self._idle_timeout - silent, self._look)
