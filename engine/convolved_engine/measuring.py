"""Timing the plausible ways to compute a problem, where rigor is "measure".

Each is tried with made-up data of the problem's shape; of a very large problem a part is tried and
the time scaled. One problem is measured at a time, so that measurements do not disturb each other,
and within a bounded time: `SECONDS`, and what FFTW may take for plans. What was found is kept.
"""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from statistics import median

from .machine import Machine
from .problem import Problem
from .registry import Algorithm, Cost
from .timing import Trial

__all__ = ["SECONDS", "timed"]

SECONDS = 0.5
"""For which the ways of one problem may be run, besides preparing each of them once."""

# Ways that are predicted to take so many times the best one's time are not tried.
_PLAUSIBLE = 3.0
_MOST_WAYS = 6
_MOST_BYTES = 256 << 20
_LONGEST_RUN = 0.05
_FEWEST_ROUNDS = 3
_MOST_ROUNDS = 15
_KEPT = 1024

Ways = Sequence[tuple[Algorithm, Cost]]

_lock = threading.Lock()
_known: OrderedDict[Hashable, Ways] = OrderedDict()


def timed(problem: Problem, ways: Ways, machine: Machine) -> Ways:
    """The plausible ones of `ways` with their measured times; none where none could be run.

    Equal arguments are measured once; who asks meanwhile waits.
    """
    plausible = _plausible(ways)
    key = (problem, machine.threads, tuple((each.name, str(cost)) for each, cost in plausible))
    with _lock:
        found = _known.get(key)
        if found is None:
            found = _known[key] = _measure(problem, plausible, machine.threads)
            while len(_known) > _KEPT:
                _known.popitem(last=False)
        return found


def _plausible(ways: Ways) -> Ways:
    least = min(cost.seconds for _, cost in ways)
    near = [(each, cost) for each, cost in ways if cost.seconds <= _PLAUSIBLE * least]
    near.sort(key=lambda way: way[1].seconds)
    near = near[:_MOST_WAYS]
    planned = [
        (each, dataclasses.replace(cost, parameters={**cost.parameters, "planning": "measure"}))
        for each, cost in near
        if each.can_measure
    ]
    return [*near, *planned[:1]]


def _measure(problem: Problem, ways: Ways, threads: int) -> Ways:
    part = _part(problem, min(cost.seconds for _, cost in ways))
    if _bytes(part) > _MOST_BYTES:
        return ()
    scale = problem.outputs / part.outputs
    trials = [Trial(part, each, cost.parameters) for each, cost in ways]
    times: list[list[float]] = [[trial.seconds(threads)] for trial in trials]
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
        for (each, cost), found in zip(ways, times, strict=True)
    )


def _part(problem: Problem, seconds: float) -> Problem:
    """The problem, or as much of it as should run in a few hundredths of a second."""
    batch, size = problem.batch, list(problem.size)
    too_long = max(seconds / _LONGEST_RUN, 2 * _bytes(problem) / _MOST_BYTES)
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
