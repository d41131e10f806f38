"""What the convolutions of a filter cost, beside what they would cost if they were separable.

Output shape, receptive field, multiply-adds and parameters of a filter are told by `Filter`
itself. A convolution can be separable in two ways:

- by channels: a kernel for each channel, then a mixture of channels at each place (depthwise and
  pointwise). From C to O channels with k taps that takes C * k + O * C multiply-adds for each place
  of the output instead of O * C * k: 1 / O + 1 / k of them.
- by axes: each kernel is a product of kernels of one axis. k * l taps become k + l, if the strides
  are 1 and nothing is added or lost at the ends.

Sources: A. Howard and others, "MobileNets: efficient convolutional neural networks for mobile
vision applications" (2017), section 3.1; S. Smith, "The scientist and engineer's guide to digital
signal processing" (1997), chapter 24, "Convolution by separability".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .filters import Filter
from .layers import Conv, ConvTranspose

__all__ = ["SEPARATIONS", "Separated", "dense_against_separable"]

SEPARATIONS = {
    "depthwise": "depthwise and pointwise",
    "axes": "one kernel for each axis",
}
"""The ways in which a convolution can be separable, and what they are called in a sentence."""

_Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Separated:
    """A convolution beside a separable one of the same shape.

    Attributes:
        layer: its index in the filter.
        form: "depthwise" (and pointwise), or "axes" (kernels of one axis each).
        dense_multiply_adds: of the convolution as it is.
        separable_multiply_adds: of the separable one instead.
        dense_parameters: the numbers in its weight.
        separable_parameters: those in the weights of the separable one.

    >>> Separated(0, "axes", 2500, 1000, 25, 10).ratio
    Fraction(2, 5)
    """

    layer: int
    form: str
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
            f"layer {self.layer} as {SEPARATIONS.get(self.form, self.form)}: "
            f"{self.separable_multiply_adds:,} of {self.dense_multiply_adds:,} multiply-adds "
            f"({float(self.ratio):.3g}), {self.separable_parameters:,} of "
            f"{self.dense_parameters:,} parameters"
        )


def dense_against_separable(filter: Filter, shape: Sequence[int]) -> tuple[Separated, ...]:
    """Compare every convolution of a filter with the separable ones of its shape.

    Whether the weights at hand can be written so is not asked. Left out is what would be no
    separation: by channels where kernels see one channel or have one tap, by axes where not more
    than one axis has several taps. A transposed convolution is separated as the adjoint of a
    convolution: pointwise first. Passes along axes are counted from the first axis to the last,
    and padding not at all.

    Args:
        filter: whose Conv and ConvTranspose layers are compared.
        shape: of the signal: (channels, *spatial) or (batch, channels, *spatial).

    Raises:
        InvalidArgument: if the filter does not take such a signal.

    >>> import numpy as np
    >>> front = Filter(Conv(np.ones((64, 32, 3, 3)), padding="same"))
    >>> for each in dense_against_separable(front, (32, 100, 100)):
    ...     print(each)
    layer 0 as depthwise and pointwise: 23,360,000 of 184,320,000 multiply-adds (0.127),
    2,336 of 18,432 parameters
    layer 0 as one kernel for each axis: 122,880,000 of 184,320,000 multiply-adds (0.667),
    12,288 of 18,432 parameters
    """
    shapes = filter.shapes(shape)
    examples = math.prod(shapes[0][: -filter.rank - 1])
    if filter.per_channel:
        examples *= shapes[0][-filter.rank - 1]
    found = []
    for index, layer in enumerate(filter.layers):
        if not isinstance(layer, Conv | ConvTranspose):
            continue
        before, after = shapes[index][-filter.rank :], shapes[index + 1][-filter.rank :]
        # A convolution multiplies at each output, its adjoint at each input.
        places = math.prod(after if isinstance(layer, Conv) else before)
        dense = layer.weight.size
        forms = {"depthwise": _by_channels(layer, places), "axes": _by_axes(layer, before, after)}
        for form, costs in forms.items():
            if costs is None:
                continue
            count, parameters = costs
            found.append(
                Separated(
                    index, form, examples * dense * places, examples * count, dense, parameters
                )
            )
    return tuple(found)


def _by_channels(layer: Conv | ConvTranspose, places: int) -> tuple[int, int] | None:
    """Multiply-adds of one example and parameters of a depthwise and a pointwise layer."""
    kernels, seen = layer.weight.shape[:2]
    if seen == 1 or math.prod(layer.kernel) == 1:
        return None
    # The channels that have a kernel of their own: those of the input, and of the adjoint's output.
    channels = layer.groups * seen
    parameters = channels * math.prod(layer.kernel) + kernels * seen
    return parameters * places, parameters


def _by_axes(layer: Conv | ConvTranspose, before: _Sizes, after: _Sizes) -> tuple[int, int] | None:
    """Multiply-adds of one example and parameters of kernels of one axis each."""
    long = [axis for axis, taps in enumerate(layer.kernel) if taps > 1]
    if len(long) < 2:
        return None
    pairs, count = math.prod(layer.weight.shape[:2]), 0
    forward = isinstance(layer, Conv)
    # An axis of one tap needs no pass: a convolution skips by its stride at once, its adjoint
    # spreads last.
    first = after if forward else before
    sizes = [before[axis] if axis in long else first[axis] for axis in range(len(before))]
    for axis in long:
        count += layer.kernel[axis] * math.prod(
            after[axis] if forward and each == axis else size for each, size in enumerate(sizes)
        )
        sizes[axis] = after[axis]
    return pairs * count, pairs * sum(layer.kernel[axis] for axis in long)
