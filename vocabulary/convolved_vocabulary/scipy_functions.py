"""SciPy's convolutions, told in the vocabulary: which filter, which signal, which result.

`convolve`, `correlate` and their 2-D forms keep the dtype of `numpy.result_type`, and integers
exact; `fftconvolve` and `oaconvolve` compute in floating point wherever they convolve, and
broadcast the axes along which they do not. Which algorithm computes is the planner's choice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import pieces
from .call import Call
from .checks import integer, one_of
from .dtypes import as_array
from .errors import IntegerOverflow, InvalidArgument
from .filters import Filter
from .layers import Conv
from .layers.linear import largest_sum
from .signals import Layout
from .words import counted, shown

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve", "oaconvolve"]

_ALGORITHMS = {"auto": "auto", "direct": "direct", "fft": "overlap_save"}
_MODES = ("full", "same", "valid")
_BOUNDARIES = {"fill": "zeros", "wrap": "wrap", "symm": "symmetric"}
_MOST_AXES = 3


def convolve(in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto") -> Call:
    """Tell `scipy.signal.convolve` in the vocabulary."""
    x, h = _pair(in1, in2)
    return _signal_call(x, h, mode, method, mirrored=False)


def correlate(in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto") -> Call:
    """Tell `scipy.signal.correlate` in the vocabulary: in2 is conjugated and not reversed."""
    x, h = _pair(in1, in2)
    if mode == "valid" and _must_swap(x.shape, h.shape, range(x.ndim)):
        # SciPy swaps, correlates and undoes it: correlate(a, b) is correlate(b, a) reversed
        # and conjugated.
        return _signal_call(h, _conjugate(_reversed(x)), mode, method, mirrored=True)
    return _signal_call(x, _conjugate(_reversed(h)), mode, method, mirrored=False)


def fftconvolve(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    axes: int | Sequence[int] | None = None,
) -> Call:
    """Tell `scipy.signal.fftconvolve` in the vocabulary."""
    x, h = as_array("in1", in1), as_array("in2", in2)
    _check_axes(x, h)
    one_of("mode", mode, _MODES)
    if not x.size or not h.size:
        return _nothing()
    # Along an axis where one of them has a single entry, convolution is multiplication.
    convolved = [a for a in _axes(x, axes) if x.shape[a] != 1 and h.shape[a] != 1]
    for axis in sorted({*range(x.ndim)} - {*convolved}):
        if x.shape[axis] != h.shape[axis] and 1 not in (x.shape[axis], h.shape[axis]):
            raise InvalidArgument(
                "in2",
                f"shape {h.shape} beside in1 of {x.shape}",
                f"as many entries on axis {axis}, one entry there, or that axis in axes",
            )
    if mode == "valid" and _must_swap(x.shape, h.shape, convolved):
        x, h = h, x
    if mode == "same":
        # SciPy cuts the result to the shape of in1 also along axes that only broadcast.
        for axis in range(x.ndim):
            if axis not in convolved and x.shape[axis] < h.shape[axis]:
                h = h.take([(h.shape[axis] - 1) // 2], axis)
    if not convolved:
        return _told(x, h, (), mode, np.result_type(x, h))
    return _told(x, h, tuple(convolved), mode, np.result_type(_floating(x), _floating(h)))


def oaconvolve(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    axes: int | Sequence[int] | None = None,
) -> Call:
    """Tell `scipy.signal.oaconvolve` in the vocabulary; it means what `fftconvolve` does."""
    return fftconvolve(in1, in2, mode, axes)


def convolve2d(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: complex = 0,
) -> Call:
    """Tell `scipy.signal.convolve2d` in the vocabulary."""
    x, h = _images(in1, in2)
    if mode == "valid" and _must_swap(x.shape, h.shape, (0, 1)):
        x, h = h, x
    return _image_call(x, h, mode, boundary, fillvalue, flip=True)


def correlate2d(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: complex = 0,
) -> Call:
    """Tell `scipy.signal.correlate2d` in the vocabulary: in2 is conjugated and not reversed."""
    x, h = _images(in1, in2)
    if mode == "valid" and _must_swap(x.shape, h.shape, (0, 1)):
        return _image_call(h, _conjugate(x), mode, boundary, fillvalue, flip=False, mirrored=True)
    return _image_call(x, _conjugate(h), mode, boundary, fillvalue, flip=False)


def _check_axes(x: NDArray[Any], h: NDArray[Any]) -> None:
    if x.ndim != h.ndim:
        raise InvalidArgument("in2", counted(h.ndim, "axis"), f"{x.ndim}, as many as in1 has")


def _check_entries(x: NDArray[Any], h: NDArray[Any]) -> None:
    for name, array in (("in1", x), ("in2", h)):
        if not array.size:
            raise InvalidArgument(name, f"the empty shape {array.shape}", "at least one sample")


def _pair(in1: ArrayLike, in2: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    x, h = as_array("in1", in1), as_array("in2", in2)
    _check_axes(x, h)
    _check_entries(x, h)
    return x, h


def _images(in1: ArrayLike, in2: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    x, h = as_array("in1", in1), as_array("in2", in2)
    for name, array in (("in1", x), ("in2", h)):
        if array.ndim != 2:
            raise InvalidArgument(name, counted(array.ndim, "axis"), "2 axes")
    _check_entries(x, h)
    return x, h


def _axes(x: NDArray[Any], axes: object) -> list[int]:
    """The axes asked for, each from 0 on."""
    if axes is None:
        return list(range(x.ndim))
    entries = axes if isinstance(axes, Sequence | np.ndarray) else [axes]
    wanted = f"an axis, or different axes, from {-x.ndim} to {x.ndim - 1}"
    found = []
    for entry in entries:
        try:
            axis = integer("axes", entry, -x.ndim)
        except InvalidArgument:
            raise InvalidArgument("axes", shown(axes), wanted) from None
        found.append(axis % x.ndim if axis < x.ndim else x.ndim)
    if not found or max(found) >= x.ndim or len(set(found)) < len(found):
        raise InvalidArgument("axes", shown(axes), wanted)
    return found


def _must_swap(x: Sequence[int], h: Sequence[int], axes: Sequence[int]) -> bool:
    """Whether `h` covers `x` on every axis, so that "valid" slides x over h."""
    x_covers = all(x[a] >= h[a] for a in axes)
    h_covers = all(x[a] <= h[a] for a in axes)
    if not (x_covers or h_covers):
        raise InvalidArgument(
            "in2",
            f"shape {tuple(h)} beside in1 of {tuple(x)}",
            'for mode="valid" one that is at least as long as the other on every axis',
        )
    return not x_covers


def _signal_call(
    x: NDArray[Any], h: NDArray[Any], mode: str, method: str, *, mirrored: bool
) -> Call:
    one_of("mode", mode, _MODES)
    algorithm = _ALGORITHMS[one_of("method", method, tuple(_ALGORITHMS))]
    axes = tuple(range(x.ndim))
    if mode == "valid" and _must_swap(x.shape, h.shape, axes):
        x, h = h, x
    if mode == "same" and x.ndim > _MOST_AXES:
        for axis in axes:
            if x.shape[axis] == 1:
                h = h.take([(h.shape[axis] - 1) // 2], axis)
    if x.ndim > _MOST_AXES:
        axes = tuple(a for a in axes if x.shape[a] != 1 and h.shape[a] != 1)
    return _told(x, h, axes, mode, np.result_type(x, h), algorithm, mirrored)


def _image_call(
    x: NDArray[Any],
    h: NDArray[Any],
    mode: str,
    boundary: str,
    fillvalue: complex,
    *,
    flip: bool,
    mirrored: bool = False,
) -> Call:
    one_of("mode", mode, _MODES)
    word = _BOUNDARIES[one_of("boundary", boundary, tuple(_BOUNDARIES))]
    dtype = np.result_type(x, h)
    pads = [_pads(k, mode) if flip else _pads(k, mode)[::-1] for k in h.shape]
    if word == "zeros":
        fill = _fill(fillvalue, dtype)
        if fill != 0 and mode != "valid":
            wide = dtype if dtype.kind in "fc" else _holding(x.dtype, fill)
            x = np.pad(x.astype(wide, copy=False), pads, constant_values=fill)
            pads = [(0, 0), (0, 0)]
    layer = Conv(h[None, None], padding=pads, boundary=word, flip=flip)
    layout = Layout(has_batch=False, has_channels=False, shape=(1, 1, *x.shape))
    return _exact_call(layer, x[None, None], layout, dtype, "auto", mirrored)


def _fill(value: object, dtype: np.dtype[Any]) -> Any:
    """The value of the padding in the dtype of the result."""
    array = as_array("fillvalue", value)
    if array.size != 1:
        raise InvalidArgument("fillvalue", shown(value), "one number")
    number = array.reshape(()).item()
    held = dtype.kind == "c" or (array.dtype.kind != "c" and dtype.kind == "f")
    if not held and array.dtype.kind != "c":
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        held = number == number // 1 and int(low) <= number <= int(high)
        number = int(number) if held else number
    if not held:
        raise InvalidArgument("fillvalue", shown(value), f"a number that {dtype.name} holds")
    return number


def _holding(dtype: np.dtype[Any], number: int) -> np.dtype[Any]:
    """A dtype of integers that holds those of `dtype` and a number."""
    if dtype.kind == "b" or not np.iinfo(dtype).min <= number <= np.iinfo(dtype).max:
        found = np.result_type(dtype, np.min_scalar_type(number))
        return found if found.kind in "iu" else np.dtype(np.int64)
    return dtype


def _pads(taps: int, mode: str) -> tuple[int, int]:
    """Before and after, for a reversed kernel of so many taps."""
    reach = taps - 1
    if mode == "same":
        return reach - reach // 2, reach // 2
    return (0, 0) if mode == "valid" else (reach, reach)


@dataclass(frozen=True, slots=True)
class _Axes(Layout):
    """The layout of arrays whose axes were sorted into batch, channels and spatial ones.

    Attributes:
        outer: the lengths of the axes that became batch and channels.
        order: where each axis of the sorted array goes.
    """

    outer: tuple[int, ...] = ()
    order: tuple[int, ...] = ()

    def result(self, output: NDArray[Any]) -> NDArray[Any]:
        """Put the axes back; an axis beyond those of the caller's was added, and goes."""
        spatial = len(self.order) - len(self.outer)
        sizes = output.shape[2 : 2 + spatial]
        found = output.reshape((*self.outer, *sizes))
        return found.transpose(np.argsort(self.order)) if self.order else found


class _Empty(Layout):
    """The layout of a result without entries."""

    __slots__ = ()

    def result(self, output: NDArray[Any]) -> NDArray[Any]:
        return np.empty(0)


def _nothing() -> Call:
    layout = _Empty(has_batch=False, has_channels=False, shape=(1, 1, 1))
    return Call(Filter(Conv(np.ones((1, 1, 1)))), np.zeros((1, 1, 1)), layout)


def _told(
    x: NDArray[Any],
    h: NDArray[Any],
    axes: tuple[int, ...],
    mode: str,
    dtype: np.dtype[Any],
    algorithm: str = "auto",
    mirrored: bool = False,
) -> Call:
    """Convolve along `axes` and broadcast the others: batch axes where h has one entry, and
    channels, each with a kernel of its own, where it has more.
    """
    if len(axes) > _MOST_AXES:
        raise InvalidArgument(
            "in1",
            f"shape {x.shape} beside in2 of {h.shape}",
            f"at most {_MOST_AXES} axes on which both have more than one entry",
        )
    if x.ndim and not axes:
        # A factor for each entry is a kernel of one tap along the longest axis that h lacks.
        if 1 not in h.shape:
            x, h = h, x
        if 1 in h.shape:
            axes = (max((a for a in range(x.ndim) if h.shape[a] == 1), key=lambda a: x.shape[a]),)
    others = [a for a in range(x.ndim) if a not in axes]
    batch = [a for a in others if h.shape[a] == 1]
    mixed = [a for a in others if h.shape[a] > 1]
    lengths = [h.shape[a] for a in mixed]
    channels = math.prod(lengths)
    order = (*batch, *mixed, *axes)
    sizes, kernel = [x.shape[a] for a in axes] or [1], [h.shape[a] for a in axes] or [1]
    outer = [x.shape[a] for a in batch]
    sorted_x, sorted_h = x.transpose(order), h.transpose(order)
    groups = 1
    if any(x.shape[a] > 1 for a in mixed):
        groups = channels
        sorted_x = np.broadcast_to(sorted_x, (*outer, *lengths, *sizes[: len(axes)]))
    signal = sorted_x.reshape(math.prod(outer), groups, *sizes)
    pads = [_pads(k, mode) for k in kernel]
    layer = Conv(sorted_h.reshape(channels, 1, *kernel), padding=pads, groups=groups, flip=True)
    layout = _Axes(
        has_batch=True,
        has_channels=True,
        shape=signal.shape,
        outer=(*outer, *lengths),
        order=order,
    )
    return _exact_call(layer, signal, layout, dtype, algorithm, mirrored)


def _exact_call(
    layer: Conv,
    signal: NDArray[Any],
    layout: Layout,
    dtype: np.dtype[Any],
    algorithm: str,
    mirrored: bool,
) -> Call:
    """A call in `dtype`: in pieces where exact integers leave 64 bits on their way."""
    filter, digits = Filter(layer), 0
    if dtype.kind in "biu":
        # A transform keeps no integers exact; SciPy's falls back on sums as well.
        algorithm = "auto" if algorithm == "overlap_save" else algorithm
        narrow = _narrowed(signal, filter)
        if narrow is None:
            count, taken = pieces.digits_needed(signal), pieces.digits_needed(layer.weight)
            filter = Filter(pieces.cut_filter(layer, count, taken))
            signal, digits = pieces.cut_signal(signal, count), count + taken - 1
        else:
            signal = narrow
    else:
        signal = signal.astype(dtype, copy=False)
    return Call(filter, signal, layout, dtype, algorithm, mirrored, "in1", digits)


def _narrowed(x: NDArray[Any], filter: Filter) -> NDArray[Any] | None:
    """Integers in the smallest dtype that holds them, so that bounds on sums are tight.

    Where the bound of that dtype is too large, in 64 bits, where the samples count; None where
    theirs is too large, too.
    """
    low, high = int(x.min()), int(x.max())
    narrow = x
    if x.dtype.itemsize > 1:
        smallest = np.min_scalar_type(high if low >= 0 else min(low, -high - 1))
        if smallest.itemsize < x.dtype.itemsize:
            narrow = x.astype(smallest)
    try:
        if filter.output_types(narrow.dtype)[-1].magnitude is not None:
            return narrow
    except IntegerOverflow:
        pass
    weight = filter.layers[0].tensors()["weight"]
    taps = math.prod(weight.shape[1:])
    peak, largest = max(-low, high), largest_sum(weight, ())
    if peak * largest * taps >= 1 << 63:
        largest_here = largest_sum(weight, tuple(range(1, weight.ndim)))
        if peak * largest_here >= 1 << 63:
            return None
    return x.astype(np.int64, copy=False)


def _reversed(x: NDArray[Any]) -> NDArray[Any]:
    return x[(slice(None, None, -1),) * x.ndim]


def _conjugate(x: NDArray[Any]) -> NDArray[Any]:
    # NumPy's own turns bool into int8.
    return x.conj() if x.dtype.kind == "c" else x


def _floating(x: NDArray[Any]) -> np.dtype[Any]:
    """The dtype in which SciPy's transforms see an array."""
    if x.dtype.kind in "biu":
        return np.dtype(np.float64)
    return np.dtype(np.float32) if x.dtype == np.float16 else x.dtype
