"""Direct convolution: every product computed, in registers, with weights packed for it.

Serves every problem. The sum of one output is one chain of fused multiply-adds over its terms in
a fixed order, bias first, so that its bits depend on nothing but its own receptive field.

Error bound: n fused multiply-adds round n times, hence |error| <= gamma(n) * sum|w||x| with
gamma(n) = n * u / (1 - n * u) (N. Higham, Accuracy and Stability of Numerical Algorithms,
section 3.1), n counting the bias too. A complex sum is two real ones of twice the terms; together
they add a factor of sqrt(2).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convolved_engine import threads as pool
from convolved_engine.kernels.layout import Layout
from convolved_engine.machine import Machine, vector_bytes
from convolved_engine.problem import Problem
from convolved_engine.registry import Algorithm, Cost, Parameters, Runnable, register

__all__ = ["Direct", "error_bound", "kernel_for_correlation", "real_rows"]

_CHUNK_MULTIPLY_ADDS = 4_000_000
_BLOCK_MULTIPLY_ADDS = 40_000_000
_BLOCK_OUTPUTS = 8192
_BLOCK_BYTES = 256 << 10
_RUN_BYTES = 24 << 10
_REVERSED = (slice(None, None, -1),) * 3


class Direct(Algorithm):
    """See the module."""

    name = "direct"
    cut_invariant = True

    def supports(self, problem: Problem) -> str | None:
        """Every problem."""
        del problem
        return None

    def cost(self, problem: Problem, machine: Machine) -> Cost:
        """Multiply-adds at the rate of the tile, plus one pass over input and output."""
        tile = _tile(problem)
        item = real_dtype(problem.dtype).itemsize
        parts = 2 if problem.is_complex else 1
        group_rows = problem.group_outputs * parts
        lines = problem.outputs * parts // (three_axes(problem).out[2] * group_rows)
        computed = lines * tile.computed * -(-group_rows // tile.rows) * tile.rows
        rate = machine.fma_rate * 4 / item * _EFFICIENCY.get(tile.rows, 1.0)
        work = computed * problem.terms * parts / rate
        moved = (problem.input_bytes + problem.output_bytes) / machine.memory_rate
        tables = problem.weight_bytes / machine.copy_rate
        layout = _layout(problem)
        packing = problem.batch * _packing_seconds(problem, layout, machine)
        chunks = computed * problem.terms * parts // _CHUNK_MULTIPLY_ADDS + 1
        helping = min(machine.threads, chunks, problem.batch * layout.blocks)
        return Cost(
            seconds=machine.call_seconds + tables + (work + moved + packing) / helping,
            workspace_bytes=helping * (layout.slab_size + layout.scratch_size) * item
            + problem.weight_bytes * parts
            + 16 * layout.terms,
            relative_error=error_bound(problem),
        )

    def form(self, problem: Problem, parameters: Parameters) -> Hashable:
        """Everything but batch and size; the tile's width also follows from a short row."""
        del parameters
        return (
            self.name,
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
        del parameters
        if not problem.is_integer and any(map(any, problem.pads)) and not np.isfinite(weight).all():
            return _Skipping(problem, weight, bias)
        return _Direct(problem, weight, bias)


class _Direct(Runnable):
    def __init__(self, problem: Problem, weight: NDArray[Any], bias: NDArray[Any] | None) -> None:
        super().__init__(problem, weight, bias)
        self._real = real_dtype(problem.dtype)
        self._rows = _tile(problem).rows
        rows = real_rows(problem, kernel_for_correlation(problem, weight))
        groups, group_rows, terms = rows.shape
        blocks = -(-group_rows // self._rows)
        if blocks * self._rows != group_rows:
            starts = np.minimum(np.arange(blocks) * self._rows, group_rows - self._rows)
            rows = rows[:, (starts[:, None] + np.arange(self._rows)).ravel()]
        rows = rows.reshape(groups, blocks, self._rows, terms)
        self._weights = np.ascontiguousarray(rows.transpose(0, 1, 3, 2)).reshape(-1)
        if bias is None:
            self._bias = np.zeros(groups * group_rows, self._real)
        else:
            self._bias = np.ascontiguousarray(bias, problem.dtype).view(self._real)
        self.nbytes = self._weights.nbytes + self._bias.nbytes

    def compute(
        self, problem: Problem, x: NDArray[Any], out: NDArray[Any], threads: int | None
    ) -> None:
        """See `Runnable`."""
        from convolved_engine.kernels.sweep import sweep

        layout, tables = _sweep_of(problem)
        lanes = vector_bytes() // self._real.itemsize
        compute = sweep(self._rows, layout.vectors, lanes)
        flat_x, flat_y = x.reshape(-1).view(self._real), out.reshape(-1).view(self._real)
        slab_size, scratch_size = layout.slab_size, layout.scratch_size

        def work(first: int, last: int) -> None:
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
                first,
                last,
            )

        items = x.shape[0] * layout.blocks
        each = layout.block_rows * layout.block_columns * layout.group_rows * layout.terms
        pool.for_each_chunk(items, work, threads, max(1, _CHUNK_MULTIPLY_ADDS // each))


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


def real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the parts of a complex dtype; any other as it is."""
    if dtype.kind != "c":
        return dtype
    return np.dtype(np.float32 if dtype.itemsize == 8 else np.float64)


def kernel_for_correlation(problem: Problem, weight: NDArray[Any]) -> NDArray[Any]:
    """The weight in the problem's dtype, reversed if the problem flips it."""
    weight = np.asarray(weight, problem.dtype)
    return (
        weight[(slice(None), slice(None), *_REVERSED[: problem.rank])] if problem.flip else weight
    )


def real_rows(problem: Problem, weight: NDArray[Any]) -> NDArray[Any]:
    """Real rows (groups, rows of a group, terms): a complex row becomes two of twice the terms."""
    groups, outputs, inputs = problem.groups, problem.group_outputs, problem.group_inputs
    if not problem.is_complex:
        return weight.reshape(groups, outputs, -1)
    grouped = weight.reshape(groups, outputs, inputs, -1)
    split = np.empty((groups, outputs, 2, inputs, 2, grouped.shape[-1]), real_dtype(problem.dtype))
    split[:, :, 0, :, 0] = split[:, :, 1, :, 1] = grouped.real
    split[:, :, 0, :, 1] = -grouped.imag
    split[:, :, 1, :, 0] = grouped.imag
    return split.reshape(groups, outputs * 2, -1)


def error_bound(problem: Problem) -> float:
    """The bound stated above; 0 for integers."""
    if problem.is_integer:
        return 0.0
    unit = float(np.finfo(problem.dtype).eps) / 2
    terms = problem.terms * (2 if problem.is_complex else 1) + problem.has_bias
    bound = terms * unit / (1 - min(0.5, terms * unit))
    return bound * (math.sqrt(2) if problem.is_complex else 1)


# Rows of a tile, and the vectors of a wide and of a narrow one: as many accumulators as the
# registers hold beside the inputs and a weight, and in a narrow one as many as hide the latency.
_TILES = {
    32: {1: (12, 4), 2: (8, 4), 3: (7, 2), 4: (6, 2), 6: (4, 1), 8: (3, 1)},
    16: {1: (6, 3), 2: (5, 3), 3: (3, 2), 4: (3, 1), 6: (2, 1)},
}
# Few rows share each loaded input, so that loads hold the multiply-adds up.
_EFFICIENCY = {1: 0.5, 2: 0.8, 3: 0.95}
# Copying to the flat slab and from it costs as much as computing so much more.
_FLAT_EFFORT = 1.2


def _packing_seconds(problem: Problem, layout: Layout, machine: Machine) -> float:
    """Of one signal: filling slabs and emptying scratch, where blocks need them."""
    item = real_dtype(problem.dtype).itemsize
    lanes = machine.vector_bytes // item
    narrow = layout.flat or layout.out_columns < layout.vectors * lanes
    if narrow or layout.parts == 2 or layout.column_stride > 1:
        share = 1.0
    else:
        across = -(-layout.out_columns // layout.block_columns)
        share = min(1.0, 2 / across) if any(problem.pads[-1]) else 0.0
    lines = layout.slab_size // layout.segment
    seconds = lines * machine.line_seconds + layout.slab_size * item / machine.copy_rate
    if layout.column_stride > 1 or layout.parts == 2:
        # Samples that do not lie side by side are copied one by one.
        seconds += 4 * layout.slab_size * 4 / machine.copy_rate
    if narrow or layout.parts == 2:
        lines = layout.group_rows * layout.block_rows
        seconds += lines * machine.line_seconds + layout.scratch_size * item / machine.copy_rate
    return share * layout.blocks * seconds


class _Tile(NamedTuple):
    """The shape of a tile, and whether rows are swept as one through a flat slab."""

    rows: int
    vectors: int
    flat: bool
    computed: int
    """Outputs computed for one row of output, thrown away ones included."""


@functools.lru_cache(maxsize=1024)
def _tile(problem: Problem) -> _Tile:
    group_rows = problem.group_outputs * (2 if problem.is_complex else 1)
    registers = 16 if vector_bytes() == 32 else 32

    def effort(rows: int) -> float:
        return -(-group_rows // rows) * rows / _EFFICIENCY.get(rows, 1.0)

    fitting = [
        rows
        for rows in _TILES[registers]
        if rows <= group_rows and not (problem.is_complex and rows % 2)
    ]
    # Of equals the one with most rows: it loads least.
    rows = min(reversed(fitting), key=effort)
    lanes = vector_bytes() // real_dtype(problem.dtype).itemsize
    axes = three_axes(problem)
    wide, narrow = _TILES[registers][rows]
    needed = -(-axes.out[2] // lanes)
    vectors = wide if needed >= wide or -(-needed // narrow) * narrow > wide else narrow
    computed = -(-needed // vectors) * vectors * lanes
    flattened = axes.out[2] + axes.dilation[2] * (axes.kernel[2] - 1)
    if axes.out[1] > 1 and axes.stride[1:] == (1, 1) and _FLAT_EFFORT * flattened < computed:
        return _Tile(rows, wide, True, flattened)
    return _Tile(rows, vectors, False, computed)


def _layout(problem: Problem) -> Layout:
    """The numbers of a sweep over one signal; exact, and cheap for a problem of any size."""
    size, out, kernel, stride, dilation, before = three_axes(problem)
    reach = tuple(d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
    parts = 2 if problem.is_complex else 1
    item = real_dtype(problem.dtype).itemsize
    _, vectors, flat, _ = _tile(problem)
    width = vectors * vector_bytes() // item
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
def _sweep_of(problem: Problem) -> tuple[Layout, tuple[NDArray[np.int64], ...]]:
    layout = _layout(problem)
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


register(Direct())
