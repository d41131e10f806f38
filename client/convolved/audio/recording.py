"""What a file holds: `Header` without its samples, `Recording` with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Header", "Recording"]


@dataclass(frozen=True)
class Header:
    """What a file says about its samples.

    Attributes:
        path: the file.
        shape: the shape of the samples, time last: (channels, n), or (out, in, n) from .npy.
        dtype: of the samples as they are read.
        sample_rate_hertz: None from .npy, which carries no rate.
        subtype: libsndfile's name of the sample format, such as "PCM_16"; None from .npy.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    sample_rate_hertz: int | None = None
    subtype: str | None = None

    @property
    def channels(self) -> int:
        """Rows of samples; out times in for (out, in, n)."""
        return math.prod(self.shape[:-1])

    @property
    def frames(self) -> int:
        """Samples of each channel."""
        return self.shape[-1]

    @property
    def seconds(self) -> float | None:
        """Length in seconds, None without a sample rate."""
        return self.frames / self.sample_rate_hertz if self.sample_rate_hertz else None


@dataclass(frozen=True, eq=False)
class Recording:
    """Samples and what their file says about them.

    Attributes:
        samples: (channels, n), or (out, in, n) from .npy. Audio files give float32, or float64
            where float32 would lose bits; full scale is 1. Arrays come as they are.
        sample_rate_hertz: None from .npy, which carries no rate.
        subtype: libsndfile's name of the sample format, such as "PCM_16"; None from .npy.
        path: the file.

    >>> Recording(np.zeros((2, 96_000)), 48_000).seconds
    2.0
    """

    samples: NDArray[Any]
    sample_rate_hertz: int | None = None
    subtype: str | None = None
    path: Path | None = None

    @property
    def channels(self) -> int:
        """Rows of samples; out times in for (out, in, n)."""
        return math.prod(self.samples.shape[:-1])

    @property
    def frames(self) -> int:
        """Samples of each channel."""
        return int(self.samples.shape[-1])

    @property
    def seconds(self) -> float | None:
        """Length in seconds, None without a sample rate."""
        return self.frames / self.sample_rate_hertz if self.sample_rate_hertz else None
