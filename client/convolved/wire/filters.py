"""Filters as messages; `decode_filter` is the exact inverse of `encode_filter`.

Padding is written in numbers: modes have been resolved when a layer was made, and stand for the
same numbers. Values are checked by the vocabulary, in its words; the codec adds the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved.v1 import convolution_pb2 as pb
from convolved_vocabulary import (
    Activation,
    Affine,
    Conv,
    ConvTranspose,
    Filter,
    InvalidArgument,
    Layer,
    Pool,
)
from convolved_vocabulary.layers.activation import ACTIVATIONS

from .axes import axis_field, decode_axes, encode_axes
from .fields import located
from .tensors import announce_tensor, decode_shape, decode_tensor, encode_tensor, is_announced

__all__ = ["checked_name", "decode_filter", "encode_filter", "tensors_of", "unfilled"]

_NAME = re.compile(r"filters/[0-9a-f]{64}")
_ACTIVATIONS = {
    word: pb.ActivationKind.Value(f"ACTIVATION_KIND_{word.upper()}") for word in ACTIVATIONS
}
_POOLS = {"max": pb.POOL_KIND_MAX, "average": pb.POOL_KIND_AVERAGE}
_WIRE_ORDER = ("weight", "bias", "scale", "shift")
_FIELDS = {
    "function": "kind",
    "approximation": "tanh_approximation",
    **dict.fromkeys(("stride", "padding", "dilation", "boundary", "output_padding"), "axes"),
}


def checked_name(name: str, path: str = "name", argument: str = "filter") -> str:
    """Return a filter's name if it is of the form.

    Raises:
        InvalidArgument: if it is not `filters/` and 64 lowercase hexadecimal digits.
    """
    if not _NAME.fullmatch(name):
        with located(path):
            raise InvalidArgument(
                argument, repr(name[:100]), "'filters/' and 64 lowercase hexadecimal digits"
            )
    return name


def tensors_of(filter: Filter) -> list[NDArray[Any]]:
    """The arrays of a filter in the order in which the wire announces them."""
    return [
        tensors[name]
        for layer in filter.layers
        for tensors in (layer.tensors(),)
        for name in _WIRE_ORDER
        if name in tensors
    ]


def encode_filter(filter: Filter, *, announce: bool = False) -> pb.Filter:
    """A filter as a message.

    Args:
        filter: the filter.
        announce: leave out the elements of all tensors; they follow in Parts, or the message
            only describes.

    >>> message = encode_filter(Filter(Activation("relu")))
    >>> decode_filter(message).name == Filter(Activation("relu")).name
    True
    """
    tensor = announce_tensor if announce else encode_tensor
    return pb.Filter(
        layers=[_encode_layer(layer, tensor) for layer in filter.layers],
        per_channel=filter.per_channel,
        sample_rate_hertz=filter.sample_rate_hertz or 0.0,
    )


def decode_filter(
    message: pb.Filter, path: str = "filter", tensors: Iterable[NDArray[Any]] | None = None
) -> Filter:
    """The filter of a message.

    Args:
        message: the message.
        path: where it stands in the request.
        tensors: the arrays of the announced tensors in their order. An iterator is advanced by
            as many as the filter announces, so that several filters can share one. None if none
            may be announced.

    Raises:
        InvalidArgument: naming what is wrong, in the vocabulary's words.
    """
    read = _Reader(None if tensors is None else iter(tensors))
    layers = []
    for index, layer in enumerate(message.layers):
        with located(f"{path}.layers[{index}]", within=f"layers[{index}]"):
            layers.append(read.layer(layer, f"{path}.layers[{index}]"))
    with located(f"{path}.sample_rate_hertz"):
        rate = message.sample_rate_hertz or None
    try:
        return Filter(layers, message.per_channel, rate)
    except InvalidArgument as error:
        found = re.match(r"layers(\[\d+\])?|per_channel|sample_rate_hertz", error.argument)
        with located(f"{path}.{found.group()}" if found else path):
            raise


def unfilled(message: pb.Filter) -> Iterator[NDArray[Any]]:
    """Arrays of zeros for the announced tensors, to decode a filter that is only described.

    They take no memory as long as nobody reads them.
    """
    for layer in message.layers:
        kind = layer.WhichOneof("kind")
        inner = getattr(layer, kind) if kind else None
        for name in _WIRE_ORDER:
            if (
                inner is not None
                and name in inner.DESCRIPTOR.fields_by_name
                and inner.HasField(name)
            ):
                dtype, shape = decode_shape(getattr(inner, name))
                array = np.zeros(shape, dtype)
                array.flags.writeable = False
                yield array


def _encode_layer(layer: Layer, tensor: Callable[[NDArray[Any]], pb.Tensor]) -> pb.Layer:
    tensors = {name: tensor(array) for name, array in layer.tensors().items()}
    match layer:
        case Conv():
            conv = pb.Conv(
                **tensors,
                groups=layer.groups if layer.groups != 1 else None,
                flip=layer.flip,
                axes=encode_axes(layer.stride, layer.dilation, layer.pads, layer.boundary),
            )
            return pb.Layer(conv=conv)
        case ConvTranspose():
            transpose = pb.ConvTranspose(
                **tensors,
                groups=layer.groups if layer.groups != 1 else None,
                axes=encode_axes(
                    layer.stride, layer.dilation, layer.pads, output_padding=layer.output_padding
                ),
            )
            return pb.Layer(conv_transpose=transpose)
        case Activation():
            activation = pb.Activation(
                kind=_ACTIVATIONS[layer.function],
                alpha=layer.alpha if layer.alpha != ACTIVATIONS[layer.function] else None,
                tanh_approximation=layer.approximation == "tanh",
            )
            return pb.Layer(activation=activation)
        case Pool():
            pool = pb.Pool(
                kind=_POOLS[layer.function],
                size=layer.size,
                axes=encode_axes(layer.stride, layer.dilation, layer.pads, default=layer.size),
                ceil_mode=layer.ceil_mode,
                count_include_pad=None if layer.count_include_pad else False,
            )
            return pb.Layer(pool=pool)
        case Affine():
            return pb.Layer(affine=pb.Affine(**tensors))
    raise TypeError(f"a layer without a message: {type(layer).__name__}")


class _Reader:
    """Reads layers, taking announced tensors from where they are."""

    def __init__(self, announced: Iterator[NDArray[Any]] | None) -> None:
        self.announced = announced

    def layer(self, message: pb.Layer, path: str) -> Layer:
        kind = message.WhichOneof("kind")
        if kind is None:
            raise InvalidArgument(
                "kind", "a layer of no kind", "conv, conv_transpose, activation, pool or affine"
            )
        inner, inside = getattr(message, kind), f"{path}.{kind}"
        try:
            return getattr(self, kind)(inner, inside)  # type: ignore[no-any-return]  # one of the methods below
        except InvalidArgument as error:
            field = _FIELDS.get(error.argument, error.argument)
            if field == "axes":
                field = axis_field(inner.axes, error.argument)
            with located(f"{inside}.{field}"):
                raise

    def conv(self, message: pb.Conv, path: str) -> Conv:
        weight = self.tensor(message, "weight", path)
        axes = decode_axes(message.axes, weight.ndim - 2, path, modes=True, boundaries=True)
        return Conv(
            weight,
            self.optional(message, "bias", path),
            stride=axes.stride,
            padding=axes.padding,
            dilation=axes.dilation,
            groups=_groups(message),
            boundary=axes.boundary,
            flip=message.flip,
        )

    def conv_transpose(self, message: pb.ConvTranspose, path: str) -> ConvTranspose:
        weight = self.tensor(message, "weight", path)
        axes = decode_axes(message.axes, weight.ndim - 2, path, output_padding=True)
        return ConvTranspose(
            weight,
            self.optional(message, "bias", path),
            stride=axes.stride,
            padding=axes.pads,
            output_padding=axes.output_padding,
            dilation=axes.dilation,
            groups=_groups(message),
        )

    def activation(self, message: pb.Activation, path: str) -> Activation:
        return Activation(
            _word(_ACTIVATIONS, message.kind, path),
            message.alpha if message.HasField("alpha") else None,
            "tanh" if message.tanh_approximation else "none",
        )

    def pool(self, message: pb.Pool, path: str) -> Pool:
        function = _word(_POOLS, message.kind, path)
        size: Sequence[int] = tuple(message.size)
        axes = decode_axes(message.axes, len(size), path, default=size)
        counted = not message.HasField("count_include_pad") or message.count_include_pad
        return Pool(
            function,
            size,
            stride=axes.stride,
            padding=axes.pads,
            dilation=axes.dilation,
            ceil_mode=message.ceil_mode,
            count_include_pad=counted,
        )

    def affine(self, message: pb.Affine, path: str) -> Affine:
        return Affine(self.tensor(message, "scale", path), self.optional(message, "shift", path))

    def optional(self, message: Any, name: str, path: str) -> NDArray[Any] | None:
        return self.tensor(message, name, path) if message.HasField(name) else None

    def tensor(self, message: Any, name: str, path: str) -> NDArray[Any]:
        where = f"{path}.{name}"
        if not message.HasField(name):
            with located(where):
                raise InvalidArgument(name, "nothing", "a tensor")
        tensor: pb.Tensor = getattr(message, name)
        if self.announced is None or not is_announced(tensor):
            return decode_tensor(tensor, where, name)
        dtype, shape = decode_shape(tensor, where, name)
        array = next(self.announced)
        if array.dtype != dtype or array.shape != shape:
            raise ValueError(f"{where} announces {shape}, and an array of {array.shape} came")
        return array


def _groups(message: pb.Conv | pb.ConvTranspose) -> int:
    return message.groups if message.HasField("groups") else 1


def _word(words: dict[str, Any], number: int, path: str) -> str:
    for word, known in words.items():
        if known == number:
            return word
    with located(f"{path}.kind"):
        raise InvalidArgument("function", f"kind {number}", "one of " + ", ".join(map(repr, words)))
