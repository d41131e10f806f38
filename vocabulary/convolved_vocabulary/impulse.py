"""Impulse responses as filters: what a signal engineer means by an array of taps."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from .checks import truth
from .dtypes import as_array
from .errors import InvalidArgument
from .filters import Filter
from .layers import Conv, Layer
from .words import shown

__all__ = ["as_filter", "impulse_response", "looks_transposed"]

_FEW, _MANY = 8, 64


def looks_transposed(channels: int, samples: int) -> bool:
    """Whether audio of so many channels and so few samples has rather its axes exchanged."""
    return samples <= _FEW and channels >= max(_MANY, _FEW * samples)


def impulse_response(
    taps: ArrayLike, *, spread: bool = False, sample_rate_hertz: float | None = None
) -> Filter:
    """Make the filter that convolves with an impulse response and keeps its whole tail.

    The output of n samples and k taps has n + k - 1 samples and no delay.

    Args:
        taps: (n): applied to every channel of whatever comes. (c, n): channel i through
            response i; with `spread`, mono to c outputs. (out, in, n): the matrix of responses
            from each input to each output; true stereo is (2, 2, n).
        spread: for (c, n): from one channel to c instead of from c to c.
        sample_rate_hertz: the rate of the taps, if signals of another shall be refused.

    Returns:
        a filter with one `Conv` layer (flip=True, padding="full").

    Raises:
        InvalidArgument: if `taps` has no samples or more than three axes.

    >>> import numpy as np
    >>> impulse_response(np.ones(100)).output_shape((2, 1000))
    (2, 1099)
    >>> impulse_response(np.ones((2, 100)), spread=True).output_shape((1, 1000))
    (2, 1099)
    """
    array = as_array("taps", taps)
    if not array.size or not 1 <= array.ndim <= 3:
        raise InvalidArgument(
            "taps", f"shape {array.shape}", "(n), (channels, n) or (out, in, n), nothing empty"
        )
    if array.ndim > 1 and looks_transposed(array.shape[0], array.shape[-1]):
        raise InvalidArgument(
            "taps",
            f"shape {array.shape}, whose channels look last",
            "time as the last axis: give numpy.moveaxis(taps, 0, -1)",
        )
    if truth("spread", spread) and array.ndim != 2:
        raise InvalidArgument(
            "spread", f"True with taps of shape {array.shape}", "taps of shape (channels, n)"
        )
    groups = 1
    if array.ndim == 1:
        weight = array[None, None, :]
    elif array.ndim == 2:
        weight = array[:, None, :]
        groups = 1 if spread else array.shape[0]
    else:
        weight = array
    layer = Conv(weight, padding="full", groups=groups, flip=True)
    return Filter(layer, per_channel=array.ndim == 1, sample_rate_hertz=sample_rate_hertz)


def as_filter(value: Filter | Layer | ArrayLike) -> Filter:
    """Return a filter as it is, a layer as a filter, and an array as its impulse response.

    Args:
        value: one of these.

    Raises:
        InvalidArgument: if it is none of them.

    >>> as_filter([1.0, 0.5]) == impulse_response([1.0, 0.5])
    True
    """
    if isinstance(value, Filter):
        return value
    if isinstance(value, Layer):
        return Filter(value)
    layers = isinstance(value, Sequence) and isinstance(next(iter(value), None), Layer)
    if value is None or isinstance(value, str) or layers:
        raise InvalidArgument(
            "filter",
            "a sequence of layers" if layers else shown(value),
            "Filter(layers) of them" if layers else "a Filter, a layer, or an impulse response",
        )
    try:
        return impulse_response(value)
    except InvalidArgument as error:
        raise type(error)("filter", error.came, error.wanted) from None
