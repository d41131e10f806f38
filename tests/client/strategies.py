"""Filters of every kind, drawn by hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from convolved_vocabulary import (
    DTYPES,
    Activation,
    Affine,
    Conv,
    ConvTranspose,
    Filter,
    Layer,
    Pool,
)

dtypes = st.sampled_from(DTYPES)


def per_axis(entry: st.SearchStrategy[Any], rank: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(entry, min_size=rank, max_size=rank)


@st.composite
def tensors(draw: st.DrawFn, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Elements of any bits, NaN payloads and signed zeros included."""
    return draw(hnp.arrays(dtype, shape))


@st.composite
def convs(draw: st.DrawFn, rank: int, channels: int | None = None) -> Conv:
    groups = draw(st.integers(1, 2)) if channels is None else 1
    inside = draw(st.integers(1, 2)) if channels is None else channels
    kernel = draw(per_axis(st.integers(1, 3), rank))
    dtype = draw(dtypes)
    out = groups * draw(st.integers(1, 2))
    mode = st.sampled_from(["valid", "same", "full", "causal"])
    pads = st.one_of(mode, st.integers(0, 3), st.tuples(st.integers(0, 3), st.integers(0, 3)))
    words = st.sampled_from(["zeros", "reflect", "symmetric", "edge", "wrap"])
    constants = st.floats(allow_nan=False, allow_infinity=False)
    return Conv(
        draw(tensors((out, inside, *kernel), dtype)),
        draw(st.none() | tensors((out,), dtype)),
        stride=draw(per_axis(st.integers(1, 5), rank)),
        padding=draw(mode | per_axis(pads, rank)),
        dilation=draw(per_axis(st.integers(1, 4), rank)),
        groups=groups,
        boundary=draw(per_axis(st.one_of(words, constants), rank)),
        flip=draw(st.booleans()),
    )


@st.composite
def transposes(draw: st.DrawFn, rank: int) -> ConvTranspose:
    groups = draw(st.integers(1, 2))
    kernel = draw(per_axis(st.integers(1, 3), rank))
    dtype = draw(dtypes)
    out = draw(st.integers(1, 2))
    stride = draw(per_axis(st.integers(1, 4), rank))
    return ConvTranspose(
        draw(tensors((groups * draw(st.integers(1, 2)), out, *kernel), dtype)),
        draw(st.none() | tensors((out * groups,), dtype)),
        stride=stride,
        padding=draw(per_axis(st.tuples(st.integers(0, 3), st.integers(0, 3)), rank)),
        output_padding=[draw(st.integers(0, step - 1)) for step in stride],
        dilation=draw(per_axis(st.integers(1, 3), rank)),
        groups=groups,
    )


@st.composite
def activations(draw: st.DrawFn) -> Activation:
    word = draw(
        st.sampled_from(["relu", "leaky_relu", "elu", "gelu", "sigmoid", "tanh", "softplus"])
    )
    alpha = None
    if word in ("leaky_relu", "elu", "softplus"):
        alpha = draw(st.none() | st.floats(0.001, 1e6))
    return Activation(
        word, alpha, draw(st.sampled_from(["none", "tanh"])) if word == "gelu" else "none"
    )


@st.composite
def pools(draw: st.DrawFn, rank: int) -> Pool:
    word = draw(st.sampled_from(["max", "average"]))
    size = draw(per_axis(st.integers(1, 4), rank))
    sides = [st.integers(0, width // 2) for width in size]
    return Pool(
        word,
        size,
        stride=draw(st.none() | per_axis(st.integers(1, 5), rank)),
        padding=[(draw(side), draw(side)) for side in sides],
        dilation=draw(per_axis(st.integers(1, 3), rank)) if word == "max" else 1,
        ceil_mode=draw(st.booleans()),
        count_include_pad=draw(st.booleans()),
    )


@st.composite
def affines(draw: st.DrawFn) -> Affine:
    channels = draw(st.integers(1, 3))
    dtype = draw(dtypes)
    return Affine(draw(tensors((channels,), dtype)), draw(st.none() | tensors((channels,), dtype)))


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    rank = draw(st.integers(1, 3))
    return draw(st.one_of(convs(rank), transposes(rank), activations(), pools(rank), affines()))


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """One layer of any kind, or a stack whose channels fit, at a rate or at none."""
    rate = draw(st.none() | st.floats(1e-3, 1e9))
    if draw(st.booleans()):
        return Filter(draw(layers()), sample_rate_hertz=rate)
    rank = draw(st.integers(1, 3))
    if draw(st.booleans()):
        kernel = draw(per_axis(st.integers(1, 3), rank))
        weight = draw(tensors((1, 1, *kernel), draw(dtypes)))
        return Filter(Conv(weight, padding="full", flip=True), True, rate)
    stack: list[Layer] = [draw(convs(rank))]
    for _ in range(draw(st.integers(1, 3))):
        channels = stack[0].out_channels(1)
        for layer in stack[1:]:
            channels = layer.out_channels(channels)
        stack.append(draw(st.one_of(convs(rank, channels), activations(), pools(rank))))
    return Filter(stack, sample_rate_hertz=rate)
