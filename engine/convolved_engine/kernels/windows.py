"""Greatest numbers and means of sliding windows, one axis after another, signal by signal.

What one axis leaves for the next stays in the cache. The greatest are exact in any order, so the
last axis, whose strides keep loops from running over neighbors, comes when the others have left
least. Sums are added up in double precision, tap by tap, the last axis first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .compile import kernel

__all__ = ["greatest", "means"]

unsigned = np.uint64


@kernel
def _reach(shift: int, stride: int, samples: int, count: int) -> tuple[int, int]:
    """The windows that have a sample at a tap of that shift: from the first to beyond the last."""
    low = max(0, -(shift // stride))
    return low, max(low, min(count, -((shift - samples) // stride)))


@intrinsic
def _maximum(_typing: Any, one: Any, other: Any) -> Any:
    """The greater of two floats, NaN if there is one; a comparison and a choice make no vectors."""
    if one != other or not isinstance(one, types.Float):
        return None

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = arguments[0].type
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind, kind]), f"llvm.maximum.f{one.bitwidth}"
        )
        return builder.call(function, arguments)

    return one(one, one), generate


# numba gives the first parameter, its typing context.
maximum: Any = _maximum


@kernel
def _greatest_along(x: Any, x_at: int, out: Any, o_at: int, axis: Any, lowest: Any) -> None:
    outer, samples, inner, count, size, stride, dilation, before = axis
    for number in range(outer):
        source, target = x_at + number * samples * inner, o_at + number * count * inner
        for i in range(count * inner):
            out[unsigned(target + i)] = lowest
        for tap in range(size):
            shift = tap * dilation - before
            low, high = _reach(shift, stride, samples, count)
            if inner > 1:
                for j in range(low, high):
                    here, there = source + (j * stride + shift) * inner, target + j * inner
                    for i in range(inner):
                        best = out[unsigned(there + i)]
                        out[unsigned(there + i)] = maximum(x[unsigned(here + i)], best)
                continue
            here = source + shift
            # Steps that are known make vectors of the loops.
            if stride == 1:
                for j in range(low, high):
                    best = out[unsigned(target + j)]
                    out[unsigned(target + j)] = maximum(x[unsigned(here + j)], best)
            elif stride == 2:
                for j in range(low, high):
                    best = out[unsigned(target + j)]
                    out[unsigned(target + j)] = maximum(x[unsigned(here + 2 * j)], best)
            else:
                for j in range(low, high):
                    best = out[unsigned(target + j)]
                    out[unsigned(target + j)] = maximum(x[unsigned(here + stride * j)], best)


@kernel
def _sums_along(x: Any, x_at: int, out: Any, axis: Any, places: Any) -> None:
    outer, samples, inner, count, size, stride, dilation, before = axis
    for number in range(outer):
        source, target = x_at + number * samples * inner, number * count * inner
        for i in range(count * inner):
            out[unsigned(target + i)] = 0
        for tap in range(size):
            shift = tap * dilation - before
            low, high = _reach(shift, stride, samples, count)
            if inner == 1 and stride == 1:
                for j in range(low, high):
                    out[unsigned(target + j)] += x[unsigned(source + shift + j)]
            elif inner == 1 and stride == 2:
                for j in range(low, high):
                    out[unsigned(target + j)] += x[unsigned(source + shift + 2 * j)]
            elif inner == 1:
                for j in range(low, high):
                    out[unsigned(target + j)] += x[unsigned(source + shift + stride * j)]
            else:
                for j in range(low, high):
                    here, there = source + (j * stride + shift) * inner, target + j * inner
                    for i in range(inner):
                        out[unsigned(there + i)] += x[unsigned(here + i)]
        for j in range(count):
            for i in range(inner):
                out[unsigned(target + j * inner + i)] /= places[unsigned(j)]


@kernel
def greatest(
    x: Any, out: Any, one: Any, other: Any, axes: Any, lowest: Any, first: int, last: int
) -> None:
    """Fill `out` with the greatest numbers of the windows of signals first..last.

    x and out are flat; one and other hold what is between two axes. axes holds (outer, samples,
    inner, count, size, stride, dilation, before) of each axis in the order in which they come.
    """
    volume = axes[0][0] * axes[0][1] * axes[0][2]
    filled = axes[-1][0] * axes[-1][3] * axes[-1][2]
    for number in range(first, last):
        at, target = number * volume, number * filled
        if len(axes) == 1:
            _greatest_along(x, at, out, target, axes[0], lowest)
        else:
            _greatest_along(x, at, one, 0, axes[0], lowest)
            if len(axes) == 2:
                _greatest_along(one, 0, out, target, axes[1], lowest)
            else:
                _greatest_along(one, 0, other, 0, axes[1], lowest)
                _greatest_along(other, 0, out, target, axes[2], lowest)
        for i in range(target, target + filled):
            # Every zero gets the sign +.
            out[unsigned(i)] += 0


@kernel
def means(
    x: Any, out: Any, one: Any, other: Any, axes: Any, places: Any, first: int, last: int
) -> None:
    """Fill `out` with the means of the windows of signals first..last.

    As `greatest`; one and other are float64, places says how many places of each window count.
    """
    volume = axes[0][0] * axes[0][1] * axes[0][2]
    filled = axes[-1][0] * axes[-1][3] * axes[-1][2]
    for number in range(first, last):
        found, target = one, number * filled
        _sums_along(x, number * volume, one, axes[0], places[0])
        if len(axes) > 1:
            _sums_along(one, 0, other, axes[1], places[1])
            found = other
        if len(axes) > 2:
            _sums_along(other, 0, one, axes[2], places[2])
            found = one
        for i in range(filled):
            out[unsigned(target + i)] = found[unsigned(i)]
