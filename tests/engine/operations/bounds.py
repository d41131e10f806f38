"""How far the output of a filter may be from the exact one, by the bounds that its plan states.

A step multiplies the error that comes in by its gain, and adds its own: relative_error times
(gain * largest input + constant).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.activations import gain as activation_gain
from convolved_vocabulary import Activation, Affine, Conv, ConvTranspose, Filter, Layer, Plan

__all__ = ["error_allowed"]


def error_allowed(filter: Filter, plan: Plan, signal: NDArray[Any]) -> float:
    """The greatest |error| of an output that `plan` allows for finite samples."""
    if filter.output_dtype(signal.dtype).kind in "biu":
        return 0.0
    peak, error = float(abs(signal.astype(np.clongdouble)).max()), 0.0
    for step in plan.steps:
        layers = [filter.layers[index] for index in step.layers]
        if isinstance(layers[0], Conv):
            numbers = [abs(b) for b in layers[0].boundary if not isinstance(b, str)]
            peak = max([peak, *numbers])
        gain, constant = functools.reduce(_joined, map(_gain, layers))
        error = float(
            gain * error + step.chosen.relative_error * (gain * (peak + error) + constant)
        )
        peak = float(gain * peak + constant)
        if filter.output_dtype(signal.dtype) == np.float16:
            # Each layer's result is rounded to the signal's dtype.
            error += 2.0**-11 * (peak + error)
    return error


def _joined(first: tuple[float, float], then: tuple[float, float]) -> tuple[float, float]:
    return first[0] * then[0], first[1] * then[0] + then[1]


def _gain(layer: Layer) -> tuple[float, float]:
    """(G, B) such that |output| <= G * largest |input| + B."""
    match layer:
        case Conv():
            return _largest(layer.weight, (1, *range(2, layer.weight.ndim))), _largest(layer.bias)
        case ConvTranspose():
            grouped = layer.weight.reshape(layer.groups, -1, *layer.weight.shape[1:])
            return _largest(grouped, (1, *range(3, grouped.ndim))), _largest(layer.bias)
        case Affine():
            return _largest(layer.scale), _largest(layer.shift)
        case Activation():
            return activation_gain(layer)
        case _:
            return 1.0, 0.0


def _largest(numbers: NDArray[Any] | None, axes: tuple[int, ...] = ()) -> float:
    if numbers is None:
        return 0.0
    magnitudes = abs(numbers.astype(np.clongdouble))
    return float((magnitudes.sum(axis=axes) if axes else magnitudes).max())
