"""What each layer means, evaluated by its definition in higher precision than any operation."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary import Activation, Affine, Conv, ConvTranspose, Filter, Layer, Pool

__all__ = ["evaluate", "evaluate_layer", "wide"]

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def wide(x: NDArray[Any]) -> NDArray[Any]:
    """Python's integers, or long doubles."""
    kind = {"f": np.longdouble, "c": np.clongdouble}.get(x.dtype.kind, object)
    return x.astype(np.int64).astype(object) if x.dtype == np.bool_ else x.astype(kind)


def evaluate(filter: Filter, signal: NDArray[Any]) -> NDArray[Any]:
    """The output of every layer in turn for a signal (batch, channels, *spatial)."""
    found = wide(signal)
    if filter.per_channel:
        found = found.reshape(-1, 1, *signal.shape[2:])
    for layer, after in zip(filter.layers, filter.output_types(signal.dtype), strict=True):
        lowest = int(np.iinfo(after.dtype).min) if after.dtype.kind in "iu" else -np.inf
        found = evaluate_layer(layer, found, lowest)
    if filter.per_channel:
        found = found.reshape(*signal.shape[:2], *found.shape[2:])
    return found


def evaluate_layer(layer: Layer, x: NDArray[Any], lowest: float = -np.inf) -> NDArray[Any]:
    """The output of a layer for x as `wide` gives it; `lowest` is the maximum of no samples."""
    with np.errstate(all="ignore"):
        match layer:
            case Conv():
                return _convolved(layer, x)
            case ConvTranspose():
                return _transposed(layer, x)
            case Activation():
                return _activated(layer, x)
            case Pool():
                return _pooled(layer, x, lowest)
            case Affine():
                ones = (1,) * (x.ndim - 2)
                scaled = np.asarray(x * wide(layer.scale).reshape(-1, *ones))
                if layer.shift is not None:
                    scaled += wide(layer.shift).reshape(-1, *ones)
                return scaled
    raise AssertionError(layer)


def _sums(layer: Conv | ConvTranspose, x: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    dtype = np.result_type(x.dtype, wide(layer.weight).dtype)
    found = np.zeros(shape, dtype)
    if layer.bias is not None:
        found = found + wide(layer.bias).reshape(-1, *(1,) * layer.rank)
    return found


def _convolved(layer: Conv, x: NDArray[Any]) -> NDArray[Any]:
    inside = np.ones(x.shape, bool)
    for axis, (pads, boundary) in enumerate(zip(layer.pads, layer.boundary, strict=True)):
        widths = [(0, 0)] * x.ndim
        widths[axis + 2] = pads
        if boundary == "zeros":
            x, inside = np.pad(x, widths), np.pad(inside, widths)
        elif isinstance(boundary, str):
            x = np.pad(x, widths, mode=boundary)  # type: ignore[call-overload]  # one of its words
            inside = np.pad(inside, widths, mode=boundary)  # type: ignore[call-overload]  # one of its words
        else:
            x = np.pad(x, widths, constant_values=boundary)
            inside = np.pad(inside, widths, constant_values=True)
    weight = wide(layer.weight)
    if layer.flip:
        weight = np.flip(weight, tuple(range(2, weight.ndim)))
    axes = zip(layer.kernel, layer.stride, layer.dilation, x.shape[2:], strict=True)
    counts = [(n - d * (k - 1) - 1) // s + 1 for k, s, d, n in axes]
    out = _sums(layer, x, (x.shape[0], len(weight), *counts))
    for o, c in itertools.product(range(len(weight)), range(weight.shape[1])):
        channel = o // (len(weight) // layer.groups) * weight.shape[1] + c
        for taps in itertools.product(*map(range, layer.kernel)):
            window: Any = (
                slice(None),
                channel,
                *(
                    slice(t * d, t * d + (count - 1) * s + 1, s)
                    for t, d, s, count in zip(
                        taps, layer.dilation, layer.stride, counts, strict=True
                    )
                ),
            )
            # There is no sample in a padding of zeros that an infinite weight could multiply.
            out[:, o] += np.where(inside[window], _product(weight[(o, c, *taps)], x[window]), 0)
    return out


def _product(a: Any, x: NDArray[Any]) -> NDArray[Any]:
    """A product whose non-finite parts are those of the real products."""
    if x.dtype.kind != "c" and not isinstance(a, np.clongdouble):
        return np.asarray(a * x)
    if x.dtype.kind != "c":
        x = x.astype(np.clongdouble)
    found = np.empty(x.shape, np.clongdouble)
    real, imag = (a.real, a.imag) if isinstance(a, np.clongdouble) else (a, 0 * a)
    found.real = real * x.real - imag * x.imag
    found.imag = real * x.imag + imag * x.real
    return found


def _transposed(layer: ConvTranspose, x: NDArray[Any]) -> NDArray[Any]:
    weight = wide(layer.weight)
    inputs, per_group = weight.shape[:2]
    axes = layer.axes(layer.rank)
    whole = [
        (n - 1) * axis.stride + axis.extent + axis.output_padding
        for axis, n in zip(axes, x.shape[2:], strict=True)
    ]
    out = np.zeros((x.shape[0], per_group * layer.groups, *whole), _sums(layer, x, (1,)).dtype)
    for c, o in itertools.product(range(inputs), range(per_group)):
        channel = c // (inputs // layer.groups) * per_group + o
        for taps in itertools.product(*map(range, layer.kernel)):
            to: Any = (
                slice(None),
                channel,
                *(
                    slice(
                        t * axis.dilation,
                        t * axis.dilation + (n - 1) * axis.stride + 1,
                        axis.stride,
                    )
                    for t, axis, n in zip(taps, axes, x.shape[2:], strict=True)
                ),
            )
            out[to] += _product(weight[(c, o, *taps)], x[:, c])
    for number, axis in enumerate(axes):
        out = np.take(out, range(axis.before, whole[number] - axis.after), number + 2)
    if layer.bias is not None:
        out = out + wide(layer.bias).reshape(-1, *(1,) * layer.rank)
    return out


def _activated(layer: Activation, x: NDArray[Any]) -> NDArray[Any]:
    alpha = np.longdouble(layer.alpha or 0)
    match layer.function:
        case "relu":
            return np.where(x <= 0, 0 * x if x.dtype == object else np.longdouble(0), x)
        case "leaky_relu":
            return np.where(x > 0, x, alpha * x)
        case "elu":
            return np.where(x > 0, x, alpha * np.expm1(x))
        case "sigmoid":
            return np.asarray(1 / (1 + np.exp(-x)))
        case "tanh":
            return np.asarray(np.tanh(x))
        case "softplus":
            return np.asarray(np.logaddexp(0, alpha * x) / alpha)
        case _ if layer.approximation == "tanh":
            inner = np.sqrt(2 / np.longdouble(math.pi)) * (x + np.longdouble("0.044715") * x**3)
            return np.asarray(x / 2 * (1 + np.tanh(inner)))
        case _:
            argument = (-x / np.sqrt(np.longdouble(2))).astype(np.float64)
            return np.asarray(x / 2 * _erfc(argument))


def _pooled(layer: Pool, x: NDArray[Any], lowest: float) -> NDArray[Any]:
    axes = layer.axes(layer.rank)
    counts = [axis.output_length(n) for axis, n in zip(axes, x.shape[2:], strict=True)]
    out = np.empty((*x.shape[:2], *counts), x.dtype)
    for at in itertools.product(*map(range, counts)):
        inside, places = [], 1
        for j, axis, n in zip(at, axes, x.shape[2:], strict=True):
            taps = [axis.first_input(j) + t * axis.dilation for t in range(axis.size)]
            inside.append([i for i in taps if 0 <= i < n])
            places *= sum(-axis.before <= i < n + axis.after for i in taps)
        window: Any = (slice(None), slice(None), *np.ix_(*inside))
        samples = x[window].reshape(*x.shape[:2], -1)
        here: Any = (slice(None), slice(None), *at)
        if layer.function == "max":
            out[here] = samples.max(axis=-1) if samples.shape[-1] else lowest
        else:
            count = np.longdouble(places if layer.count_include_pad else samples.shape[-1])
            out[here] = _product(1 / count, samples.sum(axis=-1))
    return out
