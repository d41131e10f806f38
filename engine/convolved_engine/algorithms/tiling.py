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

from convolved_engine import threads as pool
from convolved_engine.kernels.layout import Layout
from convolved_engine.kernels.shapes import REGISTERS, SHAPES
from convolved_engine.problem import Problem

from .weights import real_dtype

__all__ = [
    "Axes",
    "Tile",
    "block_effort",
    "blocks_at_a_time",
    "layout_and_tables",
    "layout_for",
    "three_axes",
    "tile_for",
]

# Multiply-adds that are worth waking another thread for, and those that are dealt at a time.
_SHARED_WORK = 4_000_000
_CHUNK_WORK = 500_000
# A block is computed by one thread: so many for each of them that the last one keeps nobody
# waiting for long, unless each were done in no time.
_BLOCKS_OF_A_THREAD = 8
_BLOCK_MULTIPLY_ADDS = 40_000_000
_LEAST_BLOCK_MULTIPLY_ADDS = 4_000_000
_BLOCK_OUTPUTS = 8192
_BLOCK_BYTES = 512 << 10
# Of a run, the inputs of a tile stay in the first-level cache, and the weights in the second.
_RUN_BYTES = 24 << 10
_RUN_WEIGHT_BYTES = 512 << 10
_LEAST_RUN = 96
# Rows of a flat block for which the waste at its end is weighed.
_FLAT_LINES = 32
# Tiles of a flat block, of which its last one is wasted in part.
_FLAT_TILES = 8
# Multiply-adds that take as long as copying one number, by which slabs and scratch are weighed.
_COPY_EFFORT = 6.0


class Tile(NamedTuple):
    """The shape of a tile, and whether rows are swept as one through a flat slab."""

    rows: int
    vectors: int
    flat: bool
    computed: float
    """Outputs computed for one row of output, thrown away ones included."""
    efficiency: float
    """Multiply-adds in one second, relative to those of the best tile."""


def _efficiency(rows: int, vectors: int, vector_bytes: int) -> float:
    """Two multiply-adds and two loads begin in each cycle, and a sum waits four for the last.

    A vector that straddles two lines of the cache is loaded twice: one of 64 bytes always, unless
    it is aligned by chance.
    """
    sums = rows * vectors
    loads = rows + vectors * (1 + vector_bytes / 64)
    return min(1.0, 0.9 * sums / 8, 0.9 * sums / loads)


@functools.lru_cache(maxsize=1024)
def tile_for(problem: Problem, vector_bytes: int) -> Tile:
    """The tile that serves `problem` best on registers of `vector_bytes`.

    Its rows follow from the channels alone, because weights are packed by them.
    """
    parts = 2 if problem.is_complex else 1
    group_rows = problem.group_outputs * parts
    tiles = SHAPES[REGISTERS[vector_bytes]]

    def effort(rows: int) -> float:
        return -(-group_rows // rows) * rows / _efficiency(rows, tiles[rows][0], vector_bytes)

    fitting = [
        rows for rows in tiles if rows <= group_rows and not (problem.is_complex and rows % 2)
    ]
    # Of equals the one with most rows: it loads least.
    rows = min(reversed(fitting), key=effort)
    lanes = vector_bytes // real_dtype(problem.dtype).itemsize
    axes = three_axes(problem)
    columns, lines = axes.out[2], min(axes.out[1], _FLAT_LINES)
    pitch = columns + _slab_parts(problem)[1].overlap
    terms = problem.terms * parts
    filled = problem.group_inputs * parts * axes.stride[1] * axes.stride[2] / group_rows
    best: tuple[float, Tile] | None = None
    for vectors in tiles[rows]:
        width = vectors * lanes
        efficiency = _efficiency(rows, vectors, vector_bytes)
        for flat in (False, True) if lines > 1 else (False,):
            swept = (lines - 1) * pitch + columns if flat else columns
            computed = -(-swept // width) * width / (lines if flat else 1)
            copied = 0.0
            if flat or columns < width:
                copied = 1 + filled * (axes.stride[2] == 1)
            taken = computed / efficiency + columns * copied * _COPY_EFFORT / terms
            if best is None or taken < best[0]:
                best = taken, Tile(rows, vectors, flat, computed, efficiency)
    assert best is not None
    return best[1]


def layout_for(problem: Problem, vector_bytes: int) -> Layout:
    """The numbers of a sweep over one signal; exact, and cheap for a problem of any size."""
    size, out, kernel, stride, dilation, before = three_axes(problem)
    reach = tuple(d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
    parts = 2 if problem.is_complex else 1
    item = real_dtype(problem.dtype).itemsize
    rows, vectors, flat, _, _ = tile_for(problem, vector_bytes)
    width = vectors * vector_bytes // item
    row_parts, column_parts = _slab_parts(problem)
    residues, phases = row_parts.number, column_parts.number
    channels, group_rows = problem.group_inputs * parts, problem.group_outputs * parts
    terms = problem.terms * parts

    def slab(block_rows: int, block_columns: int) -> tuple[int, int, int]:
        span = block_rows + row_parts.overlap
        swept = block_columns if flat else -(-block_columns // width) * width
        segment = swept + column_parts.overlap
        size = channels * kernel[0] * residues * span * phases * segment
        return span, segment, size + (width if flat else 0)

    def scratch(block_rows: int, block_columns: int) -> int:
        if flat:
            swept = block_rows * slab(block_rows, block_columns)[1]
            return group_rows * -(-swept // width) * width
        # Real blocks as wide as a tile are computed where they belong.
        tiles = -(-block_columns // width) if parts == 2 else 1
        return group_rows * block_rows * tiles * width

    def block_bytes(block_rows: int, block_columns: int) -> int:
        return (slab(block_rows, block_columns)[2] + scratch(block_rows, block_columns)) * item

    blocks = _BLOCKS_OF_A_THREAD * pool.limit() if pool.limit() > 1 else 1
    even = problem.batch * problem.groups * math.prod(out) * group_rows * terms // blocks
    least = max(_LEAST_BLOCK_MULTIPLY_ADDS, flat * _FLAT_TILES * width * group_rows * terms)
    block_work = min(_BLOCK_MULTIPLY_ADDS, max(least, even))
    most = max(width, min(_BLOCK_OUTPUTS, block_work // (group_rows * terms)))
    edge = 0 if flat or parts == 2 else _edge(problem, width)
    inner = out[2] - 2 * edge
    block_columns = inner if flat else min(inner, most // width * width)
    block_rows = min(out[1], max(1, most // block_columns))
    while block_bytes(block_rows, block_columns) > _BLOCK_BYTES:
        if block_rows > 1 and 2 * block_rows > row_parts.overlap:
            block_rows = -(-block_rows // 2)
        elif block_columns > width and not flat:
            block_columns = -(-block_columns // (2 * width)) * width
        elif block_rows > 1:
            block_rows = -(-block_rows // 2)
        else:
            break
    block_columns = _alike(inner, block_columns, width)
    block_rows = _alike(out[1], block_rows, 1)
    if flat:
        pitch = block_columns + column_parts.overlap
        block_rows = _rows_without_waste(out[1], block_rows, pitch, block_columns, width)
    widest = max(edge, block_columns)
    slab_rows, segment, slab_size = slab(block_rows, widest)
    lines = max(1, _RUN_BYTES // ((width + reach[2]) * item))
    shared = max(_LEAST_RUN, _RUN_WEIGHT_BYTES // (group_rows * item))
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
        row_overlap=row_parts.overlap,
        column_stride=stride[2],
        column_before=before[2],
        column_reach=reach[2],
        column_overlap=column_parts.overlap,
        block_rows=block_rows,
        block_columns=block_columns,
        edge=edge,
        across=-(-inner // block_columns) + 2 * (edge > 0),
        slab_rows=slab_rows,
        segment=segment,
        slab_size=slab_size,
        scratch_size=scratch(block_rows, widest),
        rows=rows,
        vectors=vectors,
        flat=flat,
        terms=terms,
        run=min(shared, max(_LEAST_RUN, lines * kernel[2])),
    )


def _edge(problem: Problem, width: int) -> int:
    """Columns of outputs at either end of a row that are computed apart; 0 for none.

    They alone read padding, and so the blocks between them need no slab.
    """
    size, out, kernel, stride, dilation, before = three_axes(problem)
    after = out[2] - 1 + dilation[2] * (kernel[2] - 1) + 1 - before[2] - size[2]
    edge = -(-max(before[2], after) // width) * width
    return edge if stride[2] == 1 and out[2] >= 2 * edge + width else 0


class _Parts(NamedTuple):
    """How a slab holds an axis: the parts, and what each has beyond one number for each output."""

    number: int
    overlap: int


def _slab_parts(problem: Problem) -> tuple[_Parts, _Parts]:
    """Of rows and of columns: one part for each residue by the stride, or one for each tap.

    The latter holds less where taps lie far apart.
    """
    _, out, kernel, stride, dilation, _ = three_axes(problem)
    found = []
    for axis, most in ((1, _FLAT_LINES), (2, _BLOCK_OUTPUTS)):
        shared = min(kernel[axis], stride[axis] // math.gcd(stride[axis], dilation[axis]))
        overlap = dilation[axis] * (kernel[axis] - 1) // stride[axis]
        outputs = min(out[axis], most)
        apart = kernel[axis] * outputs < shared * (outputs + overlap)
        found.append(_Parts(kernel[axis], 0) if apart else _Parts(shared, overlap))
    return found[0], found[1]


def _alike(count: int, most: int, multiple: int) -> int:
    """The size, a multiple, that cuts `count` into no more pieces than `most` does, but evenly."""
    each = -(-count // -(-count // most))
    return min(most, -(-each // multiple) * multiple)


def block_effort(layout: Layout) -> float:
    """Multiply-adds that take about as long as one block, its slab and scratch included."""
    outputs = layout.group_rows * layout.block_rows * layout.block_columns
    return outputs * layout.terms + _COPY_EFFORT * (layout.slab_size + layout.scratch_size)


def blocks_at_a_time(each: float, blocks: int) -> int:
    """Blocks of so much effort dealt at a time: all where the work is not worth sharing."""
    if blocks * each < _SHARED_WORK:
        return max(1, blocks)
    return max(1, int(_CHUNK_WORK // each))


def _rows_without_waste(rows: int, about: int, pitch: int, columns: int, width: int) -> int:
    """Rows of a flat block, up to twice as many as `about`, for which fewest tiles are swept."""

    def tiles(block_rows: int) -> int:
        whole, rest = divmod(rows, block_rows)
        found = whole * -(-((block_rows - 1) * pitch + columns) // width)
        return found + (-(-((rest - 1) * pitch + columns) // width) if rest else 0)

    # Of equals the fewest rows: their slab is the smallest.
    return min(range(max(1, about // 2), min(rows, 2 * about) + 1), key=tiles)


def _tables(problem: Problem, layout: Layout) -> tuple[NDArray[np.int64], ...]:
    """Where the terms lie in the input and in the slab, and how the slab parts rows and columns."""
    size, _, kernel, stride, dilation, _ = three_axes(problem)
    taps = np.arange(kernel[2]) * dilation[2]
    lines = np.arange(kernel[1]) * dilation[1]
    row_parts, column_parts = _slab_parts(problem)
    residues, residue_of, row_at = _parted(lines, stride[1], row_parts)
    phases, phase_of, column_at = _parted(taps, stride[2], column_parts)
    c, z, r = np.ogrid[: layout.group_inputs * layout.parts, : kernel[0], : kernel[1]]
    c, z, r = c[..., None], z[..., None], r[..., None]
    near = ((c * size[0] + z * dilation[0]) * size[1] + r * dilation[1]) * size[2] + taps
    packed = ((c * kernel[0] + z) * len(residues) + residue_of[r]) * len(phases) + phase_of
    packed = packed * layout.slab_rows + row_at[r]
    packed = packed * layout.segment + column_at
    return near.reshape(-1), packed.reshape(-1), residues, phases


def _parted(
    taps: NDArray[np.int64], stride: int, parts: _Parts
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Where the parts of an axis begin, and of each tap its part and its place in it."""
    if not parts.overlap and parts.number == len(taps):
        return taps, np.arange(len(taps)), np.zeros(len(taps), np.int64)
    begins, part_of = np.unique(taps % stride, return_inverse=True)
    return begins, part_of, taps // stride


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
