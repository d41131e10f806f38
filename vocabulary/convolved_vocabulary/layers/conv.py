"""Convolution and cross-correlation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike, NDArray

from convolved_vocabulary.checks import axis_boundaries, axis_integers, axis_pads, truth
from convolved_vocabulary.dtypes import SignalType
from convolved_vocabulary.errors import InvalidArgument
from convolved_vocabulary.geometry import Sliding

from .base import Layer, listed, stated
from .linear import Kernels, channel_vector, group_count, linear_type, weight_array

__all__ = ["Conv"]

Padding = int | str | Sequence[int | str | Sequence[int]]
Boundary = float | str | Sequence[float | str]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Conv(Kernels, Layer):
    """Convolution or cross-correlation of rank 1, 2 or 3.

    Args:
        weight: (out_channels, in_channels / groups, *kernel); the kernel's axes give the rank.
        bias: (out_channels,), added to every output; of any dtype, which counts like the
            weight's.
        stride: every stride-th output is computed; an int, or one for each axis.
        padding: "valid" (none), "same" (output ceil(n / stride), before = dilation * (k - 1)
            // 2), "full", "causal" (all before on the last axis, which is time, "same" on the
            others), an int for both sides, or one of these or a (before, after) pair for each
            axis.
        dilation: distance between taps; an int, or one for each axis.
        groups: channels are convolved in this many groups of their own.
        boundary: what stands in the padding: "zeros", a number that the signal's dtype holds,
            or NumPy's "reflect", "symmetric", "edge", "wrap"; one word, or one for each axis.
        flip: True convolves (the kernel is reversed), False cross-correlates, which is what
            deep learning calls convolution.

    Raises:
        InvalidArgument: naming the argument that is wrong.

    >>> import numpy as np
    >>> conv = Conv(np.ones((4, 2, 5)), padding="same", stride=2)
    >>> conv.pads, conv.axes(1)[0].output_length(10)
    (((2, 2),), 5)
    """

    kind = "conv"

    weight: NDArray[Any]
    bias: NDArray[Any] | None
    stride: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int
    boundary: tuple[str | float, ...]
    flip: bool

    def __init__(
        self,
        weight: ArrayLike,
        bias: ArrayLike | None = None,
        stride: int | Sequence[int] = 1,
        padding: Padding = "valid",
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        boundary: Boundary = "zeros",
        flip: bool = False,
    ) -> None:
        array = weight_array(weight, "(out_channels, in_channels / groups, *kernel)")
        rank = array.ndim - 2
        dilations = axis_integers("dilation", dilation, rank, 1)
        fields = {
            "weight": array,
            "bias": channel_vector("bias", bias, array.shape[0]),
            "stride": axis_integers("stride", stride, rank, 1),
            "pads": axis_pads("padding", padding, array.shape[2:], dilations),
            "dilation": dilations,
            "groups": group_count(groups, array.shape[0], "output"),
            "boundary": axis_boundaries("boundary", boundary, rank),
            "flip": truth("flip", flip),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def in_channels(self) -> int:
        """The channels it takes."""
        return int(self.weight.shape[1]) * self.groups

    def out_channels(self, in_channels: int) -> int:
        """The first axis of the weight."""
        return int(self.weight.shape[0])

    def axes(self, rank: int) -> tuple[Sliding, ...]:
        """A sliding window on each axis."""
        return tuple(
            Sliding(size, stride, dilation, before, after, boundary)
            for size, stride, dilation, (before, after), boundary in zip(
                self.kernel, self.stride, self.dilation, self.pads, self.boundary, strict=True
            )
        )

    def output_type(self, signal: SignalType) -> SignalType:
        """See `convolved_vocabulary.dtypes`."""
        for value, pads in zip(self.boundary, self.pads, strict=True):
            if not isinstance(value, str) and any(pads) and not signal.holds(value):
                raise InvalidArgument(
                    "boundary",
                    f"{value} with a signal of {signal.dtype.name}",
                    f"a value that {signal.dtype.name} holds, or another dtype of the signal",
                )
        return linear_type(signal, self.weight, self.bias, channel_axis=0)

    def parameters(self) -> dict[str, str]:
        """Every parameter that is not at its default."""
        return stated(
            boundary=listed(self.boundary, "zeros"),
            dilation=listed(self.dilation, 1),
            flip="true" if self.flip else "",
            groups=str(self.groups) if self.groups != 1 else "",
            pads=listed(self.pads, (0, 0)),
            stride=listed(self.stride, 1),
        )

    def multiply_adds(self, in_channels: int, output_size: Sequence[int]) -> int:
        """Outputs times taps times the channels that each output sums over."""
        return self.weight.size * math.prod(output_size)
