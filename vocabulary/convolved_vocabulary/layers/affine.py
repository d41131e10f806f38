"""A scale and a shift for each channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike, NDArray

from convolved_vocabulary.checks import parameter_array
from convolved_vocabulary.dtypes import SignalType
from convolved_vocabulary.errors import InvalidArgument
from convolved_vocabulary.geometry import Pointwise

from .base import Layer, present
from .linear import channel_vector, linear_type

__all__ = ["Affine"]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Affine(Layer):
    """A scale and a shift for each channel, as batch normalization is when it only infers.

    Args:
        scale: (channels,).
        shift: (channels,), zeros if not given.

    Raises:
        InvalidArgument: naming the argument that is wrong.

    >>> Affine([2.0, 0.5]).in_channels
    2
    """

    kind = "affine"

    scale: NDArray[Any]
    shift: NDArray[Any] | None

    def __init__(self, scale: ArrayLike, shift: ArrayLike | None = None) -> None:
        array = parameter_array("scale", scale)
        if array.ndim != 1 or not array.size:
            raise InvalidArgument("scale", f"shape {array.shape}", "one number for each channel")
        object.__setattr__(self, "scale", array)
        object.__setattr__(self, "shift", channel_vector("shift", shift, array.size))

    @property
    def rank(self) -> None:
        """Any."""

    @property
    def in_channels(self) -> int:
        """One for each entry of the scale."""
        return int(self.scale.size)

    def out_channels(self, in_channels: int) -> int:
        """As many as go in."""
        return in_channels

    def axes(self, rank: int) -> tuple[Pointwise, ...]:
        """Each sample by itself."""
        return (Pointwise(),) * rank

    def output_type(self, signal: SignalType) -> SignalType:
        """See `convolved_vocabulary.dtypes`."""
        return linear_type(
            signal, self.scale[:, None], self.shift, channel_axis=0, argument="scale"
        )

    def parameters(self) -> dict[str, str]:
        """None."""
        return {}

    def tensors(self) -> dict[str, NDArray[Any]]:
        """`scale` and, where there is one, `shift`."""
        return present(scale=self.scale, shift=self.shift)

    def multiply_adds(self, in_channels: int, output_size: Sequence[int]) -> int:
        """One for each sample."""
        return in_channels * math.prod(output_size)
