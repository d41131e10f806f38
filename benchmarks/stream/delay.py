"""Added delay: when a click comes back, counted in samples."""

from __future__ import annotations

import numpy as np

import convolved_engine as engine
from benchmarks.results import Bar, Measurement
from convolved_vocabulary import Conv, Filter, as_filter

from .cases import Effort, response
from .computing import case_of
from .peers import OURS

__all__ = ["DELAY", "measure"]

DELAY = "added delay"


def measure(effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Send clicks through impulse responses, and through the same as causal layers."""
    measurements: list[Measurement] = []
    bars: list[Bar] = []
    for seconds in effort.seconds:
        taps = response(seconds)
        filters = {
            "full": as_filter(taps[0]),
            "causal": Filter(Conv(taps[None], padding="causal", flip=True)),
        }
        for padding, filter in filters.items():
            for block in effort.blocks:
                delays = tuple(float(found) for found in _delays(filter, block))
                case = f"{padding}, {case_of(seconds, block)}"
                measurements.append(Measurement(DELAY, case, OURS, "samples", delays))
                most = max(delays)
                bars.append(Bar(DELAY, case, most, most, most, "at most", 0.0, "samples"))
    return measurements, bars


def _delays(filter: Filter, block: int) -> list[int]:
    """How many samples after a click its response begins, wherever in a block it stands.

    What its push does not bring back comes with a later one, and counts from there.
    """
    found = []
    for place in (0, 1, block // 2, block - 1):
        stream = engine.stream(filter, block=block)
        stream.push(np.zeros((1, 3 * block), np.float32))
        click = np.zeros((1, block), np.float32)
        click[0, place] = 1.0
        late = 0
        while True:
            given = stream.push(click)[0]
            heard = np.flatnonzero(np.abs(given) > 0.5)
            if heard.size:
                found.append(late * block + int(heard[0]) - place)
                break
            click[:] = 0.0
            late += 1
    return found
