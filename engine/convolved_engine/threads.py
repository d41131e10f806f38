"""The one pool of threads, and how work is dealt out to it.

Work is dealt in small chunks to whichever thread is free, so that a core disturbed by other work
delays one chunk and not half of the result. Which thread computes a chunk never changes a bit.
A helper keeps off the core of the caller: where other programs keep the rest busy, the system
would wake it there, to begin when the caller is done.
BLAS is kept to one thread while ours run: its own threads would only contend with them.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary.errors import InvalidArgument

__all__ = [
    "available_cores",
    "blas_on_one_thread",
    "by_oneself",
    "for_each_chunk",
    "limit",
    "on_threads",
    "scratch",
]

SETTING = "CONVOLVED_THREADS"
_KEPT_BYTES, _LINE = 8 << 20, 64

# With more of them some core is free, and moving them all would take longer than it gains.
_MOST_MOVED = 7

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def available_cores() -> int:
    """The cores that this process may use, by affinity and by the container's quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, _cgroup_quota() or cores))


def _cgroup_quota() -> int | None:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):
        return None


@cache
def limit() -> int:
    """How many threads one call may use: `CONVOLVED_THREADS`, else the available cores."""
    setting = os.environ.get(SETTING)
    if setting is None:
        return available_cores()
    try:
        threads = int(setting)
    except ValueError:
        threads = 0
    if threads < 1:
        raise InvalidArgument(SETTING, repr(setting), "a whole number of at least 1")
    return threads


def for_each_chunk(
    count: int, work: Callable[[int, int], None], threads: int | None = None, chunk: int = 1
) -> None:
    """Call work(first, last) for chunks that together cover range(count), each item once.

    Args:
        count: how many items there are.
        work: computes the items from `first` up to, but not including, `last`.
        threads: how many threads at most, the caller's among them; None takes the setting.
        chunk: items dealt out at a time.
    """
    chunks = -(-count // chunk)
    most = min(limit() if threads is None else threads, chunks)
    if most < 2 or _alone():
        if count:
            work(0, count)
        return
    following = iter(range(chunks))

    def take() -> None:
        nonlocal following
        try:
            while (number := next(following, chunks)) < chunks:
                work(number * chunk, min(count, (number + 1) * chunk))
        except BaseException:
            # Also an interrupt, which none but the main thread hears: nobody wants the rest.
            following = iter(range(0))
            raise

    on_threads(take, most)


def on_threads(
    work: Callable[[], None], threads: int | None = None, chunks: int | None = None
) -> None:
    """Call work() on several threads at once, the caller's among them.

    Args:
        work: takes from what is left to do, until nothing is; one call alone would do it all.
        threads: how many at most; None takes the setting.
        chunks: how often there is something to take, if that is known; more threads are not woken.
    """
    most = limit() if threads is None else threads
    helpers = 0 if _alone() else (most if chunks is None else min(most, chunks)) - 1
    if helpers < 1:
        work()
        return
    pool = _shared_pool()
    _apart.keep_off_this_core()
    futures: list[Future[None]] = []
    try:
        try:
            futures.extend(pool.submit(work) for _ in range(helpers))
        except RuntimeError as error:
            # The pool ends before threads that outlive the main one, and before `atexit`.
            if "shutdown" not in str(error):
                raise
        work()
    finally:
        # Also after a failure here: nobody may write into the output once this has returned.
        # A helper that has not begun by now would find nothing to do.
        waiting = [future for future in futures if not future.cancel()]
        failures = [future.exception() for future in waiting]
    for failure in failures:
        if failure is not None:
            raise failure


_dealing = threading.local()


@contextlib.contextmanager
def by_oneself() -> Iterator[None]:
    """Let the calling thread do all of its work itself, inside.

    For work so short that waking other threads would cost more than it gains.
    """
    before = _alone()
    _dealing.alone = True
    try:
        yield
    finally:
        _dealing.alone = before


def _alone() -> bool:
    return getattr(_dealing, "alone", False)


_own = threading.local()


def scratch(count: int, dtype: np.dtype[Any], name: str) -> NDArray[Any]:
    """A flat array of the calling thread's own, kept for its next call under that name.

    It begins at a line of the cache. Its contents are whatever was left there. Fresh memory would
    cost page faults each time.
    """
    kept: dict[str, NDArray[np.uint8]] = _own.__dict__
    size = count * dtype.itemsize
    buffer = kept.get(name)
    if buffer is None or buffer.size < size:
        held = np.empty(size + _LINE, np.uint8)
        begin = -held.ctypes.data % _LINE
        buffer = held[begin : begin + size]
        if size <= _KEPT_BYTES:
            kept[name] = buffer
    return buffer[:size].view(dtype)


class _Apart:
    """Lets the helpers run on every core but that of the caller."""

    def __init__(self) -> None:
        self.helpers: list[int] = []
        self.core: int | None = None
        self.ask: Any = None
        if hasattr(os, "sched_setaffinity"):
            self.ask = getattr(ctypes.PyDLL(None), "sched_getcpu", None)

    def join(self) -> None:
        """The calling thread is a helper."""
        self.helpers.append(threading.get_native_id())
        self.core = None

    def keep_off_this_core(self) -> None:
        """The calling thread is about to deal out work."""
        if self.ask is None or len(self.helpers) > _MOST_MOVED or (core := self.ask()) == self.core:
            return
        self.core = core
        others = os.sched_getaffinity(0) - {core}
        for helper in self.helpers if others else ():
            # Where a sandbox forbids it, the system's choice has to do.
            with contextlib.suppress(OSError):
                os.sched_setaffinity(helper, others)


_apart = _Apart()


def _shared_pool() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(
                max(1, limit() - 1), thread_name_prefix="convolved", initializer=_apart.join
            )
        return _pool


def _forget_pool() -> None:
    # The threads of the parent do not exist in a forked child.
    global _apart, _blas, _pool, _lock
    _apart, _blas, _pool, _lock = _Apart(), _Blas(), None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


class _Blas:
    """Counts who needs BLAS on one thread, and restores it when the last has gone."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.libraries: list[Any] | None = None
        self.before: list[int] = []

    def enter(self) -> None:
        with self.lock:
            self.users += 1
            if self.users > 1:
                return
            if self.libraries is None:
                from threadpoolctl import ThreadpoolController

                self.libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            self.before = [each.num_threads for each in self.libraries]
            for each in self.libraries:
                _let_use(each, 1)

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                for each, count in zip(self.libraries or (), self.before, strict=True):
                    _let_use(each, count)


def _let_use(library: Any, count: int) -> None:
    """Set the threads of a BLAS library, whichever thread asks.

    Since its version 3.8 threadpoolctl hears only the first thread that ever set them, until that
    is told to be done. Here the last to leave need not be the first that came.
    """
    forget_who = getattr(library, "clear_controlling_thread", None)
    if forget_who is None:
        library.set_num_threads(count)
        return
    forget_who(force=True)
    library.set_num_threads(count)
    forget_who(force=True)


_blas = _Blas()


@contextlib.contextmanager
def blas_on_one_thread() -> Iterator[None]:
    """Keep BLAS to one thread inside."""
    _blas.enter()
    try:
        yield
    finally:
        _blas.leave()
