"""One operation for each kind of layer."""

from __future__ import annotations

from collections.abc import Hashable

from convolved_engine.operations.base import Operation
from convolved_engine.operations.convolution import Convolution
from convolved_vocabulary import Conv, Layer, Options, SignalType, Unsupported

__all__ = ["Operation", "operation_for"]


def operation_for(
    layer: Layer, signal: SignalType, options: Options, identity: Hashable | None
) -> Operation:
    """Make the operation of a layer for signals of one type."""
    if isinstance(layer, Conv):
        return Convolution(layer, signal, options, identity)
    raise Unsupported(f"layers of kind {layer.kind} are not computed by this engine yet")
