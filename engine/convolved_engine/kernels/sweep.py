"""Direct convolution: blocks of outputs, each computed tile by tile.

One block is up to `block_rows` output rows of up to `block_columns` outputs, of all output
channels of one group. Where its receptive field lies inside the input, the tiles read the input
itself; elsewhere (at padded edges, with a stride along the row, with complex samples) the field
is first copied into a slab: padded by zeros, one segment for each phase of the stride, real and
imaginary parts apart. A complex convolution is a real one of twice the channels. Rows much
shorter than a tile are swept as one long row through a flat slab; what is computed between two
rows is thrown away.

The terms of long sums are taken in runs, so that the weights of a run and the inputs of a tile
stay in the first-level cache; an accumulator waits in the output meanwhile, which loses no bits.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .compile import kernel, revision
from .tile import accumulate as _accumulate

__all__ = ["sweep"]

# numba gives the first parameter, its typing context.
accumulate: Any = _accumulate


# A signed index might count from the end; asking that of each one keeps loops from vectors.
unsigned = np.uint64


@kernel
def _fill_slab(
    x: Any, slab: Any, phases: Any, g: Any, base: int, z0: int, r0: int, c0: int, rows: int, n: int
) -> None:
    volume = g.in_depth * g.in_rows * g.in_columns
    at = 0
    for channel in range(g.group_inputs):
        for part in range(g.parts):
            for plane in range(g.planes):
                z = z0 + plane * g.plane_step
                for row in range(g.slab_rows):
                    r = r0 + row
                    outside = z < 0 or z >= g.in_depth or r < 0 or r >= g.in_rows or row >= rows
                    line = base + channel * volume + (z * g.in_rows + r) * g.in_columns
                    for phase in phases:
                        begin = c0 + phase
                        low, high = -begin, g.in_columns - begin
                        if g.column_stride > 1:
                            low = -(begin // g.column_stride)
                            high = -((begin - g.in_columns) // g.column_stride)
                        low = max(0, low)
                        low, high = min(low, n), max(min(low, n), min(high, n))
                        if outside:
                            low = high = n
                        for i in range(low):
                            slab[unsigned(at + i)] = 0
                        first = (line + begin) * g.parts + part
                        step = g.column_stride * g.parts
                        if step == 1:
                            for i in range(low, high):
                                slab[unsigned(at + i)] = x[unsigned(first + i)]
                        else:
                            for i in range(low, high):
                                slab[unsigned(at + i)] = x[unsigned(first + i * step)]
                        for i in range(high, n):
                            slab[unsigned(at + i)] = 0
                        at += g.segment


@kernel
def _empty_scratch(
    scratch: Any, y: Any, g: Any, base: int, rows: int, n: int, channel_pitch: int, pitch: int
) -> None:
    volume = g.out_depth * g.out_rows * g.out_columns
    for out_row in range(g.group_rows):
        channel, part = out_row // g.parts, out_row % g.parts
        for row in range(rows):
            source = out_row * channel_pitch + row * pitch
            target = (base + channel * volume + row * g.out_columns) * g.parts + part
            if g.parts == 1:
                for j in range(n):
                    y[unsigned(target + j)] = scratch[unsigned(source + j)]
            else:
                for j in range(n):
                    y[unsigned(target + j * g.parts)] = scratch[unsigned(source + j)]


@cache
def sweep(rows: int, vectors: int, lanes: int) -> Any:
    """The kernel for tiles of that shape; each shape is compiled at its first call."""
    width = vectors * lanes
    parts_revision = revision("tile", "layout")

    @kernel
    def compute(
        x: Any,
        y: Any,
        weights: Any,
        bias: Any,
        near: Any,
        packed: Any,
        phases: Any,
        slab: Any,
        scratch: Any,
        g: Any,
        first: int,
        last: int,
    ) -> None:
        # Named here to be held by the closure.
        _ = parts_revision
        in_volume = g.in_depth * g.in_rows * g.in_columns
        out_volume = g.out_depth * g.out_rows * g.out_columns
        across = -(-g.out_columns // g.block_columns)
        down = -(-g.out_rows // g.block_rows)
        whole_rows = g.group_rows // rows
        row_blocks = -(-g.group_rows // rows)
        runs = -(-g.terms // g.run)
        for item in range(first, last):
            j0 = (item % across) * g.block_columns
            rest = item // across
            i0 = (rest % down) * g.block_rows
            rest //= down
            depth = rest % g.out_depth
            rest //= g.out_depth
            group = rest % g.groups
            n = min(g.block_columns, g.out_columns - j0)
            lines = min(g.block_rows, g.out_rows - i0)
            z0 = depth * g.depth_stride - g.depth_before
            r0 = i0 * g.row_stride - g.row_before
            c0 = j0 * g.column_stride - g.column_before
            x_base = rest * g.group_inputs * in_volume
            y_base = rest * (g.group_rows // g.parts) * out_volume
            y_base += (depth * g.out_rows + i0) * g.out_columns + j0
            row_span = (lines - 1) * g.row_stride + g.row_reach + 1

            straight = g.parts == 1 and n >= width and not g.flat
            length = (lines - 1) * g.segment + n if g.flat else n
            tiles = -(-length // width)
            whole_tiles = n // width if straight else tiles
            inside = (
                straight
                and g.column_stride == 1
                and z0 >= 0
                and z0 + (g.planes - 1) * g.plane_step < g.in_depth
                and r0 >= 0
                and r0 + row_span <= g.in_rows
                and c0 >= 0
                and c0 + n + g.column_reach <= g.in_columns
            )
            if inside:
                source, offsets = x, near
                s_base = x_base + (z0 * g.in_rows + r0) * g.in_columns + c0
                s_row = g.row_stride * g.in_columns
            else:
                source, offsets = slab, packed
                s_base = 0
                s_row = g.row_stride * phases.size * g.segment
                needed = n if g.flat else tiles * width
                needed += g.column_reach // g.column_stride
                _fill_slab(x, slab, phases, g, x_base, z0, r0, c0, row_span, needed)
            if straight:
                target = y
                t_base, t_channel, t_row = y_base, out_volume, g.out_columns
            else:
                target = scratch
                t_row = g.segment if g.flat else tiles * width
                t_base, t_channel = 0, tiles * width if g.flat else lines * t_row

            # A run resumes what the one before left in the output. Tiles and row blocks that
            # overlap others must not resume, so they come last, with all their terms at once.
            for step in range(runs + 2):
                t0, t1 = step * g.run, min((step + 1) * g.run, g.terms)
                tile0, tile1, block0, block1 = 0, whole_tiles, 0, whole_rows
                if step >= runs:
                    t0, t1 = 0, g.terms
                    if step == runs:
                        tile0, tile1, block1 = whole_tiles, tiles, row_blocks
                    else:
                        block0, block1 = whole_rows, row_blocks
                for line in range(1 if g.flat else lines):
                    for tile in range(tile0, tile1):
                        j = tile * width
                        if straight:
                            j = min(j, n - width)
                        for block in range(block0, block1):
                            row = min(block * rows, g.group_rows - rows)
                            accumulate(
                                source,
                                s_base + line * s_row + j,
                                offsets,
                                t0,
                                t1,
                                weights,
                                (group * row_blocks + block) * g.terms * rows,
                                bias,
                                group * g.group_rows + row,
                                target,
                                t_base + row * t_channel + line * t_row + j,
                                t_channel,
                                t0 > 0,
                                rows,
                                vectors,
                                lanes,
                            )
            if not straight:
                _empty_scratch(scratch, y, g, y_base, lines, n, t_channel, t_row)

    return compute
