"""The numbers that a sweep by tiles across channels reads."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ChannelLayout"]


class ChannelLayout(NamedTuple):
    """The numbers that a sweep reads, all of them counts of elements.

    The three axes are depth, row and column; missing ones have size 1.
    """

    groups: int
    group_inputs: int
    group_rows: int
    in_depth: int
    in_rows: int
    in_columns: int
    out_depth: int
    out_rows: int
    out_columns: int
    planes: int
    plane_step: int
    depth_stride: int
    depth_before: int
    row_stride: int
    row_before: int
    row_reach: int
    column_stride: int
    column_before: int
    column_reach: int
    block_rows: int
    block_columns: int
    share: int
    slab_rows: int
    segment: int
    slab_size: int
    scratch_size: int
    most_places: int
    terms: int
    run: int
    blocks: int
