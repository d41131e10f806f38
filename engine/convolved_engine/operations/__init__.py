"""One operation for each kind of layer."""

from __future__ import annotations

from collections.abc import Hashable

from convolved_engine.operations.activation import Activating
from convolved_engine.operations.affine import Scaling
from convolved_engine.operations.base import Operation
from convolved_engine.operations.convolution import Convolution
from convolved_engine.operations.pooling import Pooling
from convolved_engine.operations.transpose import Transposition
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

__all__ = ["Operation", "operation_for"]


def operation_for(
    layer: Layer, signal: SignalType, options: Options, identity: Hashable | None
) -> Operation:
    """Make the operation of a layer for signals of one type."""
    match layer:
        case Conv():
            return Convolution(layer, signal, options, identity)
        case ConvTranspose():
            return Transposition(layer, signal, options, identity)
        case Activation():
            return Activating(layer, signal)
        case Pool():
            return Pooling(layer, signal)
        case Affine():
            return Scaling(layer, signal, options, identity)
    raise Unsupported(f"layers of kind {layer.kind} are not computed by this engine")
