"""The integers that the kernels of partitioned convolution read."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ADD",
    "BACK_FIRST",
    "BACK_LATER",
    "FIRST",
    "KEEP",
    "LATER",
    "LEVEL",
    "PRODUCTS",
    "UNIT",
    "VECTORS",
    "Layout",
]

UNIT = 12
"""Integers of a unit: kind, row, begin, end, re, im, to_re, to_im, n, s, radix, twiddles."""

FIRST, LATER, KEEP, PRODUCTS, BACK_FIRST, BACK_LATER, ADD = range(7)
"""Kinds of units: passes of a transform, keeping its result, products, passes of a transform
back, adding its result to what is ahead. Those from PRODUCTS on serve outputs only."""

LEVEL = 11
"""Integers of a level: length, delay, partitions, steps, first of its step ends, first unit,
chunks, ring, spectra, whether its transforms take whole vectors, twist."""

VECTORS = 4
"""Vectors of bins that are multiplied together."""


class Layout(NamedTuple):
    """The numbers that a stream reads, counts of elements or places in its arrays."""

    base: int
    batch: int
    groups: int
    group_inputs: int
    group_outputs: int
    levels: int
    level_at: int
    offsets_at: int
    terms: int
    line: int
    lines_at: int
    past: int
    past_length: int
    past_at: int
    ahead: int
    ahead_length: int
    ahead_at: int
    tile_at: int
    head_at: int
    bias_at: int
