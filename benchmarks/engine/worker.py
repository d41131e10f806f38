"""One library in a process of its own: `python -m benchmarks.engine.worker LIBRARY THREADS`.

So none gains or suffers by what another one has done to the allocator or to the threads.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.asking import say_ready, serve
from benchmarks.rounds import repeat_for

from .cases import SGEMM_SIZE, Case, by_name
from .libraries import Library, Solution, Unable, load
from .reference import reference

__all__ = ["Worker"]

_LONG_SECONDS = 0.05
_MOST_CALLS = 1000


class Worker:
    """Does what it is told with one library.

    Args:
        library: imported.
        threads: how many it may use.
    """

    def __init__(self, library: Library, threads: int) -> None:
        self._library, self._threads = library, threads
        self._case: Case | None = None
        self._solutions: dict[str, Solution] = {}
        self._wanted: NDArray[Any] = np.empty(0)
        self._expected: dict[str, float] = {}

    def reference(self, case: str, path: str) -> None:
        """Write what a case has to give."""
        np.save(path, reference(by_name[case]))

    def prepare(self, case: str, path: str) -> dict[str, dict[str, Any]]:
        """Make all solutions of a case; by contender their names, or the reason for none."""
        self._case = by_name[case]
        self._wanted = np.load(path, mmap_mode="r")
        self._solutions = {}
        told: dict[str, dict[str, Any]] = {}
        for name, make in self._library.contenders(self._threads).items():
            try:
                found = make(self._case)
            except Unable as reason:
                told[name] = {"reason": str(reason)}
            else:
                made = {f"{name}|{manner}": solution for manner, solution in found.items()}
                self._solutions.update(made)
                told[name] = {"solutions": list(made)}
        return told

    def check(self, solution: str) -> list[float]:
        """The seconds of a first call, and its greatest error relative to the greatest output."""
        begun = time.perf_counter()
        found = self._solutions[solution]()
        seconds = time.perf_counter() - begun
        array = self._library.array(found)
        assert self._case is not None
        if array.dtype != self._case.dtype:
            raise TypeError(f"{solution} gave {array.dtype} for {self._case.dtype}")
        wanted = self._wanted
        error = float(np.abs(array.reshape(wanted.shape) - wanted).max() / np.abs(wanted).max())
        self._expected[solution] = seconds
        return [seconds, error]

    def visit(self, solution: str, seconds: float) -> float:
        """The median time of calls for about so many seconds."""
        call = self._solutions[solution]
        if self._expected[solution] < _LONG_SECONDS:
            found = statistics.median(repeat_for(seconds, call, _MOST_CALLS))
        else:
            # Too long for what others left in the caches to matter.
            begun = time.perf_counter()
            call()
            found = time.perf_counter() - begun
        self._expected[solution] = found
        return found

    def direct(self, case: str, seconds: float) -> float:
        """Seconds of one multiply-add of ours in direct convolution, its output used again."""
        from .libraries.convolved_here import into

        told = by_name[case]
        return statistics.median(repeat_for(seconds, into(told, "direct"))) / told.multiply_adds

    def sgemm(self, seconds: float) -> float:
        """Seconds of one multiply-add in a product of large float32 matrices."""
        from threadpoolctl import threadpool_limits

        random = np.random.default_rng(0)
        a, b = random.random((2, SGEMM_SIZE, SGEMM_SIZE), np.float32)
        with threadpool_limits(self._threads, user_api="blas"):
            return statistics.median(repeat_for(seconds, lambda: a @ b)) / SGEMM_SIZE**3


def _main(library: str, threads: int) -> None:
    try:
        worker = Worker(load(library), threads)
    except ImportError as error:
        say_ready(absent=f"{error.name or error} is not installed")
        return
    say_ready()
    serve(worker)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
