"""Where work is done that is not waiting: on the event loop if tiny, else in a bounded pool.

A hop to a thread and back costs more than many a small convolution. Work predicted to be tiny
therefore runs where it stands, as long as such work has not had more than its share of the loop's
time; whoever comes after that takes the hop, and the loop stays prompt. Nothing here holds a lock
while it computes.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["HOP_SECONDS", "TINY_SECONDS", "Pool"]

_T = TypeVar("_T")

TINY_SECONDS = 200e-6
"""Work predicted to take less runs on the event loop."""

# What tiny work may take of the loop: this much at a stretch, and this share in the long run.
_STRETCH_SECONDS = 1e-3
_SHARE = 0.5
HOP_SECONDS = 90e-6
"""What sending work to a thread and hearing of its end costs altogether.

Work that takes less stays where it is however busy the loop, and need not be counted: sent away it
would keep the machine busier still.
"""


class Pool:
    """Threads of a name, and the loop's allowance for tiny work.

    Args:
        name: of the threads.
        threads: how many.

    Attributes:
        working: jobs that wait or run in the threads.
    """

    def __init__(self, name: str, threads: int) -> None:
        self.threads = threads
        self.working = 0
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"convolved-{name}")
        self._spent = 0.0
        self._counted = 0.0

    async def run(
        self,
        work: Callable[[], _T],
        *,
        predicted: float | None = None,
        stop: threading.Event | None = None,
    ) -> _T:
        """Do `work` and return what it returns.

        When the task that waits here is cancelled, work that has not begun never begins; work
        that has begun is told by `stop`, and is waited for, because until it ends it uses what
        the caller holds. Then the cancellation goes on.

        Args:
            work: what to do.
            predicted: seconds that it should take, None if unknown.
            stop: set when nobody wants the result any more.
        """
        if self.lets_run(predicted, time.monotonic()):
            begun = time.thread_time()
            try:
                return work()
            finally:
                self.has_run(time.thread_time() - begun)
        self.working += 1
        job = self._executor.submit(work)
        done = asyncio.wrap_future(job)
        done.add_done_callback(_heard)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if stop is not None:
                stop.set()
            await _ended(job, done)
            raise
        finally:
            self.working -= 1

    def lets_run(self, predicted: float | None, now: float) -> bool:
        """Whether work may run on the loop at once; whoever does it says when it `has_run`.

        Args:
            predicted: seconds that it should take, None if unknown.
            now: on the monotonic clock.
        """
        if predicted is None or predicted >= TINY_SECONDS:
            return False
        spent = self._spent - _SHARE * (now - self._counted)
        self._spent = max(0.0, spent)
        self._counted = now
        return spent < _STRETCH_SECONDS

    def has_run(self, seconds: float) -> None:
        """Count what was let run, as far as a thread would have spared it.

        Args:
            seconds: of processor time. What other programs took meanwhile is not the work's; to
                send the next one away for that would only add to what makes the machine busy.
        """
        if seconds > HOP_SECONDS:
            self._spent += seconds - HOP_SECONDS

    def close(self) -> bool:
        """Begin nothing more; return whether all threads are idle."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        return self.working == 0


async def _ended(job: Future[_T], done: asyncio.Future[_T]) -> None:
    """Wait until no thread works at `job`."""
    if not job.cancel():
        await asyncio.wait([done])


def _heard(done: asyncio.Future[_T]) -> None:
    # A failure that comes after its caller has gone interests nobody.
    if not done.cancelled():
        done.exception()
