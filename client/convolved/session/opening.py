"""What a live stream is opened for, checked as the engine checks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from convolved_vocabulary import Filter, InvalidArgument, Options
from convolved_vocabulary.checks import integer
from convolved_vocabulary.dtypes import checked_dtype
from convolved_vocabulary.geometry import Sliding

__all__ = ["Opening"]


@dataclass(frozen=True, slots=True)
class Opening:
    """The signal and the wishes of a live stream.

    Attributes:
        channels: of the input.
        size: the spatial axes before time.
        dtype: of the input.
        block: samples that usually come at a time; 0 if that is not known.
        sample_rate_hertz: of the signal, or None.
        options: the wishes.
    """

    channels: int
    size: tuple[int, ...]
    dtype: np.dtype[Any]
    block: int
    sample_rate_hertz: float | None
    options: Options

    @classmethod
    def checked(
        cls,
        filter: Filter,
        channels: int,
        size: Sequence[int],
        dtype: DTypeLike,
        block: int,
        sample_rate_hertz: float | None,
        options: Options,
    ) -> Opening:
        """An opening that `filter` can take.

        Raises:
            InvalidArgument: naming what is wrong; a filter with "wrap" along time cannot stream.
        """
        filter.check_sample_rate(sample_rate_hertz)
        count = integer("channels", channels, 1)
        spatial = tuple(integer("size", length, 1) for length in size)
        if len(spatial) != filter.rank - 1:
            raise InvalidArgument(
                "size", f"{spatial}", f"{filter.rank - 1} spatial axes before time for this filter"
            )
        _check_streamable(filter)
        filter.shapes((count, *spatial, _enough(filter)))
        found = checked_dtype("dtype", dtype)
        return cls(count, spatial, found, integer("block", block, 0), sample_rate_hertz, options)


def _check_streamable(filter: Filter) -> None:
    for index, axis in enumerate(filter.time.maps):
        if isinstance(axis, Sliding) and axis.boundary == "wrap" and (axis.before or axis.after):
            raise InvalidArgument(
                f"layers[{index}].boundary",
                "'wrap' along time, whose first output needs the end of the signal",
                "another boundary to stream, or the whole signal at once with apply",
            )


def _enough(filter: Filter) -> int:
    """A length of input that has outputs, for the checks that need one."""
    length = 1
    while not filter.time.output_length(length):
        length *= 2
    return length
