"""Direct convolution: every product computed, in registers, with weights packed for it.

Serves every problem. The sum of one output is one chain of fused multiply-adds over its terms in
a fixed order, bias first, so that its bits depend on nothing but its own receptive field.

The error bound is derived in `convolved_engine.algorithms.weights`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import threads as pool
from convolved_engine.kernels.layout import Layout
from convolved_engine.kernels.reading import to_read
from convolved_engine.machine import Machine, vector_bytes
from convolved_engine.problem import Problem
from convolved_engine.registry import Algorithm, Cost, Parameters, Runnable, register

from .by_channels import ByChannels, cost_by_channels
from .by_planes import ByPlanes, cost_by_planes, goes_by_planes
from .channel_tiling import goes_by_channels
from .tiling import (
    block_effort,
    blocks_at_a_time,
    layout_and_tables,
    layout_for,
    three_axes,
    tile_for,
)
from .weights import error_bound, kernel_for_correlation, real_dtype, real_rows

__all__ = ["ByOutputs", "Direct"]


class Direct(Algorithm):
    """See the module."""

    name = "direct"
    cut_invariant = True

    def supports(self, problem: Problem) -> str | None:
        """Every problem."""
        del problem
        return None

    def cost(self, problem: Problem, machine: Machine) -> Cost:
        """That of the best kind of tiles."""
        costs = [_cost_by_outputs(problem, machine)]
        if goes_by_channels(problem, machine.vector_bytes):
            costs.append(cost_by_channels(problem, machine))
        if goes_by_planes(problem, machine.vector_bytes):
            costs.append(cost_by_planes(problem, machine))
        return min(costs, key=lambda each: each.seconds)

    def form(self, problem: Problem, parameters: Parameters) -> Hashable:
        """The kind of tiles, and everything but batch and size."""
        return (
            self.name,
            parameters.get("tiles"),
            problem.groups,
            problem.stride,
            problem.dilation,
            problem.pads,
            problem.dtype,
            problem.flip,
        )

    def prepare(
        self,
        problem: Problem,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        parameters: Parameters,
    ) -> Runnable:
        """Pack the weights in the order in which tiles read them."""
        if not problem.is_integer and not np.isfinite(weight).all():
            # Also without padding: a stream meets it at its ends only, and its sums are not fused.
            return _Skipping(problem, weight, bias)
        if parameters.get("tiles") == "channels":
            return ByChannels(problem, weight, bias)
        if parameters.get("tiles") == "planes":
            return ByPlanes(problem, weight, bias)
        return ByOutputs(problem, weight, bias)


def _cost_by_outputs(problem: Problem, machine: Machine) -> Cost:
    """Multiply-adds at the rate of the tile, plus one pass over input and output."""
    tile = tile_for(problem, machine.vector_bytes)
    item = real_dtype(problem.dtype).itemsize
    parts = 2 if problem.is_complex else 1
    group_rows = problem.group_outputs * parts
    lines = problem.outputs * parts // (three_axes(problem).out[2] * group_rows)
    computed = int(lines * tile.computed) * -(-group_rows // tile.rows) * tile.rows
    rate = machine.fma_rate * 4 / item * tile.efficiency
    work = computed * problem.terms * parts / rate
    moved = (problem.input_bytes + problem.output_bytes) / machine.memory_rate
    tables = problem.weight_bytes / machine.copy_rate
    layout = layout_for(problem, machine.vector_bytes)
    packing = problem.batch * _packing_seconds(problem, layout, machine)
    items = problem.batch * layout.blocks
    chunks = -(-items // blocks_at_a_time(block_effort(layout), items))
    helping = min(machine.threads, chunks)
    return Cost(
        seconds=machine.call_seconds + tables + machine.shared(work + moved + packing, helping),
        workspace_bytes=helping * (layout.slab_size + layout.scratch_size) * item
        + problem.weight_bytes * parts
        + 16 * layout.terms,
        relative_error=error_bound(problem),
    )


class ByOutputs(Runnable):
    """By tiles whose vectors hold neighboring outputs."""

    def __init__(self, problem: Problem, weight: NDArray[Any], bias: NDArray[Any] | None) -> None:
        super().__init__(problem, weight, bias)
        self._real = real_dtype(problem.dtype)
        self._rows = tile_for(problem, vector_bytes()).rows
        rows = real_rows(problem, kernel_for_correlation(problem, weight))
        groups, group_rows, terms = rows.shape
        blocks = -(-group_rows // self._rows)
        if blocks * self._rows != group_rows:
            starts = np.minimum(np.arange(blocks) * self._rows, group_rows - self._rows)
            rows = rows[:, (starts[:, None] + np.arange(self._rows)).ravel()]
        rows = rows.reshape(groups, blocks, self._rows, terms)
        self._weights = to_read(np.ascontiguousarray(rows.transpose(0, 1, 3, 2)))
        if bias is None:
            self._bias = to_read(np.zeros(groups * group_rows, self._real))
        else:
            self._bias = to_read(np.ascontiguousarray(bias, problem.dtype), self._real)
        self.nbytes = self._weights.nbytes + self._bias.nbytes

    def compute(
        self, problem: Problem, x: NDArray[Any], out: NDArray[Any], threads: int | None
    ) -> None:
        """See `Runnable`."""
        from convolved_engine.kernels.sweep import sweep

        layout, tables = layout_and_tables(problem, vector_bytes())
        lanes = vector_bytes() // self._real.itemsize
        compute = sweep(lanes)
        flat_x, flat_y = to_read(x, self._real), out.reshape(-1).view(self._real)
        slab_size, scratch_size = layout.slab_size, layout.scratch_size

        items = x.shape[0] * layout.blocks
        chunk = blocks_at_a_time(block_effort(layout), items)
        counter = np.zeros(1, np.int64)

        def work() -> None:
            slab = pool.scratch(slab_size, self._real, "slab")
            scratch = pool.scratch(scratch_size, self._real, "tile")
            compute(
                flat_x,
                flat_y,
                self._weights,
                self._bias,
                *tables,
                slab,
                scratch,
                layout,
                counter,
                items,
                chunk,
            )

        pool.on_threads(work, threads, -(-items // chunk))


class _Skipping(Runnable):
    """For weights that are not finite: no product is made with the padding."""

    def __init__(self, problem: Problem, weight: NDArray[Any], bias: NDArray[Any] | None) -> None:
        super().__init__(problem, weight, bias)
        missing = (1,) * (3 - problem.rank)
        correlating = kernel_for_correlation(problem, weight)
        self._weight = np.ascontiguousarray(
            correlating.reshape(*weight.shape[:2], *missing, *problem.kernel)
        )
        self._bias = np.zeros(len(weight), problem.dtype) if bias is None else bias
        self._axes = tuple(
            np.array(each, np.int64)
            for each in (
                missing + problem.stride,
                missing + problem.dilation,
                (0,) * len(missing) + tuple(before for before, _ in problem.pads),
                (problem.group_inputs, problem.group_outputs),
            )
        )
        self._missing = missing
        self.nbytes = self._weight.nbytes

    def compute(
        self, problem: Problem, x: NDArray[Any], out: NDArray[Any], threads: int | None
    ) -> None:
        """See `Runnable`."""
        del problem
        from convolved_engine.kernels.plain import skipping

        def work(first: int, last: int) -> None:
            for number in range(first, last):
                skipping(
                    x[number].reshape(x.shape[1], *self._missing, *x.shape[2:]),
                    self._weight,
                    self._bias,
                    out[number].reshape(out.shape[1], *self._missing, *out.shape[2:]),
                    *self._axes,
                )

        pool.for_each_chunk(len(x), work, threads)


def _packing_seconds(problem: Problem, layout: Layout, machine: Machine) -> float:
    """Of one signal: filling slabs and emptying scratch, where blocks need them."""
    item = real_dtype(problem.dtype).itemsize
    lanes = machine.vector_bytes // item
    narrow = layout.flat or layout.out_columns < layout.vectors * lanes
    if narrow or layout.parts == 2 or layout.column_stride > 1:
        inside = 0.0
    else:
        # In the rows and columns that read no padding.
        down = -(-layout.out_rows // layout.block_rows)
        inside = max(0.0, 1 - 2 / down) if any(map(any, problem.pads[:-1])) else 1.0
        if any(problem.pads[-1]):
            inside *= 1 - 2 * layout.edge / layout.out_columns if layout.edge else 0.0
    lines = layout.slab_size // layout.segment
    seconds = lines * machine.line_seconds + layout.slab_size * item / machine.copy_rate
    if layout.column_stride > 1 or layout.parts == 2:
        # Samples that do not lie side by side are copied one by one.
        seconds += 4 * layout.slab_size * 4 / machine.copy_rate
    if narrow or layout.parts == 2:
        lines = layout.group_rows * layout.block_rows
        seconds += lines * machine.line_seconds + layout.scratch_size * item / machine.copy_rate
    blocks = layout.blocks / layout.across * layout.out_columns / layout.block_columns
    return (1 - inside) * blocks * seconds


register(Direct())
