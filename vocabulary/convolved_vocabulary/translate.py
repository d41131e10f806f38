"""The plain functions, told in the vocabulary: which filter, which signal, which result.

`convolve` and `correlate` mean what SciPy's do, `conv` what PyTorch's does. Each becomes a
`Call`: whoever computes applies `call.filter` to `call.signal` and gives the output to
`call.result`. So engine and clients say it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import one_of
from .dtypes import as_array
from .errors import IntegerOverflow, InvalidArgument
from .filters import Filter
from .layers import Conv
from .layers.conv import Padding
from .signals import Layout, arrange
from .words import counted

__all__ = ["Call", "conv", "convolve", "correlate"]

_ALGORITHMS = {"auto": "auto", "direct": "direct", "fft": "overlap_save"}
_MODES = ("full", "same", "valid")


@dataclass(frozen=True, eq=False)
class Call:
    """A filter, the signal (batch, channels, *spatial) for it, and what becomes of the output.

    Attributes:
        filter: what to apply.
        signal: to what.
        layout: the axes that the caller's array had.
        dtype: the dtype of the result; None to keep the output's.
        algorithm: the name of the algorithm asked for, "auto" to let the planner choose.
        mirrored: reverse and conjugate the output (a correlation whose inputs were swapped).
        argument: what the caller's arrays are called, for errors about the result.
    """

    filter: Filter
    signal: NDArray[Any]
    layout: Layout
    dtype: np.dtype[Any] | None = None
    algorithm: str = "auto"
    mirrored: bool = False
    argument: str = "x"

    def result(self, output: NDArray[Any]) -> NDArray[Any]:
        """Turn the output of the filter into what the caller gets.

        Raises:
            IntegerOverflow: if an exact integer does not fit the dtype of the result.
        """
        found = self.layout.result(output)
        if self.mirrored:
            found = _conjugate(_reversed(found))
        return found if self.dtype is None else _exactly(found, self.dtype, self.argument)


def convolve(in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto") -> Call:
    """Tell `scipy.signal.convolve` in the vocabulary."""
    x, h = _pair(in1, in2)
    return _signal_call(x, h, mode, method, mirrored=False)


def correlate(in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto") -> Call:
    """Tell `scipy.signal.correlate` in the vocabulary: in2 is conjugated and not reversed."""
    x, h = _pair(in1, in2)
    if mode == "valid" and _must_swap(x, h):
        # SciPy swaps, correlates and undoes it: correlate(a, b) is correlate(b, a) reversed
        # and conjugated.
        return _signal_call(h, _conjugate(_reversed(x)), mode, method, mirrored=True)
    return _signal_call(x, _conjugate(_reversed(h)), mode, method, mirrored=False)


def conv(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Call:
    """Tell `torch.nn.functional.conv1d`, `conv2d` and `conv3d` in the vocabulary."""
    taps = as_array("weight", weight)
    layer = Conv(taps, bias, stride, padding, dilation, groups)
    filter = Filter(layer)
    signal, layout = arrange(x, filter)
    if layout.has_batch is layout.has_channels is False:
        raise InvalidArgument(
            "x",
            f"shape {layout.shape[2:]}",
            f"{taps.ndim - 1} axes, channels first, or {taps.ndim}, a batch before them",
        )
    for name, array in (("weight", layer.weight), ("bias", layer.bias)):
        if array is not None and array.dtype != signal.dtype:
            raise InvalidArgument(
                name,
                f"dtype {array.dtype.name} with x of {signal.dtype.name}",
                "one dtype for all: convert one of them",
            )
    return Call(filter, signal, layout, signal.dtype)


def _pair(in1: ArrayLike, in2: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    x, h = as_array("in1", in1), as_array("in2", in2)
    if x.ndim > 3:
        raise InvalidArgument("in1", f"{x.ndim} axes, shape {x.shape}", "at most 3 axes")
    if x.ndim != h.ndim:
        raise InvalidArgument("in2", counted(h.ndim, "axis"), f"{x.ndim}, as many as in1 has")
    for name, array in (("in1", x), ("in2", h)):
        if not array.size:
            raise InvalidArgument(name, f"the empty shape {array.shape}", "at least one sample")
    return x, h


def _must_swap(x: NDArray[Any], h: NDArray[Any]) -> bool:
    """Whether `h` covers `x` on every axis, so that "valid" slides x over h."""
    x_covers = all(a >= b for a, b in zip(x.shape, h.shape, strict=True))
    h_covers = all(a <= b for a, b in zip(x.shape, h.shape, strict=True))
    if not (x_covers or h_covers):
        raise InvalidArgument(
            "in2",
            f"shape {h.shape} beside in1 of {x.shape}",
            'for mode="valid" one that is at least as long as the other on every axis',
        )
    return not x_covers


def _signal_call(
    x: NDArray[Any], h: NDArray[Any], mode: str, method: str, *, mirrored: bool
) -> Call:
    one_of("mode", mode, _MODES)
    algorithm = _ALGORITHMS[one_of("method", method, tuple(_ALGORITHMS))]
    if mode == "valid" and _must_swap(x, h):
        x, h = h, x
    dtype = np.result_type(x, h)
    scalar = x.ndim == 0
    if scalar:
        x, h = x.reshape(1), h.reshape(1)
    pads = []
    for length in h.shape:
        cut = (length - 1) // 2 if mode == "same" else 0
        whole = 0 if mode == "valid" else length - 1
        pads.append((whole - cut, whole - (length - 1 - cut) if mode == "same" else whole))
    filter = Filter(Conv(h[None, None], padding=pads, flip=True))
    signal = _bounded(x, filter) if dtype.kind in "biu" else x.astype(dtype, copy=False)
    layout = Layout(has_batch=False, has_channels=False, shape=(1, 1, *x.shape))
    if scalar:
        layout = _Scalar(has_batch=False, has_channels=False, shape=(1, 1, 1))
    return Call(filter, signal.reshape(layout.shape), layout, dtype, algorithm, mirrored, "in1")


class _Scalar(Layout):
    """The layout of a signal without axes."""

    __slots__ = ()

    def result(self, output: NDArray[Any]) -> NDArray[Any]:
        return output.reshape(())


def _bounded(x: NDArray[Any], filter: Filter) -> NDArray[Any]:
    """Integers in the smallest dtype that holds them, so that bounds on sums are tight.

    Where the bound of that dtype is too large still, in 64 bits: there the samples count.
    """
    narrow = x
    if x.dtype.itemsize > 1:
        low, high = int(x.min()), int(x.max())
        smallest = np.min_scalar_type(high if low >= 0 else min(low, -high - 1))
        if smallest.itemsize < x.dtype.itemsize:
            narrow = x.astype(smallest)
    try:
        filter.output_dtype(narrow.dtype)
    except IntegerOverflow:
        return x.astype(np.int64, copy=False)
    return narrow


def _reversed(x: NDArray[Any]) -> NDArray[Any]:
    return x[(slice(None, None, -1),) * x.ndim]


def _conjugate(x: NDArray[Any]) -> NDArray[Any]:
    # NumPy's own turns bool into int8.
    return x.conj() if x.dtype.kind == "c" else x


def _exactly(found: NDArray[Any], dtype: np.dtype[Any], argument: str) -> NDArray[Any]:
    """Convert exact integers to the dtype of the result, or say that they do not fit."""
    if found.dtype.kind != "i" or dtype.kind not in "iu":
        return found.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    low, high = (int(found.min()), int(found.max())) if found.size else (0, 0)
    if low < int(limits.min) or high > int(limits.max):
        raise IntegerOverflow(
            argument,
            f"{dtype.name} arrays whose exact result reaches from {low} to {high}",
            f"wider arrays: the result has {dtype.name} like them and holds "
            f"{limits.min} to {limits.max}",
        )
    return found.astype(dtype, copy=False)
