"""The one pool of threads, and how work is dealt out to it.

Work is dealt in small chunks to whichever thread is free, so that a core disturbed by other work
delays one chunk and not half of the result. Which thread computes a chunk never changes a bit.
BLAS is kept to one thread while ours run: its own threads would only contend with them.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary.errors import InvalidArgument

__all__ = ["available_cores", "blas_on_one_thread", "for_each_chunk", "limit", "scratch"]

SETTING = "CONVOLVED_THREADS"
_KEPT_BYTES = 4 << 20

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
    helpers = min(limit() if threads is None else threads, chunks) - 1
    if helpers < 1:
        if count:
            work(0, count)
        return
    following = itertools.count()

    def take() -> None:
        while (number := next(following)) < chunks:
            work(number * chunk, min(count, (number + 1) * chunk))

    pool = _shared_pool()
    futures = [pool.submit(take) for _ in range(helpers)]
    try:
        take()
    finally:
        # Also after a failure here: nobody may write into the output once this has returned.
        # A helper that has not begun by now would find nothing to do.
        waiting = [future for future in futures if not future.cancel()]
        failures = [future.exception() for future in waiting]
    for failure in failures:
        if failure is not None:
            raise failure


_own = threading.local()


def scratch(count: int, dtype: np.dtype[Any], name: str) -> NDArray[Any]:
    """A flat array of the calling thread's own, kept for its next call under that name.

    Its contents are whatever was left there. Fresh memory would cost page faults each time.
    """
    kept: dict[str, NDArray[np.uint8]] = _own.__dict__
    size = count * dtype.itemsize
    buffer = kept.get(name)
    if buffer is None or buffer.size < size:
        buffer = np.empty(size, np.uint8)
        if size <= _KEPT_BYTES:
            kept[name] = buffer
    return buffer[:size].view(dtype)


def _shared_pool() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(1, limit() - 1), thread_name_prefix="convolved")
        return _pool


def _forget_pool() -> None:
    # The threads of the parent do not exist in a forked child.
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


class _Blas:
    """Counts who needs BLAS on one thread, and restores it when the last has gone."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.controller: Any = None
        self.restore: Any = None

    def enter(self) -> None:
        with self.lock:
            self.users += 1
            if self.users > 1:
                return
            if self.controller is None:
                from threadpoolctl import ThreadpoolController

                self.controller = ThreadpoolController().select(user_api="blas")
            self.restore = self.controller.limit(limits=1)

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self.restore.restore_original_limits()


_blas = _Blas()


@contextlib.contextmanager
def blas_on_one_thread() -> Iterator[None]:
    """Keep BLAS to one thread inside."""
    _blas.enter()
    try:
        yield
    finally:
        _blas.leave()
