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
from convolved_vocabulary.swaps import check_match, reach

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
        history: past input to keep for filters that are swapped in.
    """

    channels: int
    size: tuple[int, ...]
    dtype: np.dtype[Any]
    block: int
    sample_rate_hertz: float | None
    options: Options
    history: int = 0

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
        history: int = 0,
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
        filter.check_streamable()
        filter.shapes((count, *spatial, _enough(filter)))
        found = checked_dtype("dtype", dtype)
        return cls(
            count,
            spatial,
            found,
            integer("block", block, 0),
            sample_rate_hertz,
            options,
            integer("history", history, 0),
        )

    def furthest(self, first: Filter) -> int:
        """How far back filters may reach, `first` being the one at the start."""
        return max(self.history, reach(first))

    def check_swap(self, new: Filter, first: Filter) -> None:
        """Refuse a filter that cannot take over in a stream that was opened so for `first`.

        Raises:
            InvalidArgument: saying in what they differ.
        """
        new.check_streamable()
        frame = (self.channels, *self.size)
        check_match(new, first, frame, self.furthest(first))
        new.check_sample_rate(self.sample_rate_hertz)


def _enough(filter: Filter) -> int:
    """A length of input that has outputs, for the checks that need one."""
    length = 1
    while not filter.time.output_length(length):
        length *= 2
    return length
