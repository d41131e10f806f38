"""What the server sends on a stream: in order, bounded in bytes.

`send` is the short way: the caller waits until gRPC has taken the message. `queue` is the way of
streams that compute while they send: a task writes, and who queues waits only while more than the
limit is waiting. gRPC takes a message when the client's window has room for it, so that a client
which does not read costs the limit and what gRPC itself holds, and no more; nor does it for longer
than the idle timeout.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from types import TracebackType

from convolved.wire.reasons import IdleTimeout

from .calls import Call

__all__ = ["Outgoing"]

# How long a stream that ends waits for the message that is being written.
_LAST_WRITE_SECONDS = 0.3


class Outgoing:
    """The messages to one client.

    Args:
        call: the call.
        idle_timeout: seconds after which a client that takes nothing has kept us too long; 0 for
            ever.

    Attributes:
        limit: bytes that may wait.
        writing_since: when gRPC was given the message that it has not taken yet; None while there
            is none.
        write: gRPC's own. Who writes by it, which is right while `idle`, keeps writing_since.
    """

    def __init__(self, call: Call, idle_timeout: float = 0.0) -> None:
        self._call = call
        self.write = call.context.write
        self._idle_timeout = idle_timeout
        self._timer: asyncio.TimerHandle | None = None
        self.writing_since: float | None = None
        self.limit = 0
        self._queue: deque[bytes] = deque()
        self._held = 0
        self._writer: asyncio.Task[None] | None = None
        self._wake: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Outgoing:
        if self._idle_timeout:
            self._timer = self._loop.call_later(self._idle_timeout, self._look)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._writer is None:
            return
        # What is being written is let out whole, for its client can use it; the rest is not.
        self._queue.clear()
        await asyncio.wait([self._writer], timeout=_LAST_WRITE_SECONDS)
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])

    async def send(self, message: bytes) -> None:
        """Send a message and wait until gRPC has taken it."""
        if self._writer is None:
            self.writing_since = time.monotonic()
            await self.write(message)
            self.writing_since = None
        else:
            await self.queue(message)

    async def queue(self, message: bytes) -> None:
        """Let a message be sent; wait while too much is waiting."""
        self._check()
        self.put(message)
        await self.room()

    def put(self, message: bytes) -> None:
        """Let a message be sent; whoever does so waits for `room` before long."""
        self._queue.append(message)
        self._held += len(message)
        if self._writer is None:
            self._writer = self._loop.create_task(self._write_all())

    async def room(self) -> None:
        """Wait while too much is waiting."""
        while self._held > self.limit and self._writer is not None:
            await self._change()
        self._check()

    async def sent(self) -> None:
        """Wait until gRPC has taken everything."""
        while self._writer is not None:
            await self._change()
        self._check()

    async def _write_all(self) -> None:
        try:
            while self._queue:
                message = self._queue.popleft()
                self.writing_since = time.monotonic()
                await self.write(message)
                self.writing_since = None
                self._held -= len(message)
                self._wake_up()
        except Exception as error:  # noqa: BLE001 - whoever sends next shall hear of it
            self._failure = error
        finally:
            self._writer = None
            self._wake_up()

    @property
    def idle(self) -> bool:
        """Whether nothing is queued."""
        return self._writer is None and self._failure is None

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _change(self) -> None:
        self._wake = self._loop.create_future()
        await self._wake

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _look(self) -> None:
        since = self.writing_since
        silent = 0.0 if since is None else time.monotonic() - since
        if silent >= self._idle_timeout:
            waited = f"{self._idle_timeout:g} s"
            self._call.end(IdleTimeout(f"nothing was read for {waited}; open the stream again"))
            return
        self._timer = self._loop.call_later(self._idle_timeout - silent, self._look)
