"""Direct convolution where channels are many: tiles whose vectors lie across output channels.

Neither short rows nor strides waste anything then; see `convolved_engine.kernels.channel_tile`.
Bits and error bound are those of any direct convolution.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import threads as pool
from convolved_engine.kernels.reading import to_read
from convolved_engine.machine import Machine, vector_bytes
from convolved_engine.problem import Problem
from convolved_engine.registry import Cost, Runnable

from .channel_tiling import (
    channel_effort,
    channel_layout,
    channel_seconds,
    channel_tables,
    channel_tile,
)
from .tiling import blocks_at_a_time
from .weights import error_bound, kernel_for_correlation, real_rows

__all__ = ["ByChannels", "cost_by_channels"]


def cost_by_channels(problem: Problem, machine: Machine) -> Cost:
    """Multiply-adds at the rate of the tile, slabs, and one pass over input and output."""
    layout = channel_layout(problem, machine.vector_bytes)
    item = problem.dtype.itemsize
    moved = (problem.input_bytes + problem.output_bytes) / machine.memory_rate
    tables = problem.weight_bytes / machine.copy_rate
    helping = min(machine.threads, problem.batch * layout.blocks)
    work = channel_seconds(problem, machine) + moved
    return Cost(
        seconds=machine.call_seconds + tables + machine.shared(work, helping),
        workspace_bytes=helping * (layout.slab_size + layout.scratch_size) * item
        + int(1.1 * problem.weight_bytes)
        + 16 * layout.terms,
        relative_error=error_bound(problem),
        parameters={"tiles": "channels"},
    )


class ByChannels(Runnable):
    """By tiles whose vectors lie across channels."""

    def __init__(self, problem: Problem, weight: NDArray[Any], bias: NDArray[Any] | None) -> None:
        super().__init__(problem, weight, bias)
        self._lanes = vector_bytes() // problem.dtype.itemsize
        self._places, self._vectors = channel_tile(vector_bytes())
        width = self._vectors * self._lanes
        rows = real_rows(problem, kernel_for_correlation(problem, weight))
        groups, group_rows, terms = rows.shape
        tiles = -(-group_rows // width)
        padded = _aligned(groups * tiles * terms * width, problem.dtype)
        padded = padded.reshape(groups, tiles, terms, width)
        padded[:, -1] = 0
        biases = np.zeros((groups, tiles, width), problem.dtype)
        for tile in range(tiles):
            some = slice(tile * width, min((tile + 1) * width, group_rows))
            padded[:, tile, :, : some.stop - some.start] = rows[:, some].transpose(0, 2, 1)
            if bias is not None:
                given = np.asarray(bias, problem.dtype).reshape(groups, group_rows)[:, some]
                biases[:, tile, : some.stop - some.start] = given
        self._weights, self._bias = to_read(padded), to_read(biases)
        self.nbytes = self._weights.nbytes + self._bias.nbytes

    def compute(
        self, problem: Problem, x: NDArray[Any], out: NDArray[Any], threads: int | None
    ) -> None:
        """See `Runnable`."""
        from convolved_engine.kernels.channel_sweep import channel_sweep

        layout, near, packed = channel_tables(problem, vector_bytes())
        compute = channel_sweep(self._places, self._vectors, self._lanes)
        flat_x, flat_y = to_read(x), out.reshape(-1)
        items = x.shape[0] * layout.blocks
        chunk = blocks_at_a_time(channel_effort(layout), items)
        counter = np.zeros(1, np.int64)

        def work() -> None:
            slab = pool.scratch(layout.slab_size, problem.dtype, "slab")
            scratch = pool.scratch(layout.scratch_size + self._lanes, problem.dtype, "tile")
            skipped = -scratch.ctypes.data % vector_bytes() // problem.dtype.itemsize
            where = pool.scratch(layout.most_places, np.dtype(np.int64), "places")
            compute(
                flat_x,
                flat_y,
                self._weights,
                self._bias,
                near,
                packed,
                slab,
                scratch[skipped:],
                where,
                layout,
                counter,
                items,
                chunk,
            )

        pool.on_threads(work, threads, -(-items // chunk))


def _aligned(count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A flat array that begins at a whole vector."""
    spare = vector_bytes() // dtype.itemsize
    array = np.empty(count + spare, dtype)
    skipped = -array.ctypes.data % vector_bytes() // dtype.itemsize
    return array[skipped : skipped + count]
