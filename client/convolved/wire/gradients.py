"""Gradients as messages; `decode_gradients` is the exact inverse of `encode_gradients`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convolved.v1 import convolution_pb2 as pb
from convolved_vocabulary import Gradients

from .tensors import announce_tensor, decode_tensor, encode_tensor, is_announced

__all__ = ["arrays_of", "decode_gradients", "described", "encode_gradients"]

_WIRE_ORDER: tuple[Literal["weight", "bias", "scale", "shift"], ...] = (
    "weight",
    "bias",
    "scale",
    "shift",
)


def arrays_of(found: Gradients) -> list[NDArray[Any]]:
    """The arrays of gradients in the order in which the wire announces them."""
    layers = [layer[name] for layer in found.layers for name in _WIRE_ORDER if name in layer]
    return [found.input, *layers]


def encode_gradients(found: Gradients, *, announce: bool = False) -> pb.Gradients:
    """Gradients as a message.

    Args:
        found: the gradients.
        announce: leave out the elements of all tensors; they follow in Parts.

    >>> found = Gradients(np.ones((1, 3)), ({"weight": np.ones((1, 1, 2))}, {}))
    >>> decode_gradients(encode_gradients(found)).layers
    ({'weight': array([[[1., 1.]]])}, {})
    """
    tensor = announce_tensor if announce else encode_tensor
    return pb.Gradients(
        input=tensor(found.input),
        layers=[
            pb.LayerGradient(**{name: tensor(array) for name, array in layer.items()})
            for layer in found.layers
        ],
    )


def described(message: pb.Gradients) -> list[dict[str, tuple[int, tuple[int, ...]]]]:
    """Number of the type and shape of each tensor: of the input, then of each layer, by name."""

    def told(tensor: pb.Tensor) -> tuple[int, tuple[int, ...]]:
        return tensor.data_type, tuple(tensor.shape)

    layers: Iterator[dict[str, tuple[int, tuple[int, ...]]]] = (
        {name: told(getattr(layer, name)) for name in _WIRE_ORDER if layer.HasField(name)}
        for layer in message.layers
    )
    return [{"input": told(message.input)}, *layers]


def decode_gradients(message: pb.Gradients, tensors: Iterable[NDArray[Any]] = ()) -> Gradients:
    """The gradients of a message, in arrays that may be written to.

    Args:
        message: the message.
        tensors: the arrays of the announced tensors in their order.

    Raises:
        InvalidArgument: for a tensor whose type, shape and data do not agree.
    """
    following = iter(tensors)

    def read(tensor: pb.Tensor, path: str) -> NDArray[Any]:
        return np.array(next(following) if is_announced(tensor) else decode_tensor(tensor, path))

    whole = read(message.input, "input")
    layers: tuple[dict[str, NDArray[Any]], ...] = tuple(
        {
            name: read(getattr(layer, name), f"layers[{index}].{name}")
            for name in _WIRE_ORDER
            if layer.HasField(name)
        }
        for index, layer in enumerate(message.layers)
    )
    return Gradients(whole, layers)
