"""Direct convolution by tiles across channels: blocks of outputs, each with a scratch of its own.

One block is up to `block_rows` output rows of up to `block_columns` outputs, of `share` tiles of
output channels of one group. Where its receptive field lies inside the input, tiles read the input
itself; elsewhere the field is first copied into a slab, padded by zeros. Nothing else is needed for
strides or short rows, because every output of a tile has a place of its own.

The terms of long sums are taken in runs whose weights stay in the first-level cache; meanwhile the
sums of all outputs of the block wait in its scratch, channels side by side, which loses no bits.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .channel_tile import accumulate_channels as _accumulate
from .channel_tile import transpose as _transpose
from .compile import kernel, revision
from .dealing import take as _take
from .rows import copy_row as _copy_row

__all__ = ["channel_sweep"]

# numba gives the first parameter, its typing context.
accumulate: Any = _accumulate
transpose: Any = _transpose
copy_row: Any = _copy_row
take: Any = _take

unsigned = np.uint64


@kernel
def _fill(x: Any, slab: Any, g: Any, base: int, corner: Any, rows: int, columns: int) -> None:
    """Copy the field at `corner`, of all channels and planes, with zeros around the input."""
    volume = g.in_depth * g.in_rows * g.in_columns
    z0, r0, c0 = corner
    low = min(max(0, -c0), columns)
    high = max(low, min(columns, g.in_columns - c0))
    here = 0
    for channel in range(g.group_inputs):
        for plane in range(g.planes):
            z = z0 + plane * g.plane_step
            top = base + channel * volume + z * g.in_rows * g.in_columns + c0
            for row in range(rows):
                r = r0 + row
                within = 0 <= z < g.in_depth and 0 <= r < g.in_rows
                begin = low if within else columns
                for i in range(begin):
                    slab[unsigned(here + i)] = 0
                if within:
                    copy_row(x, top + r * g.in_columns + low, slab, here + low, high - low)
                    for i in range(high, columns):
                        slab[unsigned(here + i)] = 0
                here += g.segment
            here += (g.slab_rows - rows) * g.segment


@cache
def channel_sweep(places: int, vectors: int, lanes: int) -> Any:
    """The kernel for tiles of that shape; each shape is compiled at its first call."""
    width = vectors * lanes
    parts_revision = revision("channel_tile", "vectors", "channel_layout", "dealing", "rows")

    @kernel
    def put(scratch: Any, y: Any, at: int, n: int, y_at: int, volume: int, channels: int) -> None:
        """y[y_at + channel * volume + i] from scratch of outputs at + i, for i in range(n)."""
        whole = channels // lanes * lanes if n >= lanes else 0
        for first in range(0, whole, lanes):
            for i in range(0, n, lanes):
                j = min(i, n - lanes)
                source = (at + j) * width + first
                transpose(scratch, source, width, y, y_at + first * volume + j, volume, lanes)
        for channel in range(whole, channels):
            for i in range(n):
                value = scratch[unsigned((at + i) * width + channel)]
                y[unsigned(y_at + channel * volume + i)] = value

    @kernel
    def compute(
        x: Any,
        y: Any,
        weights: Any,
        bias: Any,
        near: Any,
        packed: Any,
        slab: Any,
        scratch: Any,
        where: Any,
        g: Any,
        counter: Any,
        items: int,
        chunk: int,
    ) -> None:
        # Named here to be held by the closure.
        _ = parts_revision
        in_volume = g.in_depth * g.in_rows * g.in_columns
        out_volume = g.out_depth * g.out_rows * g.out_columns
        across = -(-g.out_columns // g.block_columns)
        down = -(-g.out_rows // g.block_rows)
        tiles = -(-g.group_rows // width)
        shares = -(-tiles // g.share)
        last = first = 0
        while True:
            if first >= last:
                first = take(counter, chunk)
                last = min(first + chunk, items)
                if first >= items:
                    break
            item = first
            first += 1
            share = item % shares
            rest = item // shares
            j0 = (rest % across) * g.block_columns
            rest //= across
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
            y_base = rest * g.group_rows * out_volume
            y_base += (depth * g.out_rows + i0) * g.out_columns + j0
            rows = (lines - 1) * g.row_stride + g.row_reach + 1
            columns = (n - 1) * g.column_stride + g.column_reach + 1
            if (
                z0 >= 0
                and z0 + (g.planes - 1) * g.plane_step < g.in_depth
                and r0 >= 0
                and r0 + rows <= g.in_rows
                and c0 >= 0
                and c0 + columns <= g.in_columns
            ):
                source, offsets, pitch = x, near, g.row_stride * g.in_columns
                base = x_base + (z0 * g.in_rows + r0) * g.in_columns + c0
            else:
                source, offsets, pitch = slab, packed, g.row_stride * g.segment
                base = 0
                _fill(x, slab, g, x_base, (z0, r0, c0), rows, columns)
            outputs = lines * n
            swept = -(-outputs // places) * places
            for line in range(lines):
                for j in range(n):
                    where[unsigned(line * n + j)] = line * pitch + j * g.column_stride
            for i in range(outputs, swept):
                # Computed, but not looked at.
                where[unsigned(i)] = 0

            for tile in range(share * g.share, min((share + 1) * g.share, tiles)):
                w_base = (group * tiles + tile) * g.terms * width
                b_base = (group * tiles + tile) * width
                for begin in range(0, g.terms, g.run):
                    end = min(begin + g.run, g.terms)
                    for i in range(0, swept, places):
                        accumulate(
                            source,
                            base,
                            where,
                            i,
                            offsets,
                            begin,
                            end,
                            weights,
                            w_base,
                            bias,
                            b_base,
                            scratch,
                            i * width,
                            begin > 0,
                            places,
                            vectors,
                            lanes,
                        )
                channels = min(width, g.group_rows - tile * width)
                y_tile = y_base + tile * width * out_volume
                # Whole rows follow one another in the output, too.
                stretches, length = (1, outputs) if n == g.out_columns else (lines, n)
                for i in range(stretches):
                    at = y_tile + i * g.out_columns
                    put(scratch, y, i * length, length, at, out_volume, channels)

    return compute
