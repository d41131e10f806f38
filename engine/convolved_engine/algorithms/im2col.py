"""Convolution as matrix products: tiles of the virtual matrix, each multiplied by BLAS.

The matrix has a column for each output and a row for each term; it would be `taps` times the
input. Only a tile that fits in the second-level cache ever exists. A kernel of one tap needs no
copy at all.

BLAS adds in an order of its own. The error bound, derived in `convolved_engine.algorithms.weights`,
holds for any; but the order may follow the shape of the tile, hence no law of bits.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from convolved_engine import threads as pool
from convolved_engine.machine import Machine
from convolved_engine.problem import Problem
from convolved_engine.registry import Algorithm, Cost, Parameters, Runnable, register

from .direct import Direct
from .weights import error_bound, kernel_for_correlation, real_rows

__all__ = ["Im2col"]

_TILE_BYTES = 512 << 10
# What a second thread adds to the first: while one fills its part of the matrix, others wait.
_HELP = 0.25


class Im2col(Algorithm):
    """See the module."""

    name = "im2col"

    def supports(self, problem: Problem) -> str | None:
        """Floating dtypes."""
        return "BLAS multiplies no integers" if problem.is_integer else None

    def cost(self, problem: Problem, machine: Machine) -> Cost:
        """Multiply-adds at BLAS's rate, and the matrix written and read once."""
        item = problem.dtype.itemsize
        real = item // 2 if problem.is_complex else item
        # Few rows or few terms leave most of a matrix product's registers empty.
        filled = min(1.0, problem.group_outputs / 16) * min(1.0, problem.terms / 32)
        rate = machine.gemm_rate * 4 / real / (4 if problem.is_complex else 1) * max(filled, 0.02)
        columns = problem.outputs // problem.group_outputs
        matrix = 0 if _is_pointwise(problem) else columns * problem.terms * item
        rows, width = _tile(problem)
        tiles = columns / (rows * width)
        moved = (problem.input_bytes + problem.output_bytes) / machine.memory_rate
        work = (
            problem.multiply_adds / rate
            + 2 * matrix / machine.copy_rate
            + moved
            + tiles * (machine.gemm_seconds + machine.chunk_seconds)
        )
        helping = max(1, min(machine.threads, int(tiles)))
        tile_bytes = rows * width * (problem.terms + problem.group_outputs) * item
        return Cost(
            seconds=3 * machine.call_seconds + work / (1 + _HELP * (helping - 1)),
            workspace_bytes=2 * helping * tile_bytes + problem.weight_bytes,
            relative_error=error_bound(problem),
        )

    def form(self, problem: Problem, parameters: Parameters) -> Hashable:
        """Everything but batch and size."""
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
        """The weight as one matrix for each group."""
        if any(map(any, problem.pads)) and not np.isfinite(weight).all():
            # A matrix product would multiply the padding, too.
            return Direct().prepare(problem, weight, bias, parameters)
        return _Im2col(problem, weight, bias)


class _Im2col(Runnable):
    def __init__(self, problem: Problem, weight: NDArray[Any], bias: NDArray[Any] | None) -> None:
        super().__init__(problem, weight, bias)
        self._matrices = np.ascontiguousarray(
            real_rows(problem, kernel_for_correlation(problem, weight))
        )
        self._bias = None if bias is None else bias.astype(problem.dtype)[:, None, None]
        self.nbytes = self._matrices.nbytes

    def compute(
        self, problem: Problem, x: NDArray[Any], out: NDArray[Any], threads: int | None
    ) -> None:
        """See `Runnable`."""
        tile_rows, tile_columns = _tile(problem)
        missing = (1,) * (3 - problem.rank)
        depth, rows, columns = missing + problem.output_size
        down, across = -(-rows // tile_rows), -(-columns // tile_columns)
        cubes = x.reshape(*x.shape[:2], *missing, *problem.size)
        target = out.reshape(*out.shape[:2], depth, rows, columns)

        @np.errstate(all="ignore")
        def work(first: int, last: int) -> None:
            for item in range(first, last):
                rest, j = divmod(item, across)
                rest, i = divmod(rest, down)
                rest, z = divmod(rest, depth)
                signal, group = divmod(rest, problem.groups)
                begin, end = group * problem.group_outputs, (group + 1) * problem.group_outputs
                i0, i1 = i * tile_rows, min(rows, (i + 1) * tile_rows)
                j0, j1 = j * tile_columns, min(columns, (j + 1) * tile_columns)
                inputs = cubes[
                    signal, group * problem.group_inputs : (group + 1) * problem.group_inputs
                ]
                matrix = _matrix(problem, inputs, (z, i0, j0), (1, i1 - i0, j1 - j0))
                shape = (problem.group_outputs, i1 - i0, j1 - j0)
                block = target[signal, begin:end, z, i0:i1, j0:j1]
                product = np.matmul(self._matrices[group], matrix)
                if problem.is_complex:
                    block.real = product[0::2].reshape(shape)
                    block.imag = product[1::2].reshape(shape)
                else:
                    block[...] = product.reshape(shape)
                if self._bias is not None:
                    block += self._bias[begin:end]

        items = x.shape[0] * problem.groups * depth * down * across
        with pool.blas_on_one_thread():
            pool.for_each_chunk(items, work, threads)


def _matrix(
    problem: Problem, inputs: NDArray[Any], at: tuple[int, ...], count: tuple[int, ...]
) -> NDArray[Any]:
    """The tile (terms, outputs): the receptive fields of `count` outputs from `at` on."""
    missing = (1,) * (3 - problem.rank)
    kernel, stride = missing + problem.kernel, missing + problem.stride
    dilation = missing + problem.dilation
    begins, spans = [], []
    for axis in range(3):
        pad = problem.pads[axis - len(missing)][0] if axis >= len(missing) else 0
        begins.append(at[axis] * stride[axis] - pad)
        spans.append((count[axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1)
    field = _window(inputs, begins, spans)
    steps = field.strides[1:]
    windows = as_strided(
        field,
        (len(inputs), *kernel, *count),
        (
            field.strides[0],
            *(step * d for step, d in zip(steps, dilation, strict=True)),
            *(step * s for step, s in zip(steps, stride, strict=True)),
        ),
        writeable=False,
    )
    if problem.is_complex:
        # BLAS's complex products would turn inf + 0j into nan + nanj.
        matrix = pool.scratch(2 * windows.size, windows.real.dtype, "im2col")
        halves = matrix.reshape(len(inputs), 2, *windows.shape[1:])
        np.copyto(halves[:, 0], windows.real)
        np.copyto(halves[:, 1], windows.imag)
        return matrix.reshape(2 * problem.terms, -1)
    if problem.taps == 1 and windows.strides[-2:] == (steps[1], steps[2]) and count[1] == 1:
        return windows.reshape(len(inputs), count[2])
    matrix = pool.scratch(windows.size, problem.dtype, "im2col").reshape(windows.shape)
    np.copyto(matrix, windows)
    return matrix.reshape(problem.terms, -1)


def _window(inputs: NDArray[Any], begins: list[int], spans: list[int]) -> NDArray[Any]:
    """inputs[:, begin : begin + span, ...], with zeros where that lies outside."""
    inside, within = [slice(None)], [slice(None)]
    for begin, span, n in zip(begins, spans, inputs.shape[1:], strict=True):
        low, high = max(begin, 0), max(min(begin + span, n), 0)
        inside.append(slice(min(low, high), high))
        within.append(slice(min(low, high) - begin, high - begin))
    part = inputs[tuple(inside)]
    if part.shape[1:] == tuple(spans):
        return part
    window = np.zeros((len(inputs), *spans), inputs.dtype)
    if part.size:
        window[tuple(within)] = part
    return window


def _is_pointwise(problem: Problem) -> bool:
    return problem.taps == 1 and all(s == 1 for s in problem.stride)


def _tile(problem: Problem) -> tuple[int, int]:
    """Rows and columns of outputs whose part of the matrix fits in the cache."""
    item = problem.dtype.itemsize
    most = max(64, _TILE_BYTES // ((problem.terms + problem.group_outputs) * item))
    columns = problem.output_size[-1]
    if columns >= most:
        return 1, math.ceil(columns / math.ceil(columns / most))
    rows = problem.output_size[-2] if problem.rank > 1 else 1
    return min(rows, most // columns), columns


register(Im2col())
