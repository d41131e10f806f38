"""The numbers that a sweep of direct convolution reads."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Layout"]


class Layout(NamedTuple):
    """The numbers that a sweep reads, all of them counts of elements.

    The three axes are depth, row and column; missing ones have size 1.
    """

    parts: int
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
    row_overlap: int
    column_stride: int
    column_before: int
    column_reach: int
    column_overlap: int
    block_rows: int
    block_columns: int
    edge: int
    across: int
    slab_rows: int
    segment: int
    slab_size: int
    scratch_size: int
    rows: int
    vectors: int
    flat: bool
    terms: int
    run: int

    @property
    def blocks(self) -> int:
        """The blocks of one signal."""
        down = -(-self.out_rows // self.block_rows)
        return self.groups * self.out_depth * down * self.across
