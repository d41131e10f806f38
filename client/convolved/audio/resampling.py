"""Another sample rate for a whole recording, by soxr at its best quality."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from convolved_vocabulary.errors import InvalidArgument, MissingExtra

if TYPE_CHECKING:
    from convolved.audio.recording import Recording

__all__ = ["resample"]


def resample(
    recording: Recording, sample_rate_hertz: int, *, impulse_response: bool = False
) -> Recording:
    """Return the recording at another rate, round(n * new / old) samples long (soxr, VHQ).

    An impulse response stands for an integral over time: at a higher rate more samples are
    summed, so that its samples must shrink by old / new for the filter to keep its gain. Say
    `impulse_response=True` to have them so; a signal keeps its samples' height.

    Args:
        recording: samples (channels, n), real floats.
        sample_rate_hertz: the rate wanted; the recording itself is returned if it has it.
        impulse_response: keep the gain of the filter instead of the height of the wave.

    Raises:
        InvalidArgument: the recording carries no sample rate, or the rate is not positive.
        MissingExtra: soxr is not installed.

    >>> import numpy as np
    >>> from convolved.audio import Recording
    >>> second = Recording(np.zeros((2, 44_100), np.float32), 44_100)
    >>> resample(second, 48_000).samples.shape
    (2, 48000)
    """
    rate = recording.sample_rate_hertz
    if rate is None:
        raise InvalidArgument(
            "recording", "samples without a sample rate", "an audio file, which states its rate"
        )
    if sample_rate_hertz <= 0:
        raise InvalidArgument("sample_rate_hertz", sample_rate_hertz, "a rate above 0")
    if sample_rate_hertz == rate:
        return recording
    try:
        import soxr
    except ImportError as error:
        raise MissingExtra("resampling", "cli") from error
    x = np.ascontiguousarray(recording.samples.T)
    y = soxr.resample(x, rate, sample_rate_hertz, quality="VHQ").T
    if impulse_response:
        y = y * y.dtype.type(rate / sample_rate_hertz)
    return dataclasses.replace(
        recording, samples=np.ascontiguousarray(y), sample_rate_hertz=sample_rate_hertz
    )
