"""Gradients of the linear layers, by linear layers.

With y the output and g its gradient, y = sum of w * x gives conj(w) * g for x and conj(x) * g for
w, at every tap (PyTorch's convention for complex numbers).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import boundary
from convolved_engine.operations import operation_for
from convolved_vocabulary import Affine, Conv, ConvTranspose, Layer, Options, SignalType

__all__ = ["convolution", "scaling", "transposition"]

Found = tuple[NDArray[Any], dict[str, NDArray[Any]]]
Pads = tuple[tuple[int, int], ...]


def convolution(layer: Conv, x: NDArray[Any], grad: NDArray[Any], options: Options) -> Found:
    """Of a `Conv`: input, and weight and bias by name."""
    zeros = boundary.remaining(layer.pads, layer.boundary)
    extended = boundary.extend(x, layer.pads, layer.boundary, zeros)
    weight = _forwards(layer, layer.weight)
    axes = zip(layer.axes(layer.rank), zeros, extended.shape[2:], grad.shape[2:], strict=True)
    missing = [n + sum(pair) - axis.extent - (m - 1) * axis.stride for axis, pair, n, m in axes]
    adjoint = ConvTranspose(
        weight.conj(), None, layer.stride, zeros, missing, layer.dilation, layer.groups
    )
    into = boundary.fold(_run(adjoint, grad, options), layer.pads, layer.boundary, zeros)
    found = _correlated(layer, extended.conj(), grad, zeros, options)
    return into, {"weight": _forwards(layer, found), **_bias(layer, grad)}


def transposition(
    layer: ConvTranspose, x: NDArray[Any], grad: NDArray[Any], options: Options
) -> Found:
    """Of a `ConvTranspose`: input, and weight and bias by name."""
    adjoint = Conv(
        layer.weight.conj(), None, layer.stride, layer.pads, layer.dilation, layer.groups
    )
    # Output padding may hold another whole step.
    within: Any = (slice(None), slice(None), *map(slice, x.shape[2:]))
    into = _run(adjoint, grad, options)[within]
    # Here the roles are exchanged: the input slides over the gradient.
    found = _correlated(layer, grad, x.conj(), layer.pads, options)
    return into, {"weight": found, **_bias(layer, grad)}


def scaling(layer: Affine, x: NDArray[Any], grad: NDArray[Any]) -> Found:
    """Of an `Affine`: input, and scale and shift by name."""
    scale = layer.scale.reshape(-1, *(1,) * (x.ndim - 2))
    found = {"scale": _sum(x.conj() * grad)}
    if layer.shift is not None:
        found["shift"] = _sum(grad)
    return grad * scale.conj().astype(grad.dtype), found


def _correlated(
    layer: Conv | ConvTranspose,
    long: NDArray[Any],
    short: NDArray[Any],
    pads: Pads,
    options: Options,
) -> NDArray[Any]:
    """For every tap t the sum over batch and places i of long[i * stride + dilation * t] *
    short[i], for each pair of their channels within a group: the shape of the weight.
    """
    batch, groups = len(long), layer.groups
    inputs = long.shape[1] // groups
    rows = long.reshape(batch, groups, inputs, *long.shape[2:])
    rows = rows.transpose(2, 1, 0, *range(3, rows.ndim))
    kernels = short.transpose(1, 0, *range(2, short.ndim))
    sliding = Conv(kernels, None, layer.dilation, pads, layer.stride, groups)
    found = _run(sliding, rows.reshape(inputs, groups * batch, *long.shape[2:]), options)
    within: Any = (slice(None), slice(None), *map(slice, layer.kernel))
    return np.asarray(found[within].transpose(1, 0, *range(2, found.ndim)))


def _run(layer: Layer, x: NDArray[Any], options: Options) -> NDArray[Any]:
    return operation_for(layer, SignalType.of(x.dtype), options, None).run(x)


def _forwards(layer: Conv, weight: NDArray[Any]) -> NDArray[Any]:
    """The weight as cross-correlation reads it, and back."""
    return np.flip(weight, tuple(range(2, weight.ndim))) if layer.flip else weight


def _bias(layer: Conv | ConvTranspose, grad: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {} if layer.bias is None else {"bias": _sum(grad)}


def _sum(grad: NDArray[Any]) -> NDArray[Any]:
    """The sum for each channel, in double precision."""
    wide = np.result_type(grad.dtype, np.float64)
    return np.asarray(grad.sum(axis=(0, *range(2, grad.ndim)), dtype=wide))
