"""One step backwards: the gradients of each kind of layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.activations import slope
from convolved_engine.gradients import linear, pools
from convolved_engine.operations.base import converted
from convolved_vocabulary import (
    Activation,
    Affine,
    Conv,
    ConvTranspose,
    Layer,
    Options,
    Pool,
    SignalType,
    Unsupported,
)
from convolved_vocabulary.dtypes import computing_dtype

__all__ = ["backward"]

Found = tuple[NDArray[Any], dict[str, NDArray[Any]]]


def backward(
    layer: Layer, x: NDArray[Any], grad: NDArray[Any], signal: SignalType, options: Options
) -> Found:
    """The gradients with respect to the input of a layer and to its tensors.

    Args:
        layer: the layer.
        x: its input (batch, channels, *spatial).
        grad: with respect to its output.
        signal: the type of the input.
        options: the wishes of the caller.

    Returns:
        both in the dtype in which the layer computes.
    """
    dtype = computing_dtype(layer.output_type(signal).dtype)
    x, grad = converted(x, dtype), converted(grad, dtype)
    with np.errstate(all="ignore"):
        match layer:
            case Conv():
                return linear.convolution(layer, x, grad, options)
            case ConvTranspose():
                return linear.transposition(layer, x, grad, options)
            case Affine():
                return linear.scaling(layer, x, grad)
            case Activation():
                return grad * slope(layer, x), {}
            case Pool():
                return pools.pooling(layer, x, grad), {}
    raise Unsupported(f"layers of kind {layer.kind} are not differentiated by this engine")
