"""What every contender has to find: the definition, in double precision.

Few taps are added up tap by tap; many, of one step, by transforms of SciPy.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cases import Case

__all__ = ["reference"]

_MANY_TAPS = 64


def reference(case: Case) -> NDArray[np.float64]:
    """The output (batch, out_channels, *output_size) of a case."""
    x = case.signal().astype(np.float64)
    if case.is_pool:
        return _pooled(case, x)
    w = case.weights().astype(np.float64)
    if case.kind == "transpose":
        return _spread(case, x, w)
    if case.kind == "convolve":
        w = np.flip(w, tuple(range(2, w.ndim)))
    x = _padded(case, x, 0.0)
    if math.prod(case.kernel) > _MANY_TAPS and case.stride == case.dilation == case.groups == 1:
        return _transformed(x, w)
    return _tap_by_tap(x, w, case.stride, case.dilation, case.groups, case.output_size)


def _padded(case: Case, x: NDArray[Any], value: float) -> NDArray[Any]:
    pads = ((0, 0), (0, 0), *((pad, pad) for pad in case.pads))
    return np.pad(x, pads, constant_values=value)


def _tap_by_tap(
    x: NDArray[Any],
    w: NDArray[Any],
    stride: int,
    dilation: int,
    groups: int,
    size: tuple[int, ...],
) -> NDArray[Any]:
    batch, out = len(x), len(w)
    grouped = w.reshape(groups, out // groups, *w.shape[1:])
    found = np.zeros((batch, groups, out // groups, math.prod(size)))
    for taps in itertools.product(*map(range, w.shape[2:])):
        part = x[(slice(None), slice(None), *_along(taps, size, stride, dilation))]
        part = part.reshape(batch, groups, w.shape[1], -1)
        found += np.matmul(_tap(grouped, taps), part)
    return found.reshape(batch, out, *size)


def _tap(w: NDArray[Any], taps: tuple[int, ...]) -> NDArray[Any]:
    where: Any = (..., *taps)
    found: NDArray[Any] = w[where]
    return found


def _along(
    taps: tuple[int, ...], size: tuple[int, ...], stride: int, dilation: int
) -> tuple[slice, ...]:
    return tuple(
        slice(tap * dilation, tap * dilation + (n - 1) * stride + 1, stride)
        for tap, n in zip(taps, size, strict=True)
    )


def _transformed(x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    from scipy.signal import oaconvolve

    axes = tuple(range(2, x.ndim))
    taps = np.flip(w, axes)
    found = 0.0
    for channel in range(x.shape[1]):
        found = found + oaconvolve(
            x[:, channel : channel + 1], taps[None, :, channel], "valid", axes=axes
        )
    return np.asarray(found)


def _spread(case: Case, x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Every sample adds its kernel to the output; what the padding says is cut off."""
    whole = [n + 2 * pad for n, pad in zip(case.output_size, case.pads, strict=True)]
    found = np.zeros((len(x), case.out_channels, *whole))
    flat = x.reshape(*x.shape[:2], -1)
    for taps in itertools.product(*map(range, case.kernel)):
        part = np.matmul(_tap(w, taps).T, flat)
        where = _along(taps, case.shape[2:], case.stride, case.dilation)
        found[(slice(None), slice(None), *where)] += part.reshape(*found.shape[:2], *x.shape[2:])
    inside = (slice(pad, n - pad) for pad, n in zip(case.pads, whole, strict=True))
    return found[(slice(None), slice(None), *inside)]


def _pooled(case: Case, x: NDArray[Any]) -> NDArray[Any]:
    size = case.output_size
    x = _padded(case, x, -np.inf if case.kind == "max" else 0.0)
    parts = [
        x[(slice(None), slice(None), *_along(taps, size, case.stride, case.dilation))]
        for taps in itertools.product(*map(range, case.kernel))
    ]
    if case.kind == "max":
        return np.asarray(np.maximum.reduce(parts))
    return np.asarray(sum(parts) / len(parts))
