"""A filter: one layer or several in a row, and everything that follows from them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from .canonical import canonical_form, filter_name
from .checks import finite_number, shape_of, truth
from .dtypes import SignalType
from .errors import InvalidArgument
from .geometry import AxisMap, Chain, ReceptiveField, Sliding
from .layers import Layer
from .words import counted, shown

__all__ = ["AXES", "Filter"]

AXES = ("depth", "height", "time")
"""What the spatial axes are called; a filter of rank r has the last r of them."""


@dataclass(frozen=True)
class Filter:
    """An ordered list of layers, applied one after another.

    Args:
        layers: a layer, or several; those that have a rank agree in it, and each takes the
            channels that the one before gives.
        per_channel: a filter from one channel to one, applied to every channel of whatever
            comes.
        sample_rate_hertz: the rate for which it was made; signals that state another are
            refused. None if it does not matter.

    Raises:
        InvalidArgument: naming the layer and the argument that is wrong.

    >>> from convolved_vocabulary import Activation, Conv
    >>> import numpy as np
    >>> front = Filter([Conv(np.ones((8, 1, 5)), stride=2), Activation("relu")])
    >>> front.output_shape((1, 100)), front.delay, front.output_dtype("float32")
    ((8, 48), Fraction(4, 1), dtype('float32'))
    """

    layers: tuple[Layer, ...]
    per_channel: bool
    sample_rate_hertz: float | None

    def __init__(
        self,
        layers: Layer | Sequence[Layer],
        per_channel: bool = False,
        sample_rate_hertz: float | None = None,
    ) -> None:
        object.__setattr__(self, "layers", _checked_layers(layers))
        object.__setattr__(self, "per_channel", truth("per_channel", per_channel))
        object.__setattr__(self, "sample_rate_hertz", _checked_rate(sample_rate_hertz))
        first, last = self._check_channels()
        if self.per_channel and first is None:
            raise InvalidArgument(
                "per_channel",
                "True with layers that take any number of channels",
                "False: they treat each channel by itself already",
            )
        if self.per_channel and (first, last) != (1, 1):
            raise InvalidArgument(
                "per_channel",
                f"True with layers from {first} to {counted(last or 0, 'channel')}",
                "layers from 1 channel to 1, or False",
            )

    def __hash__(self) -> int:
        return hash((self.layers, self.per_channel, self.sample_rate_hertz))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.layers, self.per_channel, self.sample_rate_hertz)

    @cached_property
    def canonical(self) -> bytes:
        """The canonical form: what is stored, and what the name is the hash of."""
        return canonical_form(self.layers, self.per_channel, self.sample_rate_hertz)

    @cached_property
    def name(self) -> str:
        """`filters/` and the SHA-256 of the canonical form, in hexadecimal."""
        return filter_name(self.canonical)

    @cached_property
    def rank(self) -> int:
        """The number of spatial axes: 1, 2 or 3 (1 if no layer says)."""
        return next((layer.rank for layer in self.layers if layer.rank), 1)

    @cached_property
    def in_channels(self) -> int | None:
        """The channels that a signal must have, None if any number does."""
        return None if self.per_channel else self._first_channels

    @cached_property
    def chains(self) -> tuple[Chain, ...]:
        """The geometry of each spatial axis; the last one is time."""
        by_layer = [layer.axes(self.rank) for layer in self.layers]
        return tuple(Chain(axis) for axis in zip(*by_layer, strict=True))

    @property
    def time(self) -> Chain:
        """The geometry of the last axis."""
        return self.chains[-1]

    @cached_property
    def delay(self) -> Fraction:
        """The greatest (last input of an output) - (its index / rate), in input samples."""
        return self.time.delay

    @cached_property
    def receptive_field(self) -> tuple[ReceptiveField, ...]:
        """For each spatial axis what one output sees."""
        return tuple(chain.receptive_field for chain in self.chains)

    @cached_property
    def parameter_count(self) -> int:
        """The numbers in its tensors."""
        return sum(t.size for layer in self.layers for t in layer.tensors().values())

    @cached_property
    def size_bytes(self) -> int:
        """The bytes of its tensors."""
        return sum(t.nbytes for layer in self.layers for t in layer.tensors().values())

    def out_channels(self, in_channels: int) -> int:
        """The channels that come out when `in_channels` go in."""
        if self.per_channel:
            return in_channels
        for layer in self.layers:
            in_channels = layer.out_channels(in_channels)
        return in_channels

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape that comes out for ([batch,] channels, *spatial).

        Raises:
            InvalidArgument: if the signal has another rank or other channels, or is too short
                for the kernel.
        """
        return self.shapes(shape)[-1]

    def shapes(self, shape: Sequence[int]) -> list[tuple[int, ...]]:
        """The shapes of a signal of `shape` before the first layer and after each.

        Raises:
            InvalidArgument: as `output_shape`.
        """
        given = shape_of("x", shape)
        if len(given) - self.rank not in (1, 2) or 0 in given:
            spatial = ", ".join(AXES[-self.rank :])
            raise InvalidArgument(
                "x",
                f"shape {given}",
                f"(channels, {spatial}) or (batch, channels, {spatial}), nothing empty",
            )
        *batch, channels = given[: -self.rank]
        if self.in_channels not in (None, channels):
            raise InvalidArgument(
                "x", counted(channels, "channel"), counted(self.in_channels or 0, "channel")
            )
        size = given[-self.rank :]
        found = [given]
        for index, layer in enumerate(self.layers):
            if not self.per_channel:
                channels = layer.out_channels(channels)
            axes = layer.axes(self.rank)
            after = tuple(a.output_length(n) for a, n in zip(axes, size, strict=True))
            if 0 in after:
                at = after.index(0)
                raise _too_short(
                    size[at], AXES[at - self.rank], axes[at], _where(index, self.layers)
                )
            size = after
            found.append((*batch, channels, *size))
        return found

    def output_dtype(self, dtype: DTypeLike) -> np.dtype[Any]:
        """The dtype that comes out for a signal of `dtype`; see `convolved_vocabulary.dtypes`.

        Raises:
            InvalidArgument: if no layer could take it.
            IntegerOverflow: if exact integer results could not be held.
        """
        return self.output_types(dtype)[-1].dtype

    def output_types(self, dtype: DTypeLike) -> tuple[SignalType, ...]:
        """The type of a signal of `dtype` after each layer.

        Raises:
            InvalidArgument: if a layer cannot take it.
            IntegerOverflow: if exact integer results could not be held.
        """
        signal = SignalType.of(dtype)
        if signal.dtype not in self._types:
            self._types[signal.dtype] = _output_types(self.layers, signal)
        return self._types[signal.dtype]

    def ready(self, n: int) -> int:
        """How many output samples along time the first `n` inputs fix, whatever follows."""
        return self.time.ready(n)

    def multiply_adds(self, shape: Sequence[int]) -> int:
        """Multiply-adds of a direct evaluation, for a signal of `shape`.

        Raises:
            InvalidArgument: as `output_shape`.
        """
        shapes = self.shapes(shape)
        examples = 1 if len(shapes[0]) == self.rank + 1 else shapes[0][0]
        channels = shapes[0][-self.rank - 1]
        if self.per_channel:
            examples, channels = examples * channels, 1
        total = 0
        for layer, after in zip(self.layers, shapes[1:], strict=True):
            total += layer.multiply_adds(channels, after[-self.rank :])
            channels = layer.out_channels(channels)
        return examples * total

    def check_sample_rate(self, rate: float | None) -> None:
        """Refuse a signal whose stated rate is not the filter's.

        Args:
            rate: of the signal, in hertz; None if it states none.

        Raises:
            InvalidArgument: if both state a rate and they differ.
        """
        rate = _checked_rate(rate)
        if rate is None or self.sample_rate_hertz is None or rate == self.sample_rate_hertz:
            return
        raise InvalidArgument(
            "sample_rate_hertz",
            f"{rate:g} Hz for a filter made for {self.sample_rate_hertz:g} Hz",
            f"a signal resampled to {self.sample_rate_hertz:g} Hz",
        )

    def check_streamable(self) -> None:
        """Refuse a filter whose first output along time needs the end of the signal.

        Raises:
            InvalidArgument: naming the layer that wraps around.
        """
        for index, axis in enumerate(self.time.maps):
            if isinstance(axis, Sliding) and axis.wraps:
                raise InvalidArgument(
                    f"layers[{index}].boundary",
                    "'wrap' along time, whose first output needs the end of the signal",
                    "another boundary to stream, or the whole signal at once with apply",
                )

    @cached_property
    def _types(self) -> dict[np.dtype[Any], tuple[SignalType, ...]]:
        return {}

    @cached_property
    def _first_channels(self) -> int | None:
        for layer in self.layers:
            if layer.in_channels is not None:
                return layer.in_channels
        return None

    def _check_channels(self) -> tuple[int | None, int | None]:
        channels: int | None = self._first_channels
        first = channels
        for index, layer in enumerate(self.layers):
            if channels is not None and layer.in_channels not in (None, channels):
                raise InvalidArgument(
                    f"layers[{index}]",
                    f"{_a(layer)} for {counted(layer.in_channels or 0, 'channel')}",
                    f"one for {channels}, as many as the layers before it give",
                )
            if channels is not None:
                channels = layer.out_channels(channels)
            elif layer.in_channels is not None:
                channels = layer.out_channels(layer.in_channels)
        return first, channels


def _checked_layers(layers: object) -> tuple[Layer, ...]:
    if isinstance(layers, Layer):
        return (layers,)
    if not isinstance(layers, Sequence) or not layers:
        raise InvalidArgument(
            "layers",
            shown(layers),
            "a layer or a sequence of layers (impulse_response makes a filter of an array)",
        )
    rank: int | None = None
    for index, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise InvalidArgument(
                f"layers[{index}]",
                shown(layer),
                "a Conv, ConvTranspose, Activation, Pool or Affine",
            )
        if layer.rank is not None and rank not in (None, layer.rank):
            raise InvalidArgument(
                f"layers[{index}]",
                f"{_a(layer)} of rank {layer.rank}",
                f"rank {rank}, which the layers before it have",
            )
        rank = layer.rank or rank
    return tuple(layers)


def _a(layer: Layer) -> str:
    name = type(layer).__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _where(index: int, layers: Sequence[Layer]) -> str:
    return f"layers[{index}] ({type(layers[index]).__name__})"


def _checked_rate(rate: object) -> float | None:
    if rate is None:
        return None
    found = finite_number("sample_rate_hertz", rate)
    if found <= 0:
        raise InvalidArgument("sample_rate_hertz", shown(rate), "a positive number, or None")
    return found


def _too_short(length: int, axis: str, map: AxisMap, where: str) -> InvalidArgument:
    came = f"{counted(length, 'sample')} along {axis} at {where}, whose "
    wanted = f"at least {map.shortest_input} there"
    if isinstance(map, Sliding):
        padded = length + map.before + map.after
        came += f"kernel of {map.extent} is larger than the padded signal of {padded}"
        wanted += ", a shorter kernel or more padding"
    else:
        came += "padding cuts the whole output away"
        wanted += " or less padding"
    return InvalidArgument("x", came, wanted)


def _output_types(layers: Sequence[Layer], signal: SignalType) -> tuple[SignalType, ...]:
    found = []
    for index, layer in enumerate(layers):
        try:
            signal = layer.output_type(signal)
        except InvalidArgument as error:
            raise error.within(f"layers[{index}]") if len(layers) > 1 else error from None
        found.append(signal)
    return tuple(found)
