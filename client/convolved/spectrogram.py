"""Power over time and pitch, and outlines of waveforms, at the size of a picture.

Memory is bounded by the picture and not by the signal, which is looked at some columns at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grid", "outline", "power"]

ROWS = 572
LONGEST_WINDOW = 2048
WINDOWS_PER_COLUMN = 8
CHUNK_SAMPLES = 1 << 20


@dataclass(frozen=True)
class Grid:
    """Columns of time and rows of pitch over a signal.

    Rows follow hearing, linear in frequency below `corner_hertz` and logarithmic above: the
    ERB-rate scale (Glasberg and Moore, "Derivation of auditory filter shapes from notched-noise
    data", Hearing Research 47, 1990).

    Attributes:
        hop: samples to a column.
        window: samples to a Fourier transform.
        sample_rate_hertz: of the signal.
    """

    hop: int
    window: int
    sample_rate_hertz: float

    @classmethod
    def of(cls, frames: int, sample_rate_hertz: float, columns: int) -> Grid:
        """Return the grid that spreads `frames` samples over at most so many columns.

        >>> Grid.of(480_000, 48_000, 1420)
        Grid(hop=339, window=2048, sample_rate_hertz=48000)
        """
        short = 2 ** max(int(math.log2(frames)) - 4, 4)
        return cls(-(-frames // columns), min(LONGEST_WINDOW, short), sample_rate_hertz)

    @property
    def nyquist_hertz(self) -> float:
        """The greatest frequency."""
        return self.sample_rate_hertz / 2

    @property
    def corner_hertz(self) -> float:
        """Where the axis turns from linear to logarithmic."""
        return min(1000 / 4.37, self.nyquist_hertz / 100)

    def height(self, hertz: Any) -> Any:
        """Return where a frequency lies between the foot, 0, and the top of the picture, 1."""
        corner = self.corner_hertz
        return np.log1p(np.asarray(hertz) / corner) / math.log1p(self.nyquist_hertz / corner)

    def ticks(self) -> list[float]:
        """Return round frequencies that stand well apart.

        >>> Grid.of(480_000, 48_000, 1420).ticks()
        [100.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 20000.0]
        """
        chosen: list[float] = []
        for power_of_ten in range(-4, 7):
            for digit in (1, 2, 5):
                hertz = float(f"{digit}e{power_of_ten}")
                below = self.height(chosen[-1]) if chosen else 0.0
                if hertz <= self.nyquist_hertz and self.height(hertz) - below > 0.06:
                    chosen.append(hertz)
        return chosen

    def pitches(self) -> NDArray[Any]:
        """Return the matrix (ROWS, bins) that averages Fourier bins to rows of pitch."""
        bins = np.fft.rfftfreq(self.window, 1 / self.sample_rate_hertz)
        height = (np.arange(ROWS) + 0.5) / ROWS
        center = self.corner_hertz * np.expm1(
            height * math.log1p(self.nyquist_hertz / self.corner_hertz)
        )
        # A row narrower than a bin draws on its two neighbors, else low pitches come as stairs.
        width = np.maximum(np.gradient(center), bins[1])
        weight = np.maximum(1 - np.abs(bins - center[:, np.newaxis]) / width[:, np.newaxis], 0)
        return np.asarray(weight / weight.sum(axis=1, keepdims=True), np.float32)


def power(x: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Return the power (ROWS, columns) of a real signal (channels, n), mean over its channels.

    A sine of amplitude 1 comes to about 1 at low pitches; where a row spans several Fourier bins
    it comes to less, for a row is their mean. The Hann windows of a column leave nothing out until
    a signal has more than 16,384 samples to a column.

    >>> grid = Grid.of(48_000, 48_000, 100)
    >>> sine = np.sin(2 * np.pi * 375 * np.arange(48_000) / 48_000)
    >>> bool(0.9 < power(sine[np.newaxis], grid)[:, 50].max() < 1)
    True
    """
    channels, frames = x.shape
    columns = -(-frames // grid.hop)
    window = np.hanning(grid.window + 1)[:-1].astype(np.float32)
    scale = np.float32(4 / window.sum(dtype=np.float64) ** 2)
    each = min(WINDOWS_PER_COLUMN, -(-grid.hop // grid.window))
    # Middles of the windows, evenly spread over each column.
    middle = (np.arange(columns * each) + 0.5) * grid.hop / each
    start = middle.astype(np.int64) - grid.window // 2
    step = max(1, CHUNK_SAMPLES // grid.window // each) * each
    rows = grid.pitches()
    out: NDArray[Any] = np.zeros((ROWS, columns), np.float32)
    for channel in range(channels):
        for at in range(0, len(start), step):
            chunk = _windows(x[channel], start[at : at + step], grid.window) * window
            bins = np.abs(np.fft.rfft(chunk)) ** 2 * scale
            mean = bins.reshape(-1, each, bins.shape[1]).mean(axis=1)
            out[:, at // each : at // each + len(mean)] += rows @ mean.astype(np.float32).T
    out /= channels
    return out


def outline(x: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Return the least and the greatest sample (2, columns) of a real signal (channels, n)."""
    starts = np.arange(0, x.shape[1], grid.hop)
    # Unlike minimum and maximum, these two pass over NaN.
    low = np.fmin.reduceat(x, starts, axis=1).min(axis=0)
    high = np.fmax.reduceat(x, starts, axis=1).max(axis=0)
    return _finite(np.stack([low, high]).astype(np.float64))


def _windows(x: NDArray[Any], start: NDArray[Any], length: int) -> NDArray[Any]:
    """Return (len(start), length) samples, silence before the beginning and after the end."""
    out = np.zeros((len(start), length), np.float32)
    for row, begin in zip(out, start.tolist(), strict=True):
        first, last = max(begin, 0), min(begin + length, len(x))
        if first < last:
            row[first - begin : last - begin] = x[first:last]
    return _finite(out)


def _finite(x: NDArray[Any]) -> NDArray[Any]:
    x[~np.isfinite(x)] = 0
    return x
