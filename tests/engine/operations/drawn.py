"""Filters and signals for them, drawn by hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved_vocabulary import (
    Activation,
    Affine,
    Conv,
    ConvTranspose,
    Filter,
    Layer,
    Pool,
)
from convolved_vocabulary.layers.activation import ACTIVATIONS

__all__ = ["BOUNDARIES", "filters", "layers", "numbers", "signals"]

BOUNDARIES: tuple[str | float, ...] = ("zeros", 0.5, "reflect", "symmetric", "edge", "wrap")
STREAMABLE = BOUNDARIES[:-1]

_seeds = st.integers(0, 2**32 - 1)


def numbers(seed: int, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Normal numbers, or small integers."""
    generator = np.random.default_rng(seed)
    found = np.dtype(dtype)
    if found.kind in "biu":
        low = 0 if found.kind in "bu" else -3
        return generator.integers(low, 2 if found.kind == "b" else 4, shape).astype(found)
    values = generator.standard_normal(shape)
    if found.kind == "c":
        values = values + 1j * generator.standard_normal(shape)
    return np.asarray(values, found)


@st.composite
def layers(
    draw: st.DrawFn,
    kind: str,
    rank: int,
    channels: int,
    dtype: str,
    streamable: bool = True,
    longest: int = 5,
) -> Layer:
    """A layer of one kind for `channels` channels of `dtype`."""
    real, integer = np.dtype(dtype).kind != "c", np.dtype(dtype).kind in "biu"
    weights = "int8" if integer else "float32" if dtype == "float16" else dtype

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    def pairs(most: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
        return tuple((draw(st.integers(0, n)), draw(st.integers(0, n))) for n in most)

    def bias(count: int) -> NDArray[Any] | None:
        return numbers(draw(_seeds), (count,), weights) if draw(st.booleans()) else None

    if kind == "activation":
        names = ("relu",) if integer else tuple(ACTIVATIONS)
        name = draw(st.sampled_from(names))
        if name == "gelu":
            return Activation(name, approximation=draw(st.sampled_from(("none", "tanh"))))
        alpha = None if ACTIVATIONS[name] is None else draw(st.sampled_from((None, 0.25, 2.0)))
        return Activation(name, alpha)
    if kind == "affine":
        shift = numbers(draw(_seeds), (channels,), weights) if draw(st.booleans()) else None
        return Affine(numbers(draw(_seeds), (channels,), weights), shift)
    stride, dilation = each(1, 3), each(1, 3)
    if kind == "pool":
        function = "max" if integer else draw(st.sampled_from(("max", "average")))
        function = function if real else "average"
        size = each(1, 4)
        dilation = dilation if function == "max" else (1,) * rank
        return Pool(
            function,
            size,
            stride,
            pairs(tuple(k // 2 for k in size)),
            dilation,
            draw(st.booleans()),
            draw(st.booleans()),
        )
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
    outputs = draw(st.integers(1, 3 if groups == 1 else 2))
    kernel = each(1, longest if rank == 1 else 3)
    if kind == "conv":
        shape = (outputs * groups, channels // groups, *kernel)
        boundary = draw(st.sampled_from(STREAMABLE if streamable else BOUNDARIES))
        across = tuple(draw(st.sampled_from(BOUNDARIES)) for _ in range(rank - 1))
        boundary = 1.0 if integer and boundary == 0.5 else boundary
        across = tuple(1.0 if integer and word == 0.5 else word for word in across)
        padding: Any = draw(
            st.sampled_from(("valid", "same", "full", "causal", pairs((4,) * rank)))
        )
        return Conv(
            numbers(draw(_seeds), shape, weights),
            bias(outputs * groups),
            stride,
            padding,
            dilation,
            groups,
            (*across, boundary),
            draw(st.booleans()),
        )
    return ConvTranspose(
        numbers(draw(_seeds), (channels, outputs, *kernel), weights),
        bias(outputs * groups),
        stride,
        pairs((3,) * rank),
        tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)),
        dilation,
        groups,
    )


@st.composite
def filters(
    draw: st.DrawFn,
    dtype: str,
    ranks: tuple[int, ...] = (1, 1, 2),
    most: int = 5,
    streamable: bool = True,
) -> Filter:
    """A filter of 1 to `most` layers of all kinds for signals of `dtype`."""
    rank = draw(st.sampled_from(ranks))
    channels = 1 if (per_channel := draw(st.booleans())) else draw(st.integers(1, 3))
    kinds = ["conv", "conv_transpose", "affine", "pool", "activation"]
    if np.dtype(dtype).kind == "c":
        kinds.remove("activation")
    drawn = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=most))
    found: list[Layer] = []
    for kind in drawn:
        layer = draw(layers(kind, rank, channels, dtype, streamable))
        channels = layer.out_channels(channels)
        found.append(layer)
    if all(layer.rank is None for layer in found):
        found.insert(0, draw(layers("pool", rank, channels, dtype, streamable)))
    whole = Filter(found)
    if per_channel and whole.in_channels == 1 and whole.out_channels(1) == 1:
        return Filter(found, per_channel=True)
    return whole


@st.composite
def signals(
    draw: st.DrawFn, filter: Filter, dtype: str, most: int = 40, batch: int = 1
) -> NDArray[Any]:
    """A signal (batch, channels, *spatial) long enough for `filter`."""
    channels = filter.in_channels or draw(st.integers(1, 3))
    spare = (most,) if filter.rank == 1 else (3,) * (filter.rank - 1) + (most // 3,)
    size = tuple(
        _shortest(filter, axis) + draw(st.integers(0, more)) for axis, more in enumerate(spare)
    )
    return numbers(draw(_seeds), (batch, channels, *size), dtype)


def _shortest(filter: Filter, axis: int) -> int:
    for n in range(1, 4000):
        if filter.chains[axis].output_length(n) > 0 and _reaches(filter, axis, n):
            return n
    raise AssertionError("a filter that never has an output")


def _reaches(filter: Filter, axis: int, n: int) -> bool:
    """Whether every layer has an output for n samples along one axis."""
    for map in filter.chains[axis].maps:
        n = map.output_length(n)
        if n < 1:
            return False
    return True
