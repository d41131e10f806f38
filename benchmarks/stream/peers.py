"""Who convolves block by block in this process: our engine, and JUCE as pedalboard brings it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import convolved_engine as engine

from .cases import RATE, noise, response

__all__ = ["JUCE", "OURS", "absent", "contenders"]

OURS = "convolved, engine"
JUCE = "pedalboard (JUCE)"

Push = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def absent() -> dict[str, str]:
    """The peers that cannot take part, and why."""
    if importlib.util.find_spec("pedalboard") is None:
        return {JUCE: "pedalboard is not installed"}
    return {}


def contenders(seconds: float, block: int, channels: int) -> dict[str, Push]:
    """The pushes of all that can take part, each known to convolve.

    Raises:
        RuntimeError: one of them gives something else.
    """
    pushes = {OURS: _ours(seconds, block, channels)}
    if not absent():
        pushes[JUCE] = _juce(seconds, block, channels)
    for name, push in pushes.items():
        _check(name, push, seconds, block, channels)
    return pushes


def _ours(seconds: float, block: int, channels: int) -> Push:
    stream = engine.stream(response(seconds, channels), channels=channels, block=block)
    return stream.push


def _juce(seconds: float, block: int, channels: int) -> Push:
    import pedalboard

    plugin = pedalboard.Convolution(response(seconds, channels), 1.0, sample_rate=RATE)
    process = plugin.process

    def push(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = process(samples, RATE, block, False)
        return found

    return push


def _check(name: str, push: Push, seconds: float, block: int, channels: int) -> None:
    """Compare with a direct sum at a few places; JUCE scales the response, which is let pass."""
    taps = response(seconds, channels).astype(np.float64)
    length = taps.shape[1] + 4 * block
    # Blocks of silence before, in which a contender may fade its response in.
    quiet = np.zeros((channels, block), np.float32)
    for _ in range(max(32, RATE // (4 * block))):
        push(quiet)
    signal = noise(-(-length // block) * block, channels, seed=3)
    found = np.concatenate([push(cut) for cut in np.split(signal, signal.shape[1] // block, 1)], 1)
    places = np.arange(taps.shape[1], found.shape[1], 7)
    wanted = np.stack(
        [
            [np.dot(row[at - len(h) + 1 : at + 1][::-1], h) for at in places]
            for row, h in zip(signal.astype(np.float64), taps, strict=True)
        ]
    )
    got = found[:, places]
    gain = np.sum(got * wanted) / np.sum(wanted**2)
    error = float(np.abs(got / gain - wanted).max() / np.abs(wanted).max())
    if not error < 1e-3:
        raise RuntimeError(f"{name} is wrong by {error:.1e} of the peak")
