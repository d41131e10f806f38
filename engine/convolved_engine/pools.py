"""Maxima and sums over sliding windows, one axis after another.

Both separate: the window's axes are reduced one by one; of sums, the last first. Every output is
made of its own window by the same operations in the same order wherever it stands, so that its
bits do not depend on how a signal is cut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import threads as pool
from convolved_engine.activations import unsigned_zeros
from convolved_engine.kernels.reading import to_read
from convolved_vocabulary import Pool
from convolved_vocabulary.geometry import Sliding

__all__ = ["Windows", "averages", "error_bound", "maxima", "windows_of"]

_COMPILED = (np.dtype(np.float32), np.dtype(np.float64))
_CHUNK_SAMPLES = 1 << 16


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows along one axis of a stretch of `samples`: number j begins at
    j * stride - before.

    Attributes:
        axis: size, stride and dilation of the window.
        samples: the length of the stretch.
        before: places of padding before it.
        after: places of padding after it that count as padding; what lies beyond does not count.
        count: how many windows there are.
    """

    axis: Sliding
    samples: int
    before: int
    after: int
    count: int

    @property
    def taps(self) -> range:
        """The taps at which some window has a sample; the others lie in the padding."""
        farthest, dilation = (self.count - 1) * self.axis.stride, self.axis.dilation
        first = max(0, -((farthest - self.before) // dilation))
        return range(first, min(self.axis.size, (self.samples + self.before - 1) // dilation + 1))

    def meeting(self, tap: int) -> tuple[slice, slice]:
        """Which windows have a sample at `tap`, and which samples these are."""
        shift, stride = tap * self.axis.dilation - self.before, self.axis.stride
        first = max(0, -(shift // stride))
        last = max(first, min(self.count, -((shift - self.samples) // stride)))
        begin = first * stride + shift
        end = begin + max(0, last - first - 1) * stride + 1
        return slice(first, last), slice(begin, end, stride)

    def places(self, include_pad: bool) -> NDArray[np.float64]:
        """How many places of each window count in an average."""
        begins = np.arange(self.count) * self.axis.stride - self.before
        ends = begins + self.axis.size
        low, high = (-self.before, self.samples + self.after) if include_pad else (0, self.samples)
        counted: NDArray[np.float64] = np.minimum(ends, high) - np.maximum(begins, low) + 0.0
        return counted


def windows_of(layer: Pool, size: Sequence[int]) -> tuple[Windows, ...]:
    """The windows of a layer over a whole signal of spatial shape `size`."""
    return tuple(
        Windows(axis, n, axis.before, axis.after, axis.output_length(n))
        for axis, n in zip(layer.axes(layer.rank), size, strict=True)
    )


def maxima(x: NDArray[Any], windows: Sequence[Windows]) -> NDArray[Any]:
    """The greatest sample of each window, NaN if there is one; of none, the least number.

    Args:
        x: (batch, channels, *spatial), real.
        windows: one entry for each spatial axis.
    """
    if x.dtype in _COMPILED:
        return _by_kernel(x, windows, None)
    lowest = _lowest(x.dtype)
    for axis in reversed(range(2, x.ndim)):
        along = windows[axis - 2]
        best = np.full((*x.shape[:axis], along.count, *x.shape[axis + 1 :]), lowest, x.dtype)
        for tap in along.taps:
            to, source = along.meeting(tap)
            if to.start == to.stop:
                continue
            target = best[_at(axis, to)]
            np.maximum(target, x[_at(axis, source)], out=target)
        x = best
    return unsigned_zeros(x)


def averages(x: NDArray[Any], windows: Sequence[Windows], include_pad: bool) -> NDArray[Any]:
    """The mean of each window, added up in double precision.

    Args:
        x: (batch, channels, *spatial), floating or complex.
        windows: one entry for each spatial axis.
        include_pad: whether padding counts.
    """
    if x.dtype in _COMPILED:
        return _by_kernel(x, windows, include_pad)
    dtype, wide = x.dtype, np.result_type(x.dtype, np.float64)
    with np.errstate(all="ignore"):
        for axis in reversed(range(2, x.ndim)):
            along = windows[axis - 2]
            total = np.zeros((*x.shape[:axis], along.count, *x.shape[axis + 1 :]), wide)
            for tap in along.taps:
                to, source = along.meeting(tap)
                if to.start < to.stop:
                    total[_at(axis, to)] += x[_at(axis, source)]
            places = along.places(include_pad).reshape(-1, *(1,) * (x.ndim - axis - 1))
            # A complex number divided by a real one as two reals: its NaN stay apart.
            total.view(np.float64)[...] /= places if wide.kind == "f" else _twice(places, axis, x)
            x = total
        return x.astype(dtype)


def _by_kernel(
    x: NDArray[Any], windows: Sequence[Windows], include_pad: bool | None
) -> NDArray[Any]:
    """Greatest numbers, or means where it is said whether padding counts."""
    from convolved_engine.kernels.windows import greatest, means

    x = np.ascontiguousarray(x)
    out = np.empty((*x.shape[:2], *(along.count for along in windows)), x.dtype)
    order = range(len(windows)) if include_pad is None else range(len(windows))[::-1]
    axes, held = _axes(windows, order)
    flat_x, flat_out = to_read(x), out.reshape(-1)

    def scratch(dtype: np.dtype[Any]) -> tuple[NDArray[Any], ...]:
        return tuple(pool.scratch(held, dtype, name) for name in ("one axis", "other axis"))

    if include_pad is None:
        lowest = x.dtype.type(_lowest(x.dtype))

        def work(first: int, last: int) -> None:
            greatest(flat_x, flat_out, *scratch(x.dtype), axes, lowest, first, last)

    else:
        places = tuple(along.places(include_pad) for along in reversed(windows))

        def work(first: int, last: int) -> None:
            wide = np.dtype(np.float64)
            means(flat_x, flat_out, *scratch(wide), axes, places, first, last)

    signals = x.shape[0] * x.shape[1]
    each = max(1, x.size // max(1, signals))
    pool.for_each_chunk(signals, work, chunk=max(1, _CHUNK_SAMPLES // each))
    return out


def _axes(
    windows: Sequence[Windows], order: Sequence[int]
) -> tuple[tuple[tuple[int, ...], ...], int]:
    """What the kernels read of each axis, in that order, and the most that one leaves."""
    size = [along.samples for along in windows]
    found: list[tuple[int, ...]] = []
    held = 1
    for number in order:
        along, axis, taps = windows[number], windows[number].axis, windows[number].taps
        outer, inner = math.prod(size[:number]), math.prod(size[number + 1 :])
        begin = along.before - taps.start * axis.dilation
        window = (len(taps), axis.stride, axis.dilation, begin)
        found.append((outer, along.samples, inner, along.count, *window))
        size[number] = along.count
        held = max(held, math.prod(size))
    return tuple(found), held


def error_bound(layer: Pool, dtype: np.dtype[Any]) -> float:
    """Bound on |error| / max|x|: sums of n numbers in double precision, and one rounding."""
    if layer.function == "max":
        return 0.0
    terms = math.prod(layer.size) + layer.rank
    double = float(np.finfo(np.float64).eps) / 2 * terms
    own = float(np.finfo(dtype).eps) / 2
    return (double + own) * (math.sqrt(2) if dtype.kind == "c" else 1)


def _twice(places: NDArray[Any], axis: int, x: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(places, 2, axis=-1) if axis == x.ndim - 1 else places


def _at(axis: int, where: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, where)


def _lowest(dtype: np.dtype[Any]) -> Any:
    if dtype == np.bool_:
        return False
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min
