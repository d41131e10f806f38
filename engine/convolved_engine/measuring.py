"""Timing the plausible ways to compute a problem, where rigor is "measure".

Each is tried with made-up data of the problem's shape; of a very large problem a part is tried and
the time scaled. One problem is measured at a time, so that measurements do not disturb each other,
and within bounds of time and memory: `SECONDS`, `MOST_BYTES`, and what FFTW may take for plans.
What was found is kept, and nobody waits for it who asks for it again.

Who serves many callers bounds each: inside `bounded`, a problem that may not be measured now is
left to the estimate until it is asked for again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from statistics import median

from .machine import Machine
from .problem import Problem
from .registry import Algorithm, Cost
from .timing import Trial

__all__ = ["MOST_BYTES", "SECONDS", "Bound", "NotNow", "bounded", "timed"]

SECONDS = 0.5
"""For which the ways of one problem may be run, besides preparing each of them once."""

MOST_BYTES = 256 << 20
"""What the data and the workspaces of the ways that are tried may take together."""

# Ways that are predicted to take so many times the best one's time are not tried.
_PLAUSIBLE = 3.0
_MOST_WAYS = 6
_LONGEST_RUN = 0.05
_FEWEST_ROUNDS = 3
_MOST_ROUNDS = 15
_KEPT = 1024

Ways = Sequence[tuple[Algorithm, Cost]]


class NotNow(Exception):
    """The problem may not be measured now."""


class Bound:
    """How much may be measured for one caller.

    Args:
        seconds: after which nothing more is begun.
        nbytes: what the ways that are tried may take together.
        cancelled: asked before each problem; once it returns True nothing more is begun.

    Attributes:
        nbytes: as given.
        complete: whether nothing was left to the estimate for the bounds' sake.
    """

    def __init__(
        self, seconds: float, nbytes: int, cancelled: Callable[[], bool] | None = None
    ) -> None:
        self._end = time.monotonic() + seconds
        self._cancelled = cancelled
        self.nbytes = nbytes
        self.complete = True

    @property
    def reached(self) -> bool:
        """Whether nothing more is to be begun."""
        cancelled = self._cancelled is not None and self._cancelled()
        return cancelled or time.monotonic() >= self._end


_own = threading.local()
_lock = threading.Lock()
_known: OrderedDict[Hashable, Ways] = OrderedDict()


@contextlib.contextmanager
def bounded(
    seconds: float, nbytes: int = MOST_BYTES, cancelled: Callable[[], bool] | None = None
) -> Iterator[Bound]:
    """Let the calling thread measure within these bounds, inside, and wait for no other's.

    Args:
        seconds: after which no further problem is measured; the last one begun is finished. With 0
            nothing is measured.
        nbytes: what data and workspaces may take at a time.
        cancelled: once it returns True no further problem is measured.
    """
    before = _bound()
    _own.bound = Bound(seconds, nbytes, cancelled)
    try:
        yield _own.bound
    finally:
        _own.bound = before


def _bound() -> Bound | None:
    return getattr(_own, "bound", None)


def timed(problem: Problem, ways: Ways, machine: Machine) -> Ways:
    """The plausible ones of `ways` with their measured times; none where none could be run.

    Equal arguments are measured once; who asks meanwhile waits.

    Raises:
        NotNow: the bounds of the calling thread are reached, or it would have to wait.
    """
    plausible = _plausible(ways)
    key = (problem, machine.threads, tuple((each.name, str(cost)) for each, cost in plausible))
    found = _known.get(key)
    if found is not None:
        return found
    bound = _bound()
    if bound is not None and (bound.reached or not _lock.acquire(blocking=False)):
        bound.complete = False
        raise NotNow
    if bound is None:
        _lock.acquire()
    try:
        found = _known.get(key)
        if found is None:
            most = MOST_BYTES if bound is None else min(MOST_BYTES, bound.nbytes)
            found = _known[key] = _measure(problem, plausible, machine.threads, most)
            while len(_known) > _KEPT:
                _known.popitem(last=False)
        return found
    finally:
        _lock.release()


def _plausible(ways: Ways) -> Ways:
    least = min(cost.seconds for _, cost in ways)
    near = [(each, cost) for each, cost in ways if cost.seconds <= _PLAUSIBLE * least]
    near.sort(key=lambda way: way[1].seconds)
    near = near[:_MOST_WAYS]
    planned = [
        (each, dataclasses.replace(cost, parameters={**cost.parameters, "planning": "measure"}))
        for each, cost in near
        if cost.can_measure
    ]
    return [*near, *planned[:1]]


def _measure(problem: Problem, ways: Ways, threads: int, most: int) -> Ways:
    part = _part(problem, min(cost.seconds for _, cost in ways), most)
    ways = _held(part, ways, most)
    if not ways:
        return ()
    scale = problem.outputs / part.outputs
    end = time.monotonic() + SECONDS
    trials: list[Trial] = []
    times: list[list[float]] = []
    for each, cost in ways:
        if len(trials) > 1 and time.monotonic() >= end:
            break
        trials.append(Trial(part, each, cost.parameters, trials[0] if trials else None))
        times.append([trials[-1].seconds(threads)])
    best = min(found[0] for found in times)
    racing = [number for number, found in enumerate(times) if found[0] <= _PLAUSIBLE * best]
    end = time.monotonic() + SECONDS
    for done in range(_MOST_ROUNDS):
        if done >= _FEWEST_ROUNDS and time.monotonic() >= end:
            break
        for number in racing:
            times[number].append(trials[number].seconds(threads))
    return tuple(
        (each, dataclasses.replace(cost, seconds=scale * median(found), measured=True))
        for (each, cost), found in zip(ways, times, strict=False)
    )


def _held(part: Problem, ways: Ways, most: int) -> Ways:
    """As many of the ways, the fastest by prediction first, as there is memory for at once."""
    left = most - _bytes(part)
    found = []
    for each, cost in ways:
        left -= cost.workspace_bytes
        if left < 0:
            break
        found.append((each, cost))
    return found


def _part(problem: Problem, seconds: float, most: int) -> Problem:
    """The problem, or as much of it as should run in a few hundredths of a second."""
    batch, size = problem.batch, list(problem.size)
    too_long = max(seconds / _LONGEST_RUN, 2 * _bytes(problem) / most)
    if too_long <= 1:
        return problem
    fewer = max(1, math.ceil(batch / too_long))
    too_long /= batch / fewer
    if too_long > 1:
        # Time is the last axis; what is left of it must still hold several windows.
        least = 4 * problem.extent[-1] + problem.stride[-1]
        size[-1] = min(size[-1], max(least, math.ceil(size[-1] / too_long)))
    return problem.with_input((fewer, problem.in_channels, *size))


def _bytes(problem: Problem) -> int:
    return problem.input_bytes + problem.output_bytes + 4 * problem.weight_bytes
