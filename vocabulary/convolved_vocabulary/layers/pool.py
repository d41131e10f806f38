"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convolved_vocabulary.checks import axis_integers, axis_pads, one_of, truth
from convolved_vocabulary.dtypes import SignalType
from convolved_vocabulary.errors import InvalidArgument
from convolved_vocabulary.geometry import Sliding
from convolved_vocabulary.words import shown

from .base import Layer, listed, stated

__all__ = ["Pool"]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Pool(Layer):
    """Pooling as PyTorch's: the maximum or the average of a window.

    Args:
        function: "max" or "average".
        size: the window along each axis; its length gives the rank, an int being rank 1.
        stride: defaults to the size.
        padding: an int, or an int or a (before, after) pair for each axis; less than the reach
            of the window. It never wins a maximum; where dilation leaves a window nothing but
            padding, that is minus infinity, or the least value of an integer dtype.
        dilation: distance between the samples of a window; for "max" alone.
        ceil_mode: also keep a last window that reaches beyond the padded input.
        count_include_pad: whether an average counts the padding.

    Raises:
        InvalidArgument: naming the argument that is wrong.

    >>> Pool("max", (2, 2)).stride
    (2, 2)
    """

    kind = "pool"

    function: str
    size: tuple[int, ...]
    stride: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    ceil_mode: bool
    count_include_pad: bool

    def __init__(
        self,
        function: str,
        size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int | Sequence[int]] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        word = one_of("function", function, ("max", "average"))
        rank = len(size) if isinstance(size, Sequence | np.ndarray) and np.ndim(size) else 1
        if not 1 <= rank <= 3:
            raise InvalidArgument("size", shown(size), "one integer for each of 1 to 3 axes")
        window = axis_integers("size", size, rank, 1)
        dilations = axis_integers("dilation", dilation, rank, 1)
        if word == "average" and any(gap != 1 for gap in dilations):
            raise InvalidArgument("dilation", shown(dilation), "1: averages are not dilated")
        pads = axis_pads("padding", padding, window, dilations, no_modes="pooling has no modes")
        for (before, after), width, gap in zip(pads, window, dilations, strict=True):
            if max(before, after) > gap * (width - 1):
                raise InvalidArgument(
                    "padding",
                    f"({before}, {after}) with a window of {gap * (width - 1) + 1}",
                    f"at most {gap * (width - 1)}: a window must reach the signal",
                )
        fields = {
            "function": word,
            "size": window,
            "stride": window if stride is None else axis_integers("stride", stride, rank, 1),
            "pads": pads,
            "dilation": dilations,
            "ceil_mode": truth("ceil_mode", ceil_mode),
            "count_include_pad": truth("count_include_pad", count_include_pad) or word == "max",
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def rank(self) -> int:
        """The number of spatial axes."""
        return len(self.size)

    @property
    def in_channels(self) -> None:
        """Any."""

    def out_channels(self, in_channels: int) -> int:
        """As many as go in."""
        return in_channels

    def axes(self, rank: int) -> tuple[Sliding, ...]:
        """A sliding window on each axis."""
        return tuple(
            Sliding(size, stride, dilation, before, after, "zeros", self.ceil_mode)
            for size, stride, dilation, (before, after) in zip(
                self.size, self.stride, self.dilation, self.pads, strict=True
            )
        )

    def output_type(self, signal: SignalType) -> SignalType:
        """The signal's; averages take floating signals, maxima real ones."""
        if self.function == "max" and signal.dtype.kind == "c":
            raise InvalidArgument("dtype", signal.dtype.name, "a real one for a max pool")
        if self.function == "average" and signal.is_integer:
            raise InvalidArgument("dtype", signal.dtype.name, "a floating one for an average pool")
        may_be_empty = any(
            gap > 1 and any(pair) for gap, pair in zip(self.dilation, self.pads, strict=True)
        )
        # A window whose samples all fall into the padding gives the least number of the dtype.
        return SignalType.of(signal.dtype) if may_be_empty else signal

    def parameters(self) -> dict[str, str]:
        """Every parameter that is not at its default; the stride's is 1 here, as everywhere."""
        return stated(
            ceil_mode="true" if self.ceil_mode else "",
            count_include_pad="" if self.count_include_pad else "false",
            dilation=listed(self.dilation, 1),
            kind=self.function,
            pads=listed(self.pads, (0, 0)),
            size=",".join(map(str, self.size)),
            stride=listed(self.stride, 1),
        )
