"""How direct convolution cuts a problem into tiles, blocks and runs of terms.

Numbers only, all exact and cheap for a problem of any size: the planner asks for them, too. Only
`layout_and_tables` allocates, for a problem that is really computed.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convolved_engine.kernels.layout import Layout
from convolved_engine.problem import Problem

from .weights import real_dtype

__all__ = [
    "EFFICIENCY",
    "Axes",
    "Tile",
    "layout_and_tables",
    "layout_for",
    "three_axes",
    "tile_for",
]

_BLOCK_MULTIPLY_ADDS = 40_000_000
_BLOCK_OUTPUTS = 8192
_BLOCK_BYTES = 256 << 10
_RUN_BYTES = 24 << 10
# Vector registers of a CPU, by their bytes.
REGISTERS = {64: 32, 32: 16, 16: 32}
# Rows of a tile, and the vectors of a wide and of a narrow one: as many accumulators as the
# registers hold beside the inputs and a weight, and in a narrow one as many as hide the latency.
_TILES = {
    32: {1: (12, 4), 2: (8, 4), 3: (7, 2), 4: (6, 2), 6: (4, 1), 8: (3, 1)},
    16: {1: (6, 3), 2: (5, 3), 3: (3, 2), 4: (3, 1), 6: (2, 1)},
}
# Few rows share each loaded input, so that loads hold the multiply-adds up.
EFFICIENCY = {1: 0.5, 2: 0.8, 3: 0.95}
# Copying to the flat slab and from it costs as much as computing so much more.
_FLAT_EFFORT = 1.2


class Tile(NamedTuple):
    """The shape of a tile, and whether rows are swept as one through a flat slab."""

    rows: int
    vectors: int
    flat: bool
    computed: int
    """Outputs computed for one row of output, thrown away ones included."""


@functools.lru_cache(maxsize=1024)
def tile_for(problem: Problem, vector_bytes: int) -> Tile:
    """The tile that serves `problem` best on registers of `vector_bytes`."""
    group_rows = problem.group_outputs * (2 if problem.is_complex else 1)
    registers = REGISTERS[vector_bytes]

    def effort(rows: int) -> float:
        return -(-group_rows // rows) * rows / EFFICIENCY.get(rows, 1.0)

    fitting = [
        rows
        for rows in _TILES[registers]
        if rows <= group_rows and not (problem.is_complex and rows % 2)
    ]
    # Of equals the one with most rows: it loads least.
    rows = min(reversed(fitting), key=effort)
    lanes = vector_bytes // real_dtype(problem.dtype).itemsize
    axes = three_axes(problem)
    wide, narrow = _TILES[registers][rows]
    needed = -(-axes.out[2] // lanes)
    vectors = wide if needed >= wide or -(-needed // narrow) * narrow > wide else narrow
    computed = -(-needed // vectors) * vectors * lanes
    flattened = axes.out[2] + axes.dilation[2] * (axes.kernel[2] - 1)
    if axes.out[1] > 1 and axes.stride[1:] == (1, 1) and _FLAT_EFFORT * flattened < computed:
        return Tile(rows, wide, True, flattened)
    return Tile(rows, vectors, False, computed)


def layout_for(problem: Problem, vector_bytes: int) -> Layout:
    """The numbers of a sweep over one signal; exact, and cheap for a problem of any size."""
    size, out, kernel, stride, dilation, before = three_axes(problem)
    reach = tuple(d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
    parts = 2 if problem.is_complex else 1
    item = real_dtype(problem.dtype).itemsize
    _, vectors, flat, _ = tile_for(problem, vector_bytes)
    width = vectors * vector_bytes // item
    phases = min(kernel[2], stride[2] // math.gcd(stride[2], dilation[2]))
    channels, group_rows = problem.group_inputs * parts, problem.group_outputs * parts
    terms = problem.terms * parts

    def slab(block_rows: int, block_columns: int) -> tuple[int, int, int]:
        span = (block_rows - 1) * stride[1] + reach[1] + 1
        swept = block_columns if flat else -(-block_columns // width) * width
        segment = swept + reach[2] // stride[2]
        size = channels * kernel[0] * span * phases * segment
        return span, segment, size + (width if flat else 0)

    def scratch(block_rows: int, block_columns: int) -> int:
        if flat:
            swept = block_rows * slab(block_rows, block_columns)[1]
            return group_rows * -(-swept // width) * width
        return group_rows * block_rows * -(-block_columns // width) * width

    def block_bytes(block_rows: int, block_columns: int) -> int:
        return (slab(block_rows, block_columns)[2] + scratch(block_rows, block_columns)) * item

    most = max(width, min(_BLOCK_OUTPUTS, _BLOCK_MULTIPLY_ADDS // (group_rows * terms)))
    block_columns = out[2] if flat else min(out[2], most // width * width)
    block_rows = min(out[1], max(1, most // block_columns))
    while block_bytes(block_rows, block_columns) > _BLOCK_BYTES:
        if block_rows > 1 and block_rows * stride[1] > reach[1] // 2:
            block_rows = -(-block_rows // 2)
        elif block_columns > width and not flat:
            block_columns = -(-block_columns // (2 * width)) * width
        elif block_rows > 1:
            block_rows = -(-block_rows // 2)
        else:
            break
    slab_rows, segment, slab_size = slab(block_rows, block_columns)
    lines = max(1, _RUN_BYTES // ((width + reach[2]) * item))
    return Layout(
        parts=parts,
        groups=problem.groups,
        group_inputs=problem.group_inputs,
        group_rows=group_rows,
        in_depth=size[0],
        in_rows=size[1],
        in_columns=size[2],
        out_depth=out[0],
        out_rows=out[1],
        out_columns=out[2],
        planes=kernel[0],
        plane_step=dilation[0],
        depth_stride=stride[0],
        depth_before=before[0],
        row_stride=stride[1],
        row_before=before[1],
        row_reach=reach[1],
        column_stride=stride[2],
        column_before=before[2],
        column_reach=reach[2],
        block_rows=block_rows,
        block_columns=block_columns,
        slab_rows=slab_rows,
        segment=segment,
        slab_size=slab_size,
        scratch_size=scratch(block_rows, block_columns),
        vectors=vectors,
        flat=flat,
        terms=terms,
        run=max(64, lines * kernel[2]),
    )


def _tables(problem: Problem, layout: Layout) -> tuple[NDArray[np.int64], ...]:
    """Where the terms lie in the input and in the slab, and the phases of the slab."""
    size, _, kernel, stride, dilation, _ = three_axes(problem)
    taps = np.arange(kernel[2]) * dilation[2]
    phases, phase_of = np.unique(taps % stride[2], return_inverse=True)
    c, z, r = np.ogrid[: layout.group_inputs * layout.parts, : kernel[0], : kernel[1]]
    c, z, r = c[..., None], z[..., None], r[..., None]
    near = ((c * size[0] + z * dilation[0]) * size[1] + r * dilation[1]) * size[2] + taps
    packed = ((c * kernel[0] + z) * layout.slab_rows + r * dilation[1]) * len(phases) + phase_of
    packed = packed * layout.segment + taps // stride[2]
    return near.reshape(-1), packed.reshape(-1), phases


@functools.lru_cache(maxsize=256)
def layout_and_tables(
    problem: Problem, vector_bytes: int
) -> tuple[Layout, tuple[NDArray[np.int64], ...]]:
    """What a sweep needs, kept for the next one of an equal problem."""
    layout = layout_for(problem, vector_bytes)
    return layout, _tables(problem, layout)


class Axes(NamedTuple):
    """A problem's axes as depth, rows and columns; missing ones have size 1."""

    size: tuple[int, ...]
    out: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]


@functools.lru_cache(maxsize=1024)
def three_axes(problem: Problem) -> Axes:
    """The axes of `problem`; one on which nothing is summed is joined to the one before it."""
    joined: list[tuple[int, ...]] = []
    befores = tuple(pair[0] for pair in problem.pads)
    fields = (
        problem.size,
        problem.output_size,
        problem.kernel,
        problem.stride,
        problem.dilation,
        befores,
    )
    for axis, values in enumerate(zip(*fields, strict=True)):
        n, _, kernel, stride, _, _ = values
        if joined and kernel == stride == joined[-1][3] == 1 and problem.pads[axis] == (0, 0):
            size, out, kernel, stride, dilation, before = joined[-1]
            joined[-1] = (size * n, out * n, kernel, stride, dilation * n, before * n)
        else:
            joined.append(values)
    missing = [(1, 1, 1, 1, 1, 0)] * (3 - len(joined))
    return Axes(*zip(*missing, *joined, strict=True))
