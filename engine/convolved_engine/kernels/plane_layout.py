"""The numbers that a sweep over single channels reads."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PlaneLayout"]


class PlaneLayout(NamedTuple):
    """The numbers that a sweep reads, all of them counts of elements but for `kernel`.

    Attributes:
        kernel: which of `convolved_engine.kernels.shapes.KERNELS`.
        channels: of the output.
        readers: channels of the output that read one of the input.
        rows: of a tile.
        width: columns of a tile.
        blocks: of one channel.
    """

    kernel: int
    stride: int
    terms: int
    channels: int
    readers: int
    in_rows: int
    in_columns: int
    out_rows: int
    out_columns: int
    row_before: int
    column_before: int
    rows: int
    width: int
    block_rows: int
    blocks: int
