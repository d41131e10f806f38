"""Transposed convolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike, NDArray

from convolved_vocabulary.checks import axis_integers, axis_pads
from convolved_vocabulary.dtypes import SignalType
from convolved_vocabulary.errors import InvalidArgument
from convolved_vocabulary.geometry import Spreading

from .base import Layer, listed, stated
from .linear import Kernels, channel_vector, group_count, linear_type, weight_array

__all__ = ["ConvTranspose"]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class ConvTranspose(Kernels, Layer):
    """Transposed convolution: the adjoint of `Conv(flip=False)`, as PyTorch's.

    Args:
        weight: (in_channels, out_channels / groups, *kernel).
        bias: (out_channels,).
        stride: distance between the outputs of neighboring inputs.
        padding: how much is cut from both ends of the output: an int, or an int or a
            (before, after) pair for each axis.
        output_padding: added to the length of the output at its end; less than the greater of
            stride and dilation.
        dilation: distance between taps.
        groups: channels are convolved in this many groups of their own.

    Raises:
        InvalidArgument: naming the argument that is wrong.

    >>> import numpy as np
    >>> up = ConvTranspose(np.ones((2, 1, 4)), stride=2, padding=1)
    >>> up.axes(1)[0].output_length(10)
    20
    """

    kind = "conv_transpose"

    weight: NDArray[Any]
    bias: NDArray[Any] | None
    stride: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    output_padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    def __init__(
        self,
        weight: ArrayLike,
        bias: ArrayLike | None = None,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int | Sequence[int]] = 0,
        output_padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> None:
        array = weight_array(weight, "(in_channels, out_channels / groups, *kernel)")
        rank = array.ndim - 2
        channel_groups = group_count(groups, array.shape[0], "input")
        strides = axis_integers("stride", stride, rank, 1)
        dilations = axis_integers("dilation", dilation, rank, 1)
        extra = axis_integers("output_padding", output_padding, rank, 0)
        for added, step, gap in zip(extra, strides, dilations, strict=True):
            if added >= max(step, gap):
                raise InvalidArgument(
                    "output_padding",
                    f"{added} with stride {step} and dilation {gap}",
                    f"at most {max(step, gap) - 1}: less than the greater of the two",
                )
        fields = {
            "weight": array,
            "bias": channel_vector("bias", bias, array.shape[1] * channel_groups),
            "stride": strides,
            "pads": axis_pads(
                "padding",
                padding,
                array.shape[2:],
                dilations,
                no_modes="a transposed convolution has no modes",
            ),
            "output_padding": extra,
            "dilation": dilations,
            "groups": channel_groups,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def in_channels(self) -> int:
        """The first axis of the weight."""
        return int(self.weight.shape[0])

    def out_channels(self, in_channels: int) -> int:
        """The second axis of the weight times the groups."""
        return int(self.weight.shape[1]) * self.groups

    def axes(self, rank: int) -> tuple[Spreading, ...]:
        """A spreading window on each axis."""
        return tuple(
            Spreading(size, stride, dilation, before, after, extra)
            for size, stride, dilation, (before, after), extra in zip(
                self.kernel, self.stride, self.dilation, self.pads, self.output_padding, strict=True
            )
        )

    def output_type(self, signal: SignalType) -> SignalType:
        """See `convolved_vocabulary.dtypes`."""
        grouped = self.weight.reshape(self.groups, -1, *self.weight.shape[1:])
        return linear_type(signal, grouped, self.bias, channel_axis=(0, 2))

    def parameters(self) -> dict[str, str]:
        """Every parameter that is not at its default."""
        return stated(
            dilation=listed(self.dilation, 1),
            groups=str(self.groups) if self.groups != 1 else "",
            output_padding=listed(self.output_padding, 0),
            pads=listed(self.pads, (0, 0)),
            stride=listed(self.stride, 1),
        )

    def multiply_adds(self, in_channels: int, output_size: Sequence[int]) -> int:
        """Taps times inputs, which follow from the length of the output."""
        inputs = math.prod(
            axis.input_length(length)
            for length, axis in zip(output_size, self.axes(self.rank), strict=True)
        )
        return self.weight.size * inputs
