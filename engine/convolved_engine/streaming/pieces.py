"""The tail of a stream in pieces, each of which takes but little time and memory."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["ends_of_pieces"]

_OUTPUTS = 4096


def ends_of_pieces(begin: int, end: int, grid: int) -> Iterator[int]:
    """Where the pieces of the outputs from `begin` to `end` end, on the grid but for the last.

    >>> list(ends_of_pieces(100, 10_000, 3))
    [4197, 8295, 10000]
    """
    step = -(-_OUTPUTS // grid) * grid
    yield from range(begin - begin % grid + step, end, step)
    yield end
