"""How direct convolution by tiles across channels cuts a problem, and which problems it serves.

Numbers only, as in `convolved_engine.algorithms.tiling`.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from convolved_engine import threads as pool
from convolved_engine.kernels.channel_layout import ChannelLayout
from convolved_engine.kernels.shapes import REGISTERS
from convolved_engine.machine import Machine
from convolved_engine.problem import Problem

from .tiling import three_axes

__all__ = [
    "channel_effort",
    "channel_layout",
    "channel_seconds",
    "channel_tables",
    "channel_tile",
    "goes_by_channels",
]

# Outputs, and vectors of channels, of a tile, by the vector registers: sums, weights and one input.
_TILES = {32: (8, 2), 16: (6, 2)}
_BLOCK_OUTPUTS = 768
_LEAST_OUTPUTS = 64
_SLAB_BYTES = 512 << 10
# Of a run, the weights stay in the first-level cache.
_RUN_BYTES = 24 << 10
_LEAST_TERMS = 96
_MOST_WASTE = 1.1
_BLOCKS_OF_A_THREAD = 8
_LEAST_BLOCK_MULTIPLY_ADDS = 2_000_000
# Of the multiply-adds of a tile the rate reached, and how long an output takes besides.
_EFFICIENCY = 1.03
_OUTPUT_EFFORT = 12.0


def channel_tile(vector_bytes: int) -> tuple[int, int]:
    """Outputs and vectors of a tile."""
    return _TILES[REGISTERS[vector_bytes]]


@functools.lru_cache(maxsize=1024)
def goes_by_channels(problem: Problem, vector_bytes: int) -> bool:
    """Whether tiles across channels may serve `problem` best."""
    if problem.is_complex or problem.is_integer or problem.terms < _LEAST_TERMS or problem.taps < 2:
        return False
    width = channel_tile(vector_bytes)[1] * vector_bytes // problem.dtype.itemsize
    rows = problem.group_outputs
    if -(-rows // width) * width > _MOST_WASTE * rows:
        return False
    axes = three_axes(problem)
    return _slab(problem, 1, _LEAST_OUTPUTS)[2] * problem.dtype.itemsize <= 2 * _SLAB_BYTES or (
        axes.dilation == (1, 1, 1)
    )


def _slab(problem: Problem, block_rows: int, block_columns: int) -> tuple[int, int, int]:
    """Rows, columns and numbers of the field of a block, of all channels and planes."""
    _, _, kernel, stride, dilation, _ = three_axes(problem)
    rows, columns = (
        (n - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1
        for axis, n in ((1, block_rows), (2, block_columns))
    )
    return rows, columns, problem.group_inputs * kernel[0] * rows * columns


@functools.lru_cache(maxsize=1024)
def channel_layout(problem: Problem, vector_bytes: int) -> ChannelLayout:
    """The numbers of a sweep over one signal; exact, and cheap for a problem of any size."""
    size, out, kernel, stride, dilation, before = three_axes(problem)
    item = problem.dtype.itemsize
    places, vectors = channel_tile(vector_bytes)
    width = vectors * vector_bytes // item
    tiles = -(-problem.group_outputs // width)
    block_columns = min(out[2], _BLOCK_OUTPUTS)
    block_rows = min(out[1], max(1, _BLOCK_OUTPUTS // block_columns))
    while (
        _slab(problem, block_rows, block_columns)[2] * item > _SLAB_BYTES
        and block_rows * block_columns > _LEAST_OUTPUTS
    ):
        if block_rows > 1:
            block_rows = -(-block_rows // 2)
        else:
            block_columns = -(-block_columns // 2)
    block_rows = -(-out[1] // -(-out[1] // block_rows))
    block_columns = -(-out[2] // -(-out[2] // block_columns))
    outputs = block_rows * block_columns
    fields = problem.groups * out[0] * -(-out[1] // block_rows) * -(-out[2] // block_columns)
    wanted = _BLOCKS_OF_A_THREAD * pool.limit() if pool.limit() > 1 else 1
    shares = max(1, min(tiles, -(-wanted // (problem.batch * fields))))
    worth = -(-_LEAST_BLOCK_MULTIPLY_ADDS // (outputs * width * problem.terms))
    share = min(tiles, max(worth, -(-tiles // shares)))
    slab_rows, segment, slab_size = _slab(problem, block_rows, block_columns)
    return ChannelLayout(
        groups=problem.groups,
        group_inputs=problem.group_inputs,
        group_rows=problem.group_outputs,
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
        row_reach=dilation[1] * (kernel[1] - 1),
        column_stride=stride[2],
        column_before=before[2],
        column_reach=dilation[2] * (kernel[2] - 1),
        block_rows=block_rows,
        block_columns=block_columns,
        share=share,
        slab_rows=slab_rows,
        segment=segment,
        slab_size=slab_size if any(map(any, problem.pads)) else 0,
        scratch_size=-(-outputs // places) * places * width,
        most_places=-(-outputs // places) * places,
        terms=problem.terms,
        run=max(1, _RUN_BYTES // (width * item)),
        blocks=fields * -(-tiles // share),
    )


@functools.lru_cache(maxsize=256)
def channel_tables(
    problem: Problem, vector_bytes: int
) -> tuple[ChannelLayout, NDArray[np.int64], NDArray[np.int64]]:
    """The layout, and where the terms lie in the input and in the slab; kept for the next one."""
    layout = channel_layout(problem, vector_bytes)
    size, _, kernel, _, dilation, _ = three_axes(problem)
    c, z, r, s = np.ogrid[: layout.group_inputs, : kernel[0], : kernel[1], : kernel[2]]
    r, s = r * dilation[1], s * dilation[2]
    near = ((c * size[0] + z * dilation[0]) * size[1] + r) * size[2] + s
    packed = ((c * kernel[0] + z) * layout.slab_rows + r) * layout.segment + s
    return layout, near.reshape(-1).astype(np.int64), packed.reshape(-1).astype(np.int64)


def channel_effort(layout: ChannelLayout) -> float:
    """Multiply-adds that take about as long as one block."""
    outputs = layout.block_rows * layout.block_columns
    return outputs * layout.group_rows * (layout.terms + _OUTPUT_EFFORT)


def channel_seconds(problem: Problem, machine: Machine) -> float:
    """What one thread computes for, slabs and transposing included."""
    layout = channel_layout(problem, machine.vector_bytes)
    item = problem.dtype.itemsize
    places, vectors = channel_tile(machine.vector_bytes)
    width = vectors * machine.vector_bytes // item
    tiles = -(-layout.group_rows // width)
    outputs = layout.block_rows * layout.block_columns
    swept = -(-outputs // places) * places
    fields = problem.batch * layout.blocks // -(-tiles // layout.share)
    rate = machine.fma_rate * 4 / item * _EFFICIENCY
    computed = fields * swept * tiles * width * (problem.terms + _OUTPUT_EFFORT) / rate
    lines = layout.slab_size // layout.segment
    filled = lines * machine.line_seconds + layout.slab_size * item / machine.copy_rate
    return computed + problem.batch * layout.blocks * filled
