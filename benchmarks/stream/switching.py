"""What an exchange of filters costs at the moment when it happens.

The new filter is prepared beforehand, as a program would in another thread; then it is handed over
between two blocks, which counts as part of the next push, and fades in. Everything recurs at the
same positions of the schedule, and the least time of each is what the work itself costs.
"""

from __future__ import annotations

import time

import numpy as np

import convolved_engine as engine
from benchmarks.results import Bar, Measurement

from .cases import RATE, Effort, noise, response
from .computing import case_of
from .peers import OURS

__all__ = ["ACROSS", "FADE", "USUAL", "measure"]

USUAL, ACROSS = "median push", "greatest push across an exchange"
FADE = 480
"""Samples, 10 ms at 48 kHz."""


def measure(effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Exchange two filters to and fro in mono streams."""
    measurements: list[Measurement] = []
    bars: list[Bar] = []
    for seconds in effort.seconds:
        for block in effort.blocks:
            case = case_of(seconds, block)
            usual, across = _pushes(effort, seconds, block)
            measurements += [
                Measurement(USUAL, case, OURS, "s", (usual,)),
                Measurement(ACROSS, case, OURS, "s", (across,)),
            ]
            what = "greatest push across an exchange of filters"
            share, ratio = across * RATE / block, across / usual
            bars += [
                Bar(f"{what} / duration of a block", case, share, share, share, "at most", 1.0),
                Bar(f"{what} / median push", case, ratio, ratio, ratio, "at most"),
            ]
    return measurements, bars


def _pushes(effort: Effort, seconds: float, block: int) -> tuple[float, float]:
    """The usual time of a push, and the greatest one from an exchange to the end of its fade."""
    count = effort.samples // block
    across = 2 + -(-FADE // block)
    samples = noise(block)
    stream = engine.stream(response(seconds), block=block)
    for _ in range(count):
        stream.push(samples)
    times = np.empty((effort.swaps, count))
    for turn, replay in enumerate(times):
        ready = stream.prepare(response(seconds, seed=turn % 2 + 2))
        begun = time.perf_counter()
        stream.swap(ready, fade=FADE)
        for position in range(count):
            stream.push(samples)
            ended = time.perf_counter()
            replay[position] = ended - begun
            begun = ended
    least = times.min(axis=0)
    return float(np.median(least[across:])), float(least[:across].max())
