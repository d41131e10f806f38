"""Peaks and full scale: samples that a file cannot hold are refused or scaled, never clipped.

Full scale is 1. Float files hold any sample; all other sample formats hold at most full scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary.errors import InvalidArgument

__all__ = ["UNBOUNDED", "Fit", "decibels", "fit", "fit_peak", "peak"]

UNBOUNDED = frozenset({"FLOAT", "DOUBLE", None})


def decibels(amplitude: float) -> float:
    """Return an amplitude in decibels relative to full scale (dBFS).

    >>> decibels(0.5)
    -6.020599913279624
    >>> decibels(0.0)
    -inf
    """
    if math.isnan(amplitude):
        return math.nan
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


@dataclass(frozen=True)
class Fit:
    """How a signal fits its file.

    Attributes:
        peak_dbfs: the greatest sample before anything was done, in dB relative to full scale.
        gain_decibels: what was applied to every sample to make it fit; 0 if nothing.

    >>> print(Fit(3.25, -4.25))
    peak +3.2 dBFS, scaled by -4.2 dB to -1.0 dBFS
    """

    peak_dbfs: float
    gain_decibels: float = 0.0

    @property
    def factor(self) -> float:
        """The gain as a factor."""
        return float(10 ** (self.gain_decibels / 20))

    def __str__(self) -> str:
        said = f"peak {self.peak_dbfs:+.1f} dBFS"
        if self.gain_decibels:
            to = self.peak_dbfs + self.gain_decibels
            said += f", scaled by {self.gain_decibels:+.1f} dB to {to:+.1f} dBFS"
        return said


def peak(x: NDArray[Any]) -> float:
    """Return the greatest magnitude, 0 for no samples, NaN if there is one."""
    if x.size == 0:
        return 0.0
    if np.iscomplexobj(x):
        return float(np.abs(x).max())
    return max(float(x.max()), -float(x.min()))


def fit(
    peak: float,
    subtype: str | None,
    *,
    normalize: bool = False,
    target_dbfs: float = -1.0,
    argument: str = "samples",
) -> Fit:
    """Return what must be done to samples of this peak before they are written as `subtype`.

    Raises:
        InvalidArgument: they would clip and may not be scaled, or cannot be scaled.
    """
    level = decibels(peak)
    whole = subtype in UNBOUNDED
    if not math.isfinite(peak):
        if normalize or not whole:
            raise InvalidArgument(
                argument,
                f"samples that are NaN or infinite, to be {'normalized' if normalize else subtype}",
                "finite samples, or float32 as it is (a .wav file without --subtype)",
            )
        return Fit(level)
    if normalize:
        return Fit(level, target_dbfs - level if peak > 0 else 0.0)
    if peak > 1 and not whole:
        # Rounded up, so that the gain that is named is one that suffices.
        gain = math.ceil((level - target_dbfs) * 10) / 10
        raise InvalidArgument(
            argument,
            f"a peak of {level:+.2f} dBFS, which would clip as {subtype}",
            f"0 dBFS at most: lower --gain by {gain:.1f} dB, or let --normalize do it, "
            "or write float32 (a .wav file without --subtype)",
        )
    return Fit(level)


def fit_peak(
    samples: NDArray[Any],
    subtype: str | None,
    *,
    normalize: bool = False,
    target_dbfs: float = -1.0,
) -> tuple[NDArray[Any], Fit]:
    """Return samples that a file of this sample format holds without clipping, and what was done.

    Args:
        samples: of any shape.
        subtype: libsndfile's name of the sample format, such as "PCM_16"; None holds anything.
        normalize: scale all samples so that the peak comes to `target_dbfs`; silence stays.
        target_dbfs: where a normalized peak comes to; -1 leaves room for what the wave does
            between its samples (EBU R 128).

    Raises:
        InvalidArgument: the samples would clip and `normalize` is false; the message states the
            peak and what would do.

    >>> x, done = fit_peak(np.array([[0.5, -2.0]]), "PCM_16", normalize=True)
    >>> print(done)
    peak +6.0 dBFS, scaled by -7.0 dB to -1.0 dBFS
    >>> x.round(3)
    array([[ 0.223, -0.891]])
    """
    done = fit(peak(samples), subtype, normalize=normalize, target_dbfs=target_dbfs)
    if done.gain_decibels:
        samples = samples * done.factor
    return samples, done
