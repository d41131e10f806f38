"""What a filter means, evaluated sample by sample: in Python's integers, or in long doubles."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary import Conv, Filter

__all__ = ["evaluate"]


def evaluate(filter: Filter, signal: NDArray[Any]) -> NDArray[Any]:
    """The output for a signal (batch, channels, *spatial), in the dtype that the rules give.

    Filters of convolutions alone.
    """
    shape = signal.shape
    if filter.per_channel:
        signal = signal.reshape(-1, 1, *shape[2:])
    dtype = filter.output_dtype(signal.dtype)
    found = _wide(signal)
    for layer in filter.layers:
        assert isinstance(layer, Conv)
        found = _convolved(layer, found)
    if dtype.kind == "i":
        limits = np.iinfo(dtype)
        assert all(int(limits.min) <= value <= int(limits.max) for value in found.flat)
    if filter.per_channel:
        found = found.reshape(shape[0], shape[1], *found.shape[2:])
    return found.astype(dtype)


def _convolved(layer: Conv, x: NDArray[Any]) -> NDArray[Any]:
    for axis, (pads, boundary) in enumerate(zip(layer.pads, layer.boundary, strict=True)):
        widths = [(0, 0)] * x.ndim
        widths[axis + 2] = pads
        if boundary == "zeros":
            x = np.pad(x, widths)
        elif isinstance(boundary, str):
            x = np.pad(x, widths, mode=boundary)  # type: ignore[call-overload]  # one of its words
        else:
            x = np.pad(x, widths, constant_values=boundary)
    weight = _wide(layer.weight)
    if layer.flip:
        weight = np.flip(weight, tuple(range(2, weight.ndim)))
    out_channels, per_group = weight.shape[:2]
    spans = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel, strict=True)]
    counts = [
        (n - span - 1) // stride + 1
        for n, span, stride in zip(x.shape[2:], spans, layer.stride, strict=True)
    ]
    out = np.zeros((x.shape[0], out_channels, *counts), _sum_dtype(x, weight))
    for o in range(out_channels):
        first = o // (out_channels // layer.groups) * per_group
        for taps in itertools.product(*map(range, layer.kernel)):
            window = tuple(
                slice(tap * dilation, tap * dilation + (count - 1) * stride + 1, stride)
                for tap, dilation, count, stride in zip(
                    taps, layer.dilation, counts, layer.stride, strict=True
                )
            )
            for c in range(per_group):
                out[:, o] += weight[(o, c, *taps)] * x[(slice(None), first + c, *window)]
        if layer.bias is not None:
            out[:, o] += _wide(layer.bias)[o]
    return out


def _sum_dtype(x: NDArray[Any], weight: NDArray[Any]) -> np.dtype[Any]:
    kinds = {x.dtype.kind, weight.dtype.kind}
    if kinds == {"O"}:
        return np.dtype(object)
    return np.dtype(np.clongdouble if "c" in kinds else np.longdouble)


def _wide(x: NDArray[Any]) -> NDArray[Any]:
    if x.dtype.kind in "biu":
        # Python's own integers: those of NumPy wrap also as objects.
        return np.array(x.astype(int).tolist() if x.dtype == bool else x.tolist(), object).reshape(
            x.shape
        )
    return x.astype(np.clongdouble if x.dtype.kind == "c" else np.longdouble)
