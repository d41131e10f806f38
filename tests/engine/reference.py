"""The definition of a convolution as a naive loop, in higher precision than any algorithm.

Only samples inside the signal are multiplied: padding is the absence of samples.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.problem import Problem

__all__ = ["magnitudes", "naive"]

_WIDE = {"i": np.dtype(object), "f": np.dtype(np.longdouble), "c": np.dtype(np.clongdouble)}


def naive(
    problem: Problem, x: NDArray[Any], weight: NDArray[Any], bias: NDArray[Any] | None = None
) -> NDArray[Any]:
    """The output (batch, out_channels, *output_size) in Python ints, or in long doubles."""
    wide = _WIDE[problem.dtype.kind]
    x, weight = x.astype(wide), weight.astype(wide)
    if problem.flip:
        weight = np.flip(weight, tuple(range(2, weight.ndim)))
    out = np.zeros(problem.output_shape, wide)
    if bias is not None:
        out += bias.astype(wide).reshape(-1, *(1,) * problem.rank)
    with np.errstate(all="ignore"):
        for taps in itertools.product(*map(range, problem.kernel)):
            to, source = _meeting(problem, taps)
            if source is None:
                continue
            for o in range(problem.out_channels):
                first = o // problem.group_outputs * problem.group_inputs
                for c in range(problem.group_inputs):
                    w = weight[(o, c, *taps)]
                    part = out[:, o][(slice(None), *to)]
                    part += _times(w, x[:, first + c][(slice(None), *source)])
    return out


def magnitudes(
    problem: Problem, x: NDArray[Any], weight: NDArray[Any], bias: NDArray[Any] | None = None
) -> NDArray[Any]:
    """For each output sum|w||x| + |bias|, by which strict errors are measured."""
    real = np.dtype(np.float64)
    absolute = None if bias is None else abs(bias.astype(np.clongdouble)).astype(real)
    twin = Problem.of(
        problem.input_shape,
        problem.weight_shape,
        dtype=real,
        stride=problem.stride,
        dilation=problem.dilation,
        pads=problem.pads,
        groups=problem.groups,
        flip=problem.flip,
    )
    result: NDArray[Any] = naive(twin, abs(x), abs(weight), absolute)
    return result


def _times(w: Any, x: NDArray[Any]) -> NDArray[Any]:
    if x.dtype.kind != "c":
        return np.asarray(w * x)
    # NumPy's own complex product of non-finite numbers differs between scalars and arrays.
    product = np.empty_like(x)
    product.real = w.real * x.real - w.imag * x.imag
    product.imag = w.real * x.imag + w.imag * x.real
    return product


def _meeting(
    problem: Problem, taps: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...] | None]:
    """Which outputs a tap serves with samples inside the signal, and which samples these are."""
    to, source = [], []
    for axis, tap in enumerate(taps):
        n, stride = problem.size[axis], problem.stride[axis]
        shift = tap * problem.dilation[axis] - problem.pads[axis][0]
        first = max(0, -(shift // stride))
        last = min(problem.output_size[axis], -((shift - n) // stride))
        if last <= first:
            return (), None
        to.append(slice(first, last))
        begin = first * stride + shift
        source.append(slice(begin, begin + (last - first - 1) * stride + 1, stride))
    return tuple(to), tuple(source)
