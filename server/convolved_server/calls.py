"""The calls in flight, and the phases of a server's life that decide which may begin.

STARTING, then SERVING, then DRAINING; never back. While draining nothing new begins, and what is
in flight goes on to its end, except streams, which leave between two answers and are resumed
elsewhere.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from convolved.wire.reasons import Draining
from convolved_vocabulary import ConvolvedError, Unavailable

__all__ = ["Call", "Calls", "Phase"]

Context = grpc.aio.ServicerContext[Any, Any]


class Phase(enum.Enum):
    """Where a server is in its life."""

    STARTING = enum.auto()
    SERVING = enum.auto()
    DRAINING = enum.auto()


class Call:
    """One call, from its first byte to its status.

    Attributes:
        method: the name of the RPC.
        context: gRPC's side of it.
        tenant: whose filters it sees; all callers are one tenant so far.
        begun: when it came, on the monotonic clock.
        ending: why the server ends it, once it does.
        on_drain: what it does when the server drains; nothing, for most.
    """

    def __init__(self, method: str, context: Context) -> None:
        self.method = method
        self.context = context
        self.tenant = ""
        self.begun = time.monotonic()
        self.ending: ConvolvedError | None = None
        self.on_drain: Callable[[], None] = _nothing
        self._task = asyncio.current_task()

    def end(self, error: ConvolvedError) -> None:
        """End the call with `error` wherever it is waiting; the first such error counts."""
        if self.ending is None and self._task is not None:
            self.ending = error
            self._task.cancel()

    @property
    def time_remaining(self) -> float | None:
        """Seconds until the caller's deadline, None if there is none."""
        remaining: float | None = self.context.time_remaining()
        return remaining

    @property
    def about(self) -> dict[str, str]:
        """What a line of the log says of it."""
        found = {"method": self.method, "peer": self.context.peer()}
        for key, value in self.context.invocation_metadata() or ():
            if key == "x-request-id":
                found["request_id"] = str(value)[:200]
        return found


class Calls:
    """The calls in flight.

    Attributes:
        phase: of the server.
        warm: whether what the first calls need is compiled.
        in_flight: the calls that have begun and not ended.
    """

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self.warm = False
        self.in_flight: set[Call] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def alone(self) -> bool:
        """Whether one call, the asking one, is all that is in flight."""
        return len(self.in_flight) == 1

    @contextmanager
    def flight(self, call: Call) -> Iterator[None]:
        """Let a call begin, and hear of its end.

        Raises:
            Unavailable: if the server is starting or draining.
        """
        if self.phase is Phase.STARTING:
            raise Unavailable("the server is starting; try again")
        if self.phase is Phase.DRAINING:
            raise draining()
        self.in_flight.add(call)
        self._idle.clear()
        try:
            yield
        finally:
            self.in_flight.discard(call)
            if not self.in_flight:
                self._idle.set()

    def drain(self) -> None:
        """Let nothing begin any more, and tell those in flight."""
        self.phase = Phase.DRAINING
        for call in list(self.in_flight):
            call.on_drain()

    async def wait_idle(self, seconds: float) -> bool:
        """Wait until nothing is in flight, at most `seconds`; return whether it is so."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def end_all(self) -> None:
        """End what is still in flight."""
        for call in list(self.in_flight):
            call.end(draining())


def draining() -> Draining:
    """What callers of a server that stops are told."""
    return Draining("the server is stopping; go on elsewhere")


def _nothing() -> None:
    pass
