"""Signals as users hold them, and as everything inside holds them.

Inside, a signal is always (batch, channels, *spatial), time last. A user may leave out the
batch, and with it the channels if there is one; what was left out is left out of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from .checks import shape_of
from .dtypes import as_array
from .errors import InvalidArgument
from .filters import AXES, Filter
from .impulse import looks_transposed

__all__ = ["Layout", "arrange", "layout_of"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Which axes the user's array had in front of the spatial ones.

    Attributes:
        has_batch: there was a batch axis (and then a channel axis, too).
        has_channels: there was a channel axis.
        shape: the shape with all axes: (batch, channels, *spatial).
    """

    has_batch: bool
    has_channels: bool
    shape: tuple[int, ...]

    def result(self, output: NDArray[Any]) -> NDArray[Any]:
        """Bring an `output` (batch, channels, *spatial) into the form in which the input came.

        A bare spatial input drops its channel axis again only if one channel comes out.
        """
        if self.has_batch:
            return output
        output = output[0]
        return output[0] if not self.has_channels and output.shape[0] == 1 else output


def layout_of(shape: Sequence[int], filter: Filter, argument: str = "x") -> Layout:
    """Find the axes of a signal of `shape` for `filter`, or say what is wrong with it.

    Args:
        shape: spatial, (channels, *spatial) or (batch, channels, *spatial).
        filter: what it is for.
        argument: what an error calls it.

    Raises:
        InvalidArgument: for a wrong rank, empty axes, other channels than the filter takes,
            channels that look last, or a signal shorter than the kernel.

    >>> from convolved_vocabulary import impulse_response
    >>> layout_of((100,), impulse_response([1.0, 0.5]))
    Layout(has_batch=False, has_channels=False, shape=(1, 1, 100))
    """
    given = shape_of(argument, shape)
    extra = len(given) - filter.rank
    if extra not in (0, 1, 2):
        names = ", ".join(AXES[-filter.rank :])
        raise InvalidArgument(
            argument,
            f"shape {given}",
            f"({names}), (channels, {names}) or (batch, channels, {names})",
        )
    if 0 in given:
        raise InvalidArgument(argument, f"the empty shape {given}", "at least 1 along every axis")
    whole = (1,) * (2 - extra) + given
    channels, last = whole[1], whole[-1]
    wanted = filter.in_channels
    if wanted is not None:
        transposed = channels != wanted == last
    else:
        transposed = filter.per_channel and looks_transposed(channels, last)
    if transposed and extra > 0:
        raise InvalidArgument(
            argument,
            f"shape {given}, whose channels look last",
            f"time as the last axis: give numpy.moveaxis(x, -1, {0 if extra == 1 else 1})",
        )
    try:
        filter.shapes(whole)
    except InvalidArgument as error:
        raise InvalidArgument(argument, error.came, error.wanted) from None
    return Layout(extra == 2, extra >= 1, whole)


def arrange(
    x: object, filter: Filter, sample_rate_hertz: float | None = None, argument: str = "x"
) -> tuple[NDArray[Any], Layout]:
    """Return the signal as (batch, channels, *spatial), and the layout it came in.

    Args:
        x: the signal, an array or what becomes one.
        filter: what it is for.
        sample_rate_hertz: of the signal, or None if it states none.
        argument: what an error calls it.

    Raises:
        InvalidArgument: as `layout_of`; also for a dtype that no signal has, or a stated
            sample rate that is not the filter's.

    >>> import numpy as np
    >>> from convolved_vocabulary import impulse_response
    >>> arranged, layout = arrange(np.zeros(100), impulse_response(np.ones(5)))
    >>> arranged.shape, layout.result(arranged).shape
    ((1, 1, 100), (100,))
    """
    array = as_array(argument, x)
    filter.check_sample_rate(sample_rate_hertz)
    layout = layout_of(array.shape, filter, argument)
    return array.reshape(layout.shape), layout
