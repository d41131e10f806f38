"""How long FFTW's transforms take, by the factors of their lengths, and which lengths are fast.

Efforts are those of one sample. Their unit is what a factor of two costs in a line of float32, so
that a line whose length n is a power of two has log2(n). Odd factors cost more than twice as much
as their logarithm. In blocks of several axes, rows along the last axis are short and cost nearly
the same whatever their length, while a column is gathered from afar for each of its factors.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

__all__ = ["fastest_length", "sample_effort", "spill_effort"]


class _Efforts(NamedTuple):
    """Of one sample of a dtype.

    Attributes:
        line: for each factor of two along the only axis, and besides for the odd part's logarithm.
        row: whatever the length of the last of several axes, and for its odd part's logarithm.
        column: as of a line, for each of the other axes.
        spill: where a line, or a block of several axes, does not stay in the cache.
        known: the longest line of which FFTW's estimate, or what was measured of it, is right;
            and how many times as long as it should a longer one takes at most.
    """

    line: tuple[float, float]
    row: tuple[float, float]
    column: tuple[float, float]
    spill: tuple[float, float]
    known: tuple[int, float]


_EFFORTS = {
    np.dtype("float32"): _Efforts((1.0, 1.15), (9.6, 1.0), (1.6, 2.4), (3.3, 1.0), (1 << 20, 1.9)),
    np.dtype("float64"): _Efforts((1.5, 1.0), (12.0, 1.0), (1.7, 3.3), (6.0, 4.0), (1 << 17, 3.0)),
    np.dtype("complex64"): _Efforts(
        (1.45, 1.6), (4.1, 3.3), (2.3, 5.5), (7.2, 7.2), (1 << 17, 6.0)
    ),
    np.dtype("complex128"): _Efforts(
        (2.2, 1.6), (5.0, 3.3), (2.5, 7.0), (14.0, 14.0), (1 << 16, 6.0)
    ),
}
# FFTW's estimate goes wrong for columns of these lengths: they take so many times as long.
_SLOW_COLUMNS = {30: 2.0, 40: 1.8, 60: 1.5}
# A length with another odd part is faster by a few hundredths at best.
_ODD_PARTS = (1, 3, 5, 7, 9, 15)
# What the other axes of a block add, as far as that decides on the length of one.
_OTHER_ROW, _OTHER_COLUMN = 10.0, 16.0


def sample_effort(lengths: tuple[int, ...], dtype: np.dtype[Any]) -> float:
    """The effort of a transform for each of its samples.

    >>> sample_effort((1024,), np.dtype("float32"))
    10.0
    """
    efforts = _EFFORTS[dtype]
    if len(lengths) > 1:
        return _row(lengths[-1], efforts) + sum(_column(n, efforts) for n in lengths[:-1])
    (length,) = lengths
    effort = efforts.line[0] * math.log2(length) + efforts.line[1] * _odd_part(length)
    longest, most = efforts.known
    return effort * min(most, max(1.0, length / longest))


def spill_effort(rank: int, dtype: np.dtype[Any]) -> float:
    """What is added to the effort of each sample where blocks of `rank` axes leave the cache."""
    return _EFFORTS[dtype].spill[rank > 1]


@functools.lru_cache(maxsize=1024)
def fastest_length(least: int, axis: int, rank: int, dtype: np.dtype[Any]) -> int:
    """The length of at least `least` whose transform is fastest along an axis of a block.

    >>> fastest_length(250, 0, 2, np.dtype("float32"))
    256
    """
    efforts = _EFFORTS[dtype]

    def effort(length: int) -> float:
        if rank == 1:
            return length * sample_effort((length,), dtype)
        if axis == rank - 1:
            return length * (_OTHER_COLUMN + _row(length, efforts))
        return length * (_OTHER_ROW + _column(length, efforts))

    lengths = (odd << max(1, (-(-least // odd) - 1).bit_length()) for odd in _ODD_PARTS)
    return min(lengths, key=effort)


def _row(length: int, efforts: _Efforts) -> float:
    return efforts.row[0] + efforts.row[1] * _odd_part(length)


def _column(length: int, efforts: _Efforts) -> float:
    effort = efforts.column[0] * math.log2(length) + efforts.column[1] * _odd_part(length)
    return effort * _SLOW_COLUMNS.get(length, 1.0)


def _odd_part(length: int) -> float:
    """The logarithm of what is left of a length without its factors of two."""
    return math.log2(length // (length & -length))
