"""The frozen cases of the streams: responses, blocks, how often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["FULL", "QUICK", "RATE", "WIRE_BLOCK", "WIRE_SECONDS", "Effort", "noise", "response"]

Signal = NDArray[np.float32]

RATE = 48_000
WIRE_BLOCK = 512
WIRE_SECONDS = 1.0


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        seconds: lengths of the impulse responses.
        blocks: samples that come at a time.
        channels: of a stream.
        samples: pushed at each turn: whole periods of every schedule.
        rounds: turns of each contender.
        replays: of the schedule, from which the least cost of each position is taken.
        swaps: how many filters are exchanged under way.
        counts: rounds of finding how many streams are held over the wire.
        watched: seconds for which they are watched.
        warm: seconds before that.
        most: streams that are tried at most.
        clients: processes that share the streams.
    """

    seconds: tuple[float, ...]
    blocks: tuple[int, ...]
    channels: tuple[int, ...]
    samples: int
    rounds: int
    replays: int
    swaps: int
    counts: int
    watched: float
    warm: float
    most: int
    clients: int


FULL = Effort(
    seconds=(1.0, 3.0),
    blocks=(64, 128, 512, 1024),
    channels=(1, 2),
    samples=1 << 17,
    rounds=15,
    replays=20,
    swaps=20,
    counts=2,
    watched=2.0,
    warm=0.4,
    most=512,
    clients=2,
)

QUICK = replace(
    FULL,
    seconds=(0.1,),
    blocks=(512,),
    samples=1 << 13,
    rounds=2,
    replays=2,
    swaps=2,
    counts=1,
    watched=0.3,
    warm=0.1,
    most=3,
)


@cache
def response(seconds: float, channels: int = 1, seed: int = 1) -> Signal:
    """An impulse response (channels, n) whose first tap is 1, by which noise keeps its level."""
    length = round(seconds * RATE)
    taps = noise(length, channels, seed) * np.exp(-6.9 * np.arange(length) / length)
    taps /= np.sqrt(np.sum(taps**2, axis=-1, keepdims=True))
    taps[:, 0] = 1.0
    scaled: Signal = taps.astype(np.float32)
    return scaled


def noise(samples: int, channels: int = 1, seed: int = 0) -> Signal:
    """White noise, (channels, samples) of float32."""
    return np.random.default_rng(seed).standard_normal((channels, samples), dtype=np.float32)
