"""What a filter would cost if its convolutions were separable: depthwise, then pointwise.

Output shape, receptive field, multiply-adds and parameters of a filter are told by `Filter`
itself. A convolution from C to O channels with k taps takes O * C * k multiply-adds for each
place of its output; a depthwise one and a pointwise one after it take C * k + O * C, which is
1 / O + 1 / k of that.

Source: A. Howard and others, "MobileNets: efficient convolutional neural networks for mobile
vision applications" (2017), section 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .filters import Filter
from .layers import Conv

__all__ = ["Separated", "dense_against_separable"]


@dataclass(frozen=True, slots=True)
class Separated:
    """A convolution beside the separable one of the same shape.

    Attributes:
        layer: its index in the filter.
        dense_multiply_adds: of the convolution as it is.
        separable_multiply_adds: of a depthwise and a pointwise one instead.
        dense_parameters: the numbers in its weight.
        separable_parameters: those in the two weights.
    """

    layer: int
    dense_multiply_adds: int
    separable_multiply_adds: int
    dense_parameters: int
    separable_parameters: int

    @property
    def ratio(self) -> Fraction:
        """Multiply-adds of the separable one for each of the dense one."""
        return Fraction(self.separable_multiply_adds, self.dense_multiply_adds)

    def __str__(self) -> str:
        return (
            f"layer {self.layer}: {self.dense_multiply_adds:,} multiply-adds and "
            f"{self.dense_parameters:,} parameters; separable {self.separable_multiply_adds:,} and "
            f"{self.separable_parameters:,}, {float(self.ratio):.3g} of it"
        )


def dense_against_separable(filter: Filter, shape: Sequence[int]) -> tuple[Separated, ...]:
    """Compare every convolution that mixes channels with a separable one.

    Args:
        filter: whose Conv layers are compared; a depthwise one is left out.
        shape: of the signal: (channels, *spatial) or (batch, channels, *spatial).

    Raises:
        InvalidArgument: if the filter does not take such a signal.

    >>> import numpy as np
    >>> front = Filter(Conv(np.ones((64, 32, 3, 3)), padding="same"))
    >>> print(dense_against_separable(front, (32, 100, 100))[0])
    layer 0: 184,320,000 multiply-adds and 18,432 parameters;
    separable 23,360,000 and 2,336, 0.127 of it
    """
    shapes = filter.shapes(shape)
    examples = math.prod(shapes[0][: -filter.rank - 1])
    if filter.per_channel:
        examples *= shapes[0][-filter.rank - 1]
    found = []
    for index, layer in enumerate(filter.layers):
        if not isinstance(layer, Conv) or layer.weight.shape[1] == 1:
            continue
        places = examples * math.prod(shapes[index + 1][-filter.rank :])
        dense = layer.weight.size
        mixing = math.prod(layer.weight.shape[:2])
        separable = layer.in_channels * math.prod(layer.kernel) + mixing
        found.append(Separated(index, dense * places, separable * places, dense, separable))
    return tuple(found)
