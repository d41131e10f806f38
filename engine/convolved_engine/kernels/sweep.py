"""Direct convolution: blocks of outputs, each computed tile by tile.

One block is up to `block_rows` output rows of up to `block_columns` outputs, of all output
channels of one group. Where its receptive field lies inside the input, the tiles read the input
itself, and so that it does in most blocks, the `edge` columns at either end of a row are blocks of
their own; elsewhere (at padded edges, with a stride along the row, with complex samples) the field
is first copied into a slab: padded by zeros, rows and columns parted by their residues by the
strides, so that neighboring outputs read neighboring numbers, real and imaginary parts apart. A
complex convolution is a real one of twice the channels. Rows much shorter than a tile are swept
as one long row through a flat slab; what is computed between two rows is thrown away.

The terms of long sums are taken in runs, so that the weights of a run and the inputs of a tile
stay in the first-level cache; an accumulator waits in the output meanwhile, which loses no bits.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .compile import kernel, revision
from .dealing import take as _take
from .rows import copy_row as _copy_row
from .rows import part_row as _part_row
from .tile import accumulate_many as _accumulate_many

__all__ = ["sweep"]

# numba gives the first parameter, its typing context.
accumulate_many: Any = _accumulate_many
take: Any = _take
copy_row: Any = _copy_row
part_row: Any = _part_row


# A signed index might count from the end; asking that of each one keeps loops from vectors.
unsigned = np.uint64


@kernel
def _inside(begin: int, step: int, size: int, n: int) -> tuple[int, int]:
    """Which of n samples from `begin` on, a step apart, lie in an axis of that size."""
    low = min(max(0, -(begin // step)), n)
    return low, max(low, min(-((begin - size) // step), n))


@kernel
def _columns(g: Any, number: int) -> tuple[int, int]:
    """Where a block begins along the row, and its outputs; what reads padding is one by itself."""
    end = g.out_columns - g.edge
    if g.edge and number == 0:
        return 0, g.edge
    if g.edge and number == g.across - 1:
        return end, g.edge
    begin = g.edge + (number - (g.edge > 0)) * g.block_columns
    return begin, min(g.block_columns, end - begin)


@kernel
def _fill_columns(
    x: Any, slab: Any, here: Any, first: int, copied: Any, inside: Any, steps: Any
) -> None:
    """What is not yet copied of the rows here[0]..here[1]: from the input if inside it, else zeros.

    Column by column: as rows they would be too short, and their zeros as many calls.
    """
    step, pitch, segment, n = steps
    left = n - (copied[1] - copied[0])
    for number in range(left):
        i = number if number < copied[0] else number + copied[1] - copied[0]
        within = inside[0] <= i < inside[1]
        for row in range(here[0], here[1]):
            source, target = first + row * pitch + i * step, here[2] + row * segment + i
            if within:
                slab[unsigned(target)] = x[unsigned(source)]
            else:
                slab[unsigned(target)] = 0


@kernel
def _fill_slab(
    x: Any,
    slab: Any,
    residues: Any,
    phases: Any,
    g: Any,
    base: int,
    z0: int,
    r0: int,
    c0: int,
    rows: int,
    n: int,
) -> None:
    volume = g.in_depth * g.in_rows * g.in_columns
    step = g.column_stride * g.parts
    pitch = g.row_stride * g.in_columns * g.parts
    steps = step, pitch, g.segment, n
    paired = g.parts == 1 and g.column_stride == 2
    paired = paired and phases.size == 2 and phases[1] == phases[0] + 1
    at, phase_size = 0, g.slab_rows * g.segment
    for channel in range(g.group_inputs):
        for part in range(g.parts):
            for plane in range(g.planes):
                z = z0 + plane * g.plane_step
                for residue in residues:
                    above, below = _inside(r0 + residue, g.row_stride, g.in_rows, rows)
                    if z < 0 or z >= g.in_depth:
                        above = below = rows
                    top = base + channel * volume + (z * g.in_rows + r0 + residue) * g.in_columns
                    for number in range(phases.size):
                        here, begin = at + number * phase_size, c0 + phases[number]
                        first = (top + begin) * g.parts + part
                        low, high = inside = _inside(begin, g.column_stride, g.in_columns, n)
                        if paired:
                            # Both at once from where the even ones begin: several times as fast.
                            odd = _inside(c0 + phases[1], 2, g.in_columns, n)
                            even = _inside(c0 + phases[0], 2, g.in_columns, n)
                            low, high = max(odd[0], even[0]), min(odd[1], even[1])
                            high = max(low, high)
                        for row in range(above, below):
                            source, target = first + row * pitch, here + row * g.segment
                            if paired:
                                if number == 0:
                                    part_row(
                                        x,
                                        source + 2 * low,
                                        slab,
                                        target + low,
                                        target + phase_size + low,
                                        high - low,
                                    )
                            elif step == 1:
                                copy_row(x, source + low, slab, target + low, high - low)
                            else:
                                for i in range(low, high):
                                    slab[unsigned(target + i)] = x[unsigned(source + i * step)]
                        places = above, below, here
                        _fill_columns(x, slab, places, first, (low, high), inside, steps)
                        for row in range(rows):
                            if row < above or row >= below:
                                for i in range(n):
                                    slab[unsigned(here + row * g.segment + i)] = 0
                    at += phases.size * phase_size


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
                copy_row(scratch, source, y, target, n)
            else:
                for j in range(n):
                    y[unsigned(target + j * g.parts)] = scratch[unsigned(source + j)]


@cache
def sweep(lanes: int) -> Any:
    """The kernel for vectors of that many numbers.

    One for tiles of all shapes: what is around them takes longer to compile than they do.
    """
    parts_revision = revision("tile", "shapes", "layout", "dealing", "prefetch", "rows")

    @kernel
    def compute(
        x: Any,
        y: Any,
        weights: Any,
        bias: Any,
        near: Any,
        packed: Any,
        residues: Any,
        phases: Any,
        slab: Any,
        scratch: Any,
        g: Any,
        counter: Any,
        items: int,
        chunk: int,
    ) -> None:
        # Named here to be held by the closure.
        _ = parts_revision
        rows, width = g.rows, g.vectors * lanes
        in_volume = g.in_depth * g.in_rows * g.in_columns
        out_volume = g.out_depth * g.out_rows * g.out_columns
        down = -(-g.out_rows // g.block_rows)
        whole_rows = g.group_rows // rows
        row_blocks = -(-g.group_rows // rows)
        runs = -(-g.terms // g.run)
        w_step = g.terms * rows
        last = first = 0
        while True:
            if first >= last:
                first = take(counter, chunk)
                last = min(first + chunk, items)
                if first >= items:
                    break
            item = first
            first += 1
            j0, n = _columns(g, item % g.across)
            rest = item // g.across
            i0 = (rest % down) * g.block_rows
            rest //= down
            depth = rest % g.out_depth
            rest //= g.out_depth
            group = rest % g.groups
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
                s_row = g.segment
                needed = n if g.flat else tiles * width
                needed += g.column_overlap
                held = lines + g.row_overlap
                _fill_slab(x, slab, residues, phases, g, x_base, z0, r0, c0, held, needed)
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
                if tile0 == tile1 or block0 == block1:
                    continue
                for line in range(1 if g.flat else lines):
                    accumulate_many(
                        source,
                        s_base + line * s_row,
                        offsets,
                        t0,
                        t1,
                        weights,
                        group * row_blocks * w_step,
                        bias,
                        group * g.group_rows,
                        target,
                        t_base + line * t_row,
                        t_channel,
                        t0 > 0,
                        w_step,
                        tile0,
                        tile1,
                        n - width if straight else tiles * width,
                        block0,
                        block1,
                        g.group_rows - rows,
                        rows,
                        g.vectors,
                        lanes,
                    )
            if not straight:
                _empty_scratch(scratch, y, g, y_base, lines, n, t_channel, t_row)

    return compute
