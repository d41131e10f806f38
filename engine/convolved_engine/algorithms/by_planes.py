"""Direct convolution of images whose channels are not mixed, as in depthwise layers.

Few taps wait for what they read, so tiles read each row of the input once and where it is; see
`convolved_engine.kernels.plane_tile`. Bits and error bound are those of any direct convolution.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import threads as pool
from convolved_engine.kernels.plane_layout import PlaneLayout
from convolved_engine.kernels.reading import to_read
from convolved_engine.kernels.shapes import KERNELS, PLANE_TILES, REGISTERS, vectors_of_a_row
from convolved_engine.machine import Machine, vector_bytes
from convolved_engine.problem import Problem
from convolved_engine.registry import Cost, Runnable

from .tiling import blocks_at_a_time
from .weights import error_bound, kernel_for_correlation

__all__ = ["ByPlanes", "cost_by_planes", "goes_by_planes"]

# With vectors so short, CPUs leave out parts of a load one by one.
_LEAST_VECTOR_BYTES = 32
# Columns are counted in 32 bits.
_MOST_COLUMNS = 1 << 30
_BLOCK_OUTPUTS = 8192
# Multiply-adds that are worth waking another thread for: less is done before it has begun, been
# waited for, and fetched what the other one has in its cache.
_SHARED_WORK = 12_000_000
# Multiply-adds of vectors that take as long as loading one that straddles two lines of the cache.
_LOAD_EFFORT = 3.0


def goes_by_planes(problem: Problem, vector_bytes: int) -> bool:
    """Whether there are tiles for `problem`."""
    return (
        problem.rank == 2
        and problem.group_inputs == 1
        and problem.dtype.kind == "f"
        and problem.dilation == (1, 1)
        and vector_bytes >= _LEAST_VECTOR_BYTES
        and sum(problem.pads[1]) + problem.size[1] < _MOST_COLUMNS
        and problem.kernel[0] == problem.kernel[1]
        and problem.stride[0] == problem.stride[1]
        and (problem.kernel[0], problem.stride[0]) in KERNELS
    )


def cost_by_planes(problem: Problem, machine: Machine) -> Cost:
    """Multiply-adds and loads of all tiles, plus one pass over input and output."""
    layout = _layout(problem, machine.vector_bytes)
    item = problem.dtype.itemsize
    items = problem.batch * layout.channels * layout.blocks
    effort = _effort(layout, machine.vector_bytes // item)
    work = items * effort / (machine.fma_rate * 4 / item)
    moved = (problem.input_bytes + problem.output_bytes) / machine.memory_rate
    helping = min(machine.threads, -(-items // _at_a_time(effort, items)))
    return Cost(
        seconds=machine.call_seconds
        + problem.weight_bytes / machine.copy_rate
        + machine.shared(work + moved, helping),
        workspace_bytes=2 * problem.weight_bytes + helping * layout.width * item,
        relative_error=error_bound(problem),
        parameters={"tiles": "planes"},
    )


class ByPlanes(Runnable):
    """By tiles of single channels."""

    def __init__(self, problem: Problem, weight: NDArray[Any], bias: NDArray[Any] | None) -> None:
        super().__init__(problem, weight, bias)
        self._weights = to_read(np.ascontiguousarray(kernel_for_correlation(problem, weight)))
        if bias is None:
            bias = np.zeros(problem.out_channels, problem.dtype)
        self._bias = to_read(np.ascontiguousarray(bias, problem.dtype))
        self._lanes = vector_bytes() // problem.dtype.itemsize
        loaded = _loaded(_layout(problem, vector_bytes()), self._lanes)
        self._zeros = to_read(np.zeros(loaded * self._lanes, problem.dtype))
        self.nbytes = self._weights.nbytes + self._bias.nbytes + self._zeros.nbytes

    def compute(
        self, problem: Problem, x: NDArray[Any], out: NDArray[Any], threads: int | None
    ) -> None:
        """See `Runnable`."""
        from convolved_engine.kernels.plane_sweep import plane_sweep

        layout = _layout(problem, vector_bytes())
        compute = plane_sweep(self._lanes)
        flat_x, flat_y = to_read(x), out.reshape(-1)
        items = len(x) * layout.channels * layout.blocks
        chunk = _at_a_time(_effort(layout, self._lanes), items)
        counter = np.zeros(1, np.int64)

        def work() -> None:
            spare = pool.scratch(layout.width, problem.dtype, "tile")
            compute(
                flat_x,
                flat_y,
                self._weights,
                self._bias,
                self._zeros,
                spare,
                layout,
                counter,
                items,
                chunk,
            )

        pool.on_threads(work, threads, -(-items // chunk))


@functools.lru_cache(maxsize=1024)
def _layout(problem: Problem, vector_bytes: int) -> PlaneLayout:
    rows, vectors = PLANE_TILES[REGISTERS[vector_bytes]]
    out_rows, out_columns = problem.output_size
    block_rows = min(out_rows, max(1, _BLOCK_OUTPUTS // out_columns // rows) * rows)
    return PlaneLayout(
        kernel=KERNELS.index((problem.kernel[0], problem.stride[0])),
        stride=problem.stride[0],
        terms=problem.terms,
        channels=problem.out_channels,
        readers=problem.group_outputs,
        in_rows=problem.size[0],
        in_columns=problem.size[1],
        out_rows=out_rows,
        out_columns=out_columns,
        row_before=problem.pads[0][0],
        column_before=problem.pads[1][0],
        rows=rows,
        width=vectors * vector_bytes // problem.dtype.itemsize,
        block_rows=block_rows,
        blocks=-(-out_rows // block_rows),
    )


def _loaded(layout: PlaneLayout, lanes: int) -> int:
    """Vectors of a row of input that a tile reads."""
    side, stride = KERNELS[layout.kernel]
    return vectors_of_a_row(side, stride, layout.width // lanes, lanes)


def _effort(layout: PlaneLayout, lanes: int) -> float:
    """Multiply-adds that take about as long as one block."""
    side, stride = KERNELS[layout.kernel]
    lines = (layout.rows - 1) * stride + side
    loads = lines * _loaded(layout, lanes) * _LOAD_EFFORT * lanes
    tiles = -(-layout.block_rows // layout.rows) * -(-layout.out_columns // layout.width)
    return tiles * (layout.rows * layout.width * layout.terms + loads)


def _at_a_time(effort: float, items: int) -> int:
    """Blocks of so much effort dealt at a time."""
    return items if items * effort < _SHARED_WORK else blocks_at_a_time(effort, items)
