"""A filter: one layer or several in a row, and everything that follows from them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .canonical import canonical_form, filter_name
from .checks import finite_number
from .dtypes import SignalType
from .errors import ConvolvedError, InvalidArgument
from .geometry import Chain, ReceptiveField
from .layers import Layer

__all__ = ["Filter"]


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
        rate = sample_rate_hertz
        if rate is not None:
            rate = finite_number("sample_rate_hertz", rate)
            if rate <= 0:
                raise InvalidArgument("sample_rate_hertz", rate, "a positive number, or None")
        object.__setattr__(self, "layers", _checked_layers(layers))
        object.__setattr__(self, "per_channel", bool(per_channel))
        object.__setattr__(self, "sample_rate_hertz", rate)
        channels = self._check_channels()
        if per_channel and channels != (1, 1):
            raise InvalidArgument(
                "per_channel",
                f"True with a filter from {channels[0]} channels to {channels[1]}",
                "a filter from one channel to one",
            )

    def __hash__(self) -> int:
        return hash((self.layers, self.per_channel, self.sample_rate_hertz))

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
        """The shapes ([batch,] channels, *spatial) before the first layer and after each."""
        given = tuple(int(length) for length in shape)
        if len(given) - self.rank not in (1, 2) or any(length < 1 for length in given):
            spatial = ", ".join(("time",) if self.rank == 1 else ("...", "time"))
            raise InvalidArgument(
                "x",
                f"shape {given}",
                f"(channels, {spatial}) or (batch, channels, {spatial}) with {self.rank} "
                f"spatial {'axis' if self.rank == 1 else 'axes'} and nothing empty",
            )
        *batch, channels = given[: -self.rank]
        if self.in_channels not in (None, channels):
            raise InvalidArgument("x", f"{channels} channels", f"{self.in_channels} channels")
        size = given[-self.rank :]
        found = [given]
        for index, layer in enumerate(self.layers):
            if not self.per_channel:
                channels = layer.out_channels(channels)
            axes = layer.axes(self.rank)
            after = tuple(a.output_length(n) for a, n in zip(axes, size, strict=True))
            if 0 in after:
                raise InvalidArgument(
                    "x",
                    f"spatial shape {size} before {_where(index, self.layers)}, whose kernel "
                    "is larger than the padded signal",
                    "a longer signal, a shorter kernel or more padding",
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
        """The type of the signal after each layer."""
        return _output_types(self, SignalType.of(dtype).dtype)

    def ready(self, n: int) -> int:
        """How many output samples along time the first `n` inputs fix, whatever follows."""
        return self.time.ready(n)

    def multiply_adds(self, shape: Sequence[int]) -> int:
        """Multiply-adds of a direct evaluation for a signal ([batch,] channels, *spatial)."""
        shapes = self.shapes(shape)
        examples = 1 if len(shapes[0]) == self.rank + 1 else shapes[0][0]
        if self.per_channel:
            examples *= shapes[0][-self.rank - 1]
        total = 0
        for layer, before, after in zip(self.layers, shapes, shapes[1:], strict=False):
            channels = 1 if self.per_channel else before[-self.rank - 1]
            total += layer.multiply_adds(channels, after[-self.rank :])
        return examples * total

    def check_sample_rate(self, rate: float | None) -> None:
        """Refuse a signal whose stated rate is not the filter's.

        Raises:
            InvalidArgument: if both state a rate and they differ.
        """
        if rate is None or self.sample_rate_hertz is None or rate == self.sample_rate_hertz:
            return
        raise InvalidArgument(
            "sample_rate_hertz",
            f"{rate:g} Hz for a filter made for {self.sample_rate_hertz:g} Hz",
            f"a signal resampled to {self.sample_rate_hertz:g} Hz",
        )

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
                    _where(index, self.layers),
                    f"a layer for {layer.in_channels} channels after one that gives {channels}",
                    "layers whose channels fit one another",
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
        raise InvalidArgument("layers", repr(layers), "a layer or a sequence of layers")
    rank: int | None = None
    for index, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise InvalidArgument(
                f"layers[{index}]",
                f"a {type(layer).__name__}",
                "a Conv, ConvTranspose, Activation, Pool or Affine",
            )
        if layer.rank is not None and rank not in (None, layer.rank):
            raise InvalidArgument(
                _where(index, layers), f"rank {layer.rank} after rank {rank}", "one rank for all"
            )
        rank = layer.rank or rank
    return tuple(layers)


def _where(index: int, layers: Sequence[Layer]) -> str:
    return f"layers[{index}] ({type(layers[index]).__name__})"


@lru_cache(maxsize=1024)
def _output_types(filter: Filter, dtype: np.dtype[Any]) -> tuple[SignalType, ...]:
    found = []
    signal = SignalType.of(dtype)
    for index, layer in enumerate(filter.layers):
        try:
            signal = layer.output_type(signal)
        except ConvolvedError as error:
            if len(filter.layers) > 1 and isinstance(error, InvalidArgument):
                raise error.within(f"layers[{index}]") from None
            raise
        found.append(signal)
    return tuple(found)
