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
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import threads as pool
from convolved_engine.machine import Machine, vector_bytes
from convolved_engine.problem import Problem
from convolved_engine.registry import Algorithm, Cost, Parameters, Runnable, register

if TYPE_CHECKING:
    from convolved_engine.kernels.sweep import Layout

__all__ = ["Direct", "error_bound", "kernel_for_correlation"]

_CHUNK_MULTIPLY_ADDS = 4e6
_SLAB_BYTES = 256 << 10
_RUN_BYTES = 24 << 10


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
        rows, vectors = _tile(problem, machine.vector_bytes, machine.vector_registers)
        item = _real(problem.dtype).itemsize
        parts = 2 if problem.is_complex else 1
        group_rows = problem.group_outputs * parts
        width = vectors * machine.vector_bytes // item
        columns = problem.output_size[-1]
        lines = problem.outputs * parts // (columns * group_rows)
        computed = lines * max(columns, width) * (-(-group_rows // rows) * rows)
        rate = machine.fma_rate * 4 / item * min(1.0, 0.5 + 0.2 * (rows - 1))
        work = computed * problem.terms * parts / rate
        moved = (problem.input_bytes + problem.output_bytes) / machine.memory_rate
        packing = 0.0
        if problem.stride[-1] > 1 or problem.is_complex:
            packing = problem.input_bytes * (4 / item) / machine.copy_rate * 4
        tables = problem.weight_bytes / machine.copy_rate
        layout, _ = _layout(problem.with_input((1, *problem.input_shape[1:])))
        helping = min(machine.threads, 1 + int(computed * problem.terms / _CHUNK_MULTIPLY_ADDS))
        return Cost(
            seconds=machine.call_seconds + tables + (work + moved + packing) / helping,
            workspace_bytes=helping * _scratch_bytes(layout, item)
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
        self._problem = problem
        self._real = _real(problem.dtype)
        self._rows, _ = _tile(problem, vector_bytes())
        rows = _split_complex(kernel_for_correlation(problem, weight), problem)
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

    def __call__(self, x: NDArray[Any], out: NDArray[Any], threads: int | None = None) -> None:
        from convolved_engine.kernels.sweep import sweep

        layout, tables = _layout(self._problem.with_input((1, *x.shape[1:])))
        _, vectors = _tile_of(self._rows, layout.out_columns, self._real.itemsize, vector_bytes())
        lanes = vector_bytes() // self._real.itemsize
        compute = sweep(self._rows, vectors, lanes)
        flat_x, flat_y = x.reshape(-1).view(self._real), out.reshape(-1).view(self._real)
        slab_size, scratch_size = _scratch_sizes(layout, vectors * lanes)

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

        blocks = -(-layout.out_rows // layout.block_rows)
        blocks *= -(-layout.out_columns // layout.block_columns)
        items = x.shape[0] * layout.groups * layout.out_depth * blocks
        each = layout.block_rows * layout.block_columns * layout.group_rows * layout.terms
        pool.for_each_chunk(items, work, threads, max(1, int(_CHUNK_MULTIPLY_ADDS / each)))


class _Skipping(Runnable):
    """For weights that are not finite: no product is made with the padding."""

    def __init__(self, problem: Problem, weight: NDArray[Any], bias: NDArray[Any] | None) -> None:
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

    def __call__(self, x: NDArray[Any], out: NDArray[Any], threads: int | None = None) -> None:
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


def _real(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind != "c":
        return dtype
    return np.dtype(np.float32 if dtype.itemsize == 8 else np.float64)


def kernel_for_correlation(problem: Problem, weight: NDArray[Any]) -> NDArray[Any]:
    """The weight in the problem's dtype, reversed if the problem flips it."""
    weight = np.asarray(weight, problem.dtype)
    return np.flip(weight, tuple(range(2, weight.ndim))) if problem.flip else weight


def _split_complex(weight: NDArray[Any], problem: Problem) -> NDArray[Any]:
    """Real rows (groups, rows of a group, terms): a complex row becomes two of twice the terms."""
    groups, outputs, inputs = problem.groups, problem.group_outputs, problem.group_inputs
    if not problem.is_complex:
        return weight.reshape(groups, outputs, -1)
    grouped = weight.reshape(groups, outputs, inputs, -1)
    split = np.empty((groups, outputs, 2, inputs, 2, grouped.shape[-1]), _real(problem.dtype))
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


def _tile(problem: Problem, width: int, registers: int | None = None) -> tuple[int, int]:
    """Rows of a tile and how many vectors its rows are long."""
    parts = 2 if problem.is_complex else 1
    group_rows = problem.group_outputs * parts
    registers = registers or _registers(width)
    blocks = -(-group_rows // (8 if registers >= 32 else 6))
    rows = -(-group_rows // blocks)
    if parts == 2:
        rows += rows % 2
    return _tile_of(rows, problem.output_size[-1], _real(problem.dtype).itemsize, width, registers)


def _tile_of(
    rows: int, columns: int, item: int, width: int, registers: int | None = None
) -> tuple[int, int]:
    registers = registers or _registers(width)
    most = min((registers - 1) // (rows + 1), 12 if registers >= 32 else 6)
    needed = -(-columns * item // width)
    if needed >= most:
        return rows, most
    return rows, next(vectors for vectors in (1, 2, 3, 4, 6, 8, 12) if vectors >= needed)


def _registers(width: int) -> int:
    return 16 if width == 32 else 32


@functools.lru_cache(maxsize=512)
def _layout(problem: Problem) -> tuple[Layout, tuple[NDArray[np.int64], ...]]:
    """The numbers of a sweep over one signal, and its tables: offsets twice, phases."""
    from convolved_engine.kernels.sweep import Layout

    missing = 3 - problem.rank
    size, out = (1,) * missing + problem.size, (1,) * missing + problem.output_size
    kernel, stride = (1,) * missing + problem.kernel, (1,) * missing + problem.stride
    dilation = (1,) * missing + problem.dilation
    before = (0,) * missing + tuple(pair[0] for pair in problem.pads)
    reach = tuple(d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
    parts = 2 if problem.is_complex else 1
    item = _real(problem.dtype).itemsize
    _, vectors = _tile(problem, vector_bytes())
    width = vectors * vector_bytes() // item
    taps = np.arange(kernel[2]) * dilation[2]
    phases, phase_of = np.unique(taps % stride[2], return_inverse=True)
    channels = problem.group_inputs * parts

    def slab(block_rows: int, block_columns: int) -> tuple[int, int, int]:
        span = (block_rows - 1) * stride[1] + reach[1] + 1
        segment = -(-block_columns // width) * width + reach[2] // stride[2]
        return span, segment, channels * kernel[0] * span * len(phases) * segment

    def block_bytes(block_rows: int, block_columns: int) -> int:
        written = problem.group_outputs * parts * block_rows * block_columns
        return (slab(block_rows, block_columns)[2] + written) * item

    block_columns = min(out[2], max(width, 4096 // width * width))
    block_rows = min(out[1], max(1, 8192 // block_columns))
    while block_bytes(block_rows, block_columns) > _SLAB_BYTES:
        if block_rows > 1 and block_rows * stride[1] > reach[1] // 2:
            block_rows = -(-block_rows // 2)
        elif block_columns > width:
            block_columns = -(-block_columns // (2 * width)) * width
        elif block_rows > 1:
            block_rows = -(-block_rows // 2)
        else:
            break
    slab_rows, segment, slab_size = slab(block_rows, block_columns)

    c, z, r = np.ogrid[:channels, : kernel[0], : kernel[1]]
    c, z, r = c[..., None], z[..., None], r[..., None]
    near = ((c * size[0] + z * dilation[0]) * size[1] + r * dilation[1]) * size[2] + taps
    packed = ((c * kernel[0] + z) * slab_rows + r * dilation[1]) * len(phases) + phase_of
    packed = packed * segment + taps // stride[2]
    lines = max(1, _RUN_BYTES // ((width + reach[2]) * item))
    layout = Layout(
        parts=parts,
        groups=problem.groups,
        group_inputs=problem.group_inputs,
        group_rows=problem.group_outputs * parts,
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
        terms=near.size,
        run=max(64, lines * kernel[2]),
    )
    return layout, (near.reshape(-1), packed.reshape(-1), phases)


def _scratch_sizes(layout: Layout, width: int) -> tuple[int, int]:
    columns = -(-layout.block_columns // width) * width
    return layout.slab_size, layout.group_rows * layout.block_rows * columns


def _scratch_bytes(layout: Layout, item: int) -> int:
    width = vector_bytes() // item
    return sum(_scratch_sizes(layout, 12 * width)) * item


register(Direct())
