"""Compute alone: what a block costs, and so how many streams one core holds.

The law: what is timed at each turn is whole periods of the schedule, so that work that is spread
over blocks, or done once in many, is counted in full.
"""

from __future__ import annotations

import time
from functools import partial

from benchmarks.results import Bar, Measurement
from benchmarks.rounds import interleave, ratio_of_medians

from .cases import Effort, noise
from .peers import JUCE, OURS, Push, contenders

__all__ = ["COST", "case_of", "measure"]

COST = "time of a block"

_LIMITS = {64: 3.0, 128: 3.0, 512: 2.0, 1024: 2.0}


def measure(effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Push blocks of every length through every response."""
    measurements: list[Measurement] = []
    bars: list[Bar] = []
    for channels in effort.channels:
        for seconds in effort.seconds:
            for block in effort.blocks:
                case = case_of(seconds, block, channels)
                found = _one_case(effort, seconds, block, channels)
                measurements += [
                    Measurement(COST, case, name, "s", values) for name, values in found.items()
                ]
                if JUCE in found:
                    # Streams per core are as the inverse of the time of a block.
                    ratio = ratio_of_medians(found[JUCE], found[OURS])
                    limit = _LIMITS.get(block) if channels == 1 else None
                    what = f"streams per core, {OURS} / {JUCE}"
                    bars.append(Bar(what, case, *ratio, "at least", limit))
    return measurements, bars


def case_of(seconds: float, block: int, channels: int = 1) -> str:
    """How reports call a case."""
    return f"{'mono' if channels == 1 else 'stereo'}, {seconds:g} s, blocks of {block}"


def _one_case(
    effort: Effort, seconds: float, block: int, channels: int
) -> dict[str, tuple[float, ...]]:
    count = effort.samples // block
    samples = noise(block, channels)

    def visit(push: Push) -> float:
        # What the others have driven out of the caches comes back uncounted.
        for _ in range(count // 16):
            push(samples)
        begun = time.perf_counter()
        for _ in range(count):
            push(samples)
        return (time.perf_counter() - begun) / count

    pushes = contenders(seconds, block, channels)
    return interleave({name: partial(visit, push) for name, push in pushes.items()}, effort.rounds)
