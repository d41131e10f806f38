"""How evenly the work is spread: the cost of each position of the schedule.

A long response is computed in partitions of several lengths, and the larger ones come round only
once in many blocks. The same positions are replayed; noise only ever adds to a time, so that the
least one of each position is what the work itself costs.
"""

from __future__ import annotations

import time

import numpy as np

import convolved_engine as engine
from benchmarks.results import Bar, Measurement

from .cases import Effort, noise, response
from .computing import case_of
from .peers import OURS

__all__ = ["GREATEST", "MEDIAN", "measure"]

MEDIAN, GREATEST = "median of the positions", "greatest of the positions"

_LIMIT = 3.0


def measure(effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Replay the schedules of mono streams."""
    measurements: list[Measurement] = []
    bars: list[Bar] = []
    for seconds in effort.seconds:
        for block in effort.blocks:
            case = case_of(seconds, block)
            least = _least(effort, seconds, block)
            median, greatest = float(np.median(least)), float(least.max())
            measurements += [
                Measurement(MEDIAN, case, OURS, "s", (median,)),
                Measurement(GREATEST, case, OURS, "s", (greatest,)),
            ]
            ratio = greatest / median
            what = "cost of a block, greatest / median of the positions"
            bars.append(Bar(what, case, ratio, ratio, ratio, "at most", _LIMIT))
    return measurements, bars


def _least(
    effort: Effort, seconds: float, block: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The least time of each position."""
    count = effort.samples // block
    samples = noise(block)
    push = engine.stream(response(seconds), block=block).push
    times = np.empty((effort.replays, count))
    # The first time round, the past is not all there yet.
    for _ in range(count):
        push(samples)
    for replay in times:
        for position in range(count):
            begun = time.perf_counter()
            push(samples)
            replay[position] = time.perf_counter() - begun
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = times.min(axis=0)
    return found
