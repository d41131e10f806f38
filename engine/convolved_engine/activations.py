"""The activation functions, their slopes, and how far both may err.

Each is a function of one sample, and its bits depend on that sample alone. NaN stays NaN; a zero
has no sign. They are made of minima and maxima rather than of choices, which are ten times slower
where signs are random.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary import Activation

from .special import logistic, normal_distribution

__all__ = ["activate", "error_bound", "gain", "slope", "unsigned_zeros"]

_ROOT = math.sqrt(2 / math.pi)
_CUBE = 0.044715

# Results of the elementary functions involved are within a few units in the last place; a gelu
# rounds its argument, too.
_UNITS = {"relu": 0, "leaky_relu": 1, "elu": 8, "gelu": 16, "sigmoid": 8, "tanh": 8, "softplus": 12}

# The steepest slope of gelu, at sqrt(2), and of its approximation.
_GELU_SLOPE = 1.13


def activate(layer: Activation, x: NDArray[Any]) -> NDArray[Any]:
    """The function of every sample: a new array of the shape and dtype of x.

    Args:
        layer: which function.
        x: real; of float32 or float64 for all but relu.
    """
    with np.errstate(all="ignore"):
        return unsigned_zeros(np.asarray(_activate(layer, np.asarray(x, order="C"))))


def unsigned_zeros(x: NDArray[Any]) -> NDArray[Any]:
    """Give every zero the sign +, in place: the vector and the scalar code behind NumPy's minimum
    and maximum choose differently among zeros.
    """
    if x.dtype.kind == "f":
        x += x.dtype.type(0)
    return x


def _activate(layer: Activation, x: NDArray[Any]) -> Any:
    zero, parameter = x.dtype.type(0), x.dtype.type(layer.alpha or 0)
    match layer.function:
        case "relu":
            return np.maximum(x, zero)
        case "leaky_relu":
            return np.maximum(x, zero) + parameter * np.minimum(x, zero)
        case "elu":
            return np.maximum(x, zero) + parameter * np.expm1(np.minimum(x, zero))
        case "sigmoid":
            return logistic(x)
        case "tanh":
            return np.tanh(x)
        case "softplus":
            # log(1 + exp(alpha * x)) / alpha, without overflow.
            sharp = parameter * x
            return (np.maximum(sharp, zero) + np.log1p(np.exp(-abs(sharp)))) / parameter
        case _ if layer.approximation == "tanh":
            return x * x.dtype.type(0.5) * (1 + np.tanh(_inner(x)))
        case _:
            return x * normal_distribution(x)


def slope(layer: Activation, x: NDArray[Any]) -> NDArray[Any]:
    """The derivative at every sample; at a kink what PyTorch takes: the side below.

    >>> slope(Activation("relu"), np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 1.])
    """
    with np.errstate(all="ignore"):
        return np.asarray(_slope(layer, x), x.dtype)


def _slope(layer: Activation, x: NDArray[Any]) -> Any:
    parameter = x.dtype.type(layer.alpha or 0)
    match layer.function:
        case "relu":
            return np.where(x <= 0, 0, 1)
        case "leaky_relu":
            return np.where(x > 0, x.dtype.type(1), parameter)
        case "elu":
            return np.where(x > 0, x.dtype.type(1), parameter * np.exp(x))
        case "sigmoid":
            return logistic(x) * logistic(-x)
        case "tanh":
            found = np.tanh(x)
            return 1 - found * found
        case "softplus":
            return logistic(parameter * x)
        case _ if layer.approximation == "tanh":
            found = np.tanh(_inner(x))
            steep = _ROOT * (1 + 3 * _CUBE * x * x)
            return 0.5 * (1 + found) + 0.5 * x * (1 - found * found) * steep
        case _:
            return normal_distribution(x) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _inner(x: NDArray[Any]) -> NDArray[Any]:
    """The argument of the approximation's tanh."""
    real = x.dtype.type
    return np.asarray(real(_ROOT) * (x + real(_CUBE) * x * x * x))


def gain(layer: Activation) -> tuple[float, float]:
    """(steepest slope, |value at 0|): |f(x)| is at most slope * |x| + value at 0."""
    alpha = abs(layer.alpha or 0.0)
    match layer.function:
        case "leaky_relu" | "elu":
            return max(1.0, alpha), 0.0
        case "sigmoid":
            return 0.25, 0.5
        case "softplus":
            return 1.0, math.log(2) / alpha
        case "gelu":
            return _GELU_SLOPE, 0.0
        case _:
            return 1.0, 0.0


def error_bound(layer: Activation, dtype: np.dtype[Any]) -> float:
    """Bound on |error| / (steepest slope * |x| + |value at 0|), at every sample."""
    if dtype.kind not in "fc":
        return 0.0
    return _UNITS[layer.function] * float(np.finfo(dtype).eps) / 2
