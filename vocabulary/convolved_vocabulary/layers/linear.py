"""What the layers with kernels share: their tensors, checks, and the dtype rule."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary.checks import integer, parameter_array
from convolved_vocabulary.dtypes import SignalType
from convolved_vocabulary.errors import InvalidArgument

from .base import present

__all__ = [
    "Kernels",
    "channel_vector",
    "group_count",
    "largest_sum",
    "linear_type",
    "weight_array",
]


class Kernels:
    """What a layer is that has a kernel for each pair of channels, and perhaps a bias.

    Attributes:
        weight: two axes of channels, then those of the kernel.
        bias: one number for each output channel, or None.
    """

    weight: NDArray[Any]
    bias: NDArray[Any] | None

    @property
    def kernel(self) -> tuple[int, ...]:
        """The taps along each axis."""
        return self.weight.shape[2:]

    @property
    def rank(self) -> int:
        """The number of spatial axes."""
        return self.weight.ndim - 2

    def tensors(self) -> dict[str, NDArray[Any]]:
        """`bias`, where there is one, and `weight`."""
        return present(bias=self.bias, weight=self.weight)


def weight_array(value: object, wanted: str) -> NDArray[Any]:
    """A weight of 3 to 5 axes, of which none is empty."""
    array = parameter_array("weight", value)
    if not 3 <= array.ndim <= 5:
        raise InvalidArgument(
            "weight", f"shape {array.shape}", f"{wanted} with a kernel of 1, 2 or 3 axes"
        )
    if not array.size:
        raise InvalidArgument(
            "weight", f"the empty shape {array.shape}", "at least 1 along every axis"
        )
    return array


def channel_vector(argument: str, value: object, length: int) -> NDArray[Any] | None:
    """One number for each channel, in a dtype of its own; None stays None."""
    if value is None:
        return None
    array = parameter_array(argument, value)
    if array.shape != (length,):
        raise InvalidArgument(
            argument, f"shape {array.shape}", f"shape ({length},): one number for each channel"
        )
    return array


def group_count(value: object, channels: int, which: str) -> int:
    """A number of groups that divides the channels."""
    groups = integer("groups", value, 1)
    if channels % groups:
        raise InvalidArgument(
            "groups", groups, f"a divisor of the weight's {channels} {which} channels"
        )
    return groups


def linear_type(
    signal: SignalType,
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
    channel_axis: int | tuple[int, ...],
    argument: str = "weight",
) -> SignalType:
    """The type of sums over every axis of `weight` but the channel axes, plus the bias."""
    dtype = weight.dtype if bias is None else np.result_type(weight, bias)
    integers = all(t.dtype.kind in "biu" for t in (weight, bias) if t is not None)
    if not (integers and signal.is_integer):
        return signal.weighted(dtype, None, 0, argument)
    kept = (channel_axis,) if isinstance(channel_axis, int) else channel_axis
    summed = tuple(axis for axis in range(weight.ndim) if axis not in kept)
    return signal.weighted(dtype, largest_sum(weight, summed), largest_sum(bias, ()), argument)


def largest_sum(weights: NDArray[Any] | None, axes: tuple[int, ...]) -> int:
    """The largest sum|w| of integers over `axes`, as a Python integer; 0 for None."""
    if weights is None:
        return 0
    # Python's integers where 64 bits could overflow; their sums cannot below.
    exact = weights.astype(object if weights.dtype.itemsize == 8 else np.int64)
    return int(np.max(np.abs(exact).sum(axis=axes) if axes else np.abs(exact)))
