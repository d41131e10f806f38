"""The frozen cases of the wire: what is sent, through which filter, how often.

Every process makes the same signals from the same seeds, so that nothing but its calls travels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BLOCK",
    "FIR_TAPS",
    "FULL",
    "HALL_TAPS",
    "QUICK",
    "SAMPLE_RATE",
    "STALLED_BLOCK_BYTES",
    "Effort",
    "Signal",
    "fir",
    "hall",
    "noise",
]

Signal = NDArray[np.float32]

SAMPLE_RATE = 48_000
HALL_TAPS = SAMPLE_RATE
FIR_TAPS = 63
BLOCK = 512
"""Samples of a streamed block."""
STALLED_BLOCK_BYTES = 256 << 10


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        seconds: lengths of the signals applied, in seconds of sound.
        visit: seconds for which a contender is called at each of its turns.
        rounds: turns of each contender, for `apply` and `blocks`, as far as time allows.
        tuning: rounds from which a peer's fastest manner is chosen, as far as time allows.
        least_rounds: turns that each contender has in any case.
        tuning_seconds: after which manners are no more compared.
        case_seconds: after which no more rounds of one case of `apply` or `blocks` begin.
        large_seconds: the same for the large signal.
        streams: how many streams are pushed side by side.
        blocks: pushed at each turn, by all streams together.
        large_bytes: of the large signal.
        large_rounds: turns of each contender with it.
        stalled_bytes: sent into each stream that nobody reads, if it takes them.
        stalled_streams: how many such streams side by side.
        transports: by which clients and servers are joined.
    """

    seconds: tuple[float, ...]
    visit: float
    rounds: int
    tuning: int
    least_rounds: int
    tuning_seconds: float
    case_seconds: float
    large_seconds: float
    streams: tuple[int, ...]
    blocks: int
    large_bytes: int
    large_rounds: int
    stalled_bytes: int
    stalled_streams: tuple[int, ...]
    transports: tuple[str, ...]


FULL = Effort(
    seconds=(0.1, 1.0, 10.0, 100.0),
    visit=0.1,
    rounds=25,
    tuning=7,
    least_rounds=5,
    tuning_seconds=10.0,
    case_seconds=30.0,
    large_seconds=80.0,
    streams=(1, 8),
    blocks=2000,
    large_bytes=1 << 30,
    large_rounds=5,
    stalled_bytes=256 << 20,
    stalled_streams=(1, 8),
    transports=("unix", "tcp"),
)

QUICK = replace(
    FULL,
    seconds=(0.1,),
    visit=0.0,
    rounds=2,
    tuning=1,
    least_rounds=2,
    tuning_seconds=0.0,
    streams=(1, 2),
    blocks=64,
    large_bytes=8 << 20,
    large_rounds=1,
    stalled_bytes=32 << 20,
    stalled_streams=(2,),
    transports=("unix",),
)


@cache
def hall() -> Signal:
    """An impulse response of one second, by which noise keeps its level."""
    decay = np.exp(-6.9 * np.arange(HALL_TAPS) / HALL_TAPS)
    taps = noise(HALL_TAPS, seed=1) * decay
    level: Signal = (taps / np.sqrt(np.sum(taps**2))).astype(np.float32)
    return level


@cache
def fir() -> Signal:
    """A short low-pass filter."""
    taps = np.hanning(FIR_TAPS + 2)[1:-1]
    scaled: Signal = (taps / taps.sum()).astype(np.float32)
    return scaled


def noise(samples: int, seed: int = 0) -> Signal:
    """White noise, (samples,) of float32."""
    return np.random.default_rng(seed).standard_normal(samples, dtype=np.float32)
