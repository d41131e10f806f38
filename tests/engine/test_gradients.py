"""Gradients are those of finite differences, through every layer and every filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved_engine import apply, apply_arranged, boundary
from convolved_engine.gradients import Gradients, gradients, gradients_arranged
from convolved_vocabulary import (
    Activation,
    Affine,
    Conv,
    ConvTranspose,
    Filter,
    InvalidArgument,
    Layer,
    Pool,
    impulse_response,
)
from tests.engine.operations.drawn import filters, layers, numbers, signals

STEP = 1e-6


def changed(layer: Layer, tensors: Mapping[str, NDArray[Any]]) -> Layer:
    """The layer with some of its tensors replaced."""
    match layer:
        case Conv():
            return Conv(
                tensors["weight"],
                tensors.get("bias"),
                layer.stride,
                layer.pads,
                layer.dilation,
                layer.groups,
                layer.boundary,
                layer.flip,
            )
        case ConvTranspose():
            return ConvTranspose(
                tensors["weight"],
                tensors.get("bias"),
                layer.stride,
                layer.pads,
                layer.output_padding,
                layer.dilation,
                layer.groups,
            )
        case Affine():
            return Affine(tensors["scale"], tensors.get("shift"))
        case _:
            return layer


def loss(filter: Filter, x: NDArray[Any], grad_out: NDArray[Any]) -> float:
    """The loss whose gradient with respect to the output is grad_out."""
    return float((grad_out.conj() * apply_arranged(x, filter)).real.sum())


def assert_agrees_with_differences(filter: Filter, x: NDArray[Any]) -> None:
    grad_out = numbers(7, filter.output_shape(x.shape), filter.output_dtype(x.dtype).name)
    found = gradients_arranged(x, filter, grad_out)
    assert found.input.dtype == x.dtype

    def along(direction: NDArray[Any], layer: int | None, name: str = "") -> float:
        """The slope of the loss when the input, or a tensor of a layer, goes that way."""
        ends = []
        for step in (STEP, -STEP):
            if layer is None:
                ends.append(loss(filter, x + step * direction, grad_out))
                continue
            tensors = dict(filter.layers[layer].tensors())
            tensors[name] = tensors[name] + step * direction
            moved = list(filter.layers)
            moved[layer] = changed(filter.layers[layer], tensors)
            ends.append(loss(Filter(moved, filter.per_channel), x, grad_out))
        return (ends[0] - ends[1]) / (2 * STEP)

    def assert_slope(gradient: NDArray[Any], layer: int | None, name: str = "") -> None:
        direction = numbers(8, gradient.shape, gradient.dtype.name)
        claimed = float((gradient.conj() * direction).real.sum())
        scale = float((abs(gradient) * abs(direction)).sum()) + 1.0
        size = abs(loss(filter, x, grad_out)) + 1.0
        assert abs(along(direction, layer, name) - claimed) <= 1e-6 * scale + 1e-9 * size

    assert_slope(found.input, None)
    for index, (layer, tensors) in enumerate(zip(filter.layers, found.layers, strict=True)):
        assert tensors.keys() == layer.tensors().keys()
        for name, gradient in tensors.items():
            assert gradient.shape == layer.tensors()[name].shape
            assert gradient.dtype == layer.tensors()[name].dtype
            assert_slope(gradient, index, name)


@pytest.mark.parametrize("kind", ["conv", "conv_transpose", "affine", "activation", "pool"])
def test_a_layers_gradients_are_those_of_finite_differences(kind: str) -> None:
    @settings(max_examples=60)
    @given(data=st.data(), dtype=st.sampled_from(("float64", "complex128")))
    def holds(data: st.DataObject, dtype: str) -> None:
        dtype = "float64" if kind == "activation" else dtype
        rank, channels = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
        filter = Filter(data.draw(layers(kind, rank, channels, dtype, streamable=False)))
        x = data.draw(signals(filter, dtype, most=12, batch=2))
        assume(np.isfinite(apply_arranged(x, filter)).all())
        assert_agrees_with_differences(filter, x)

    holds()


@settings(max_examples=100)
@given(data=st.data(), dtype=st.sampled_from(("float64", "float64", "complex128")))
def test_gradients_go_through_a_whole_filter(data: st.DataObject, dtype: str) -> None:
    filter = data.draw(filters(dtype, ranks=(1, 2, 3), streamable=False))
    x = data.draw(signals(filter, dtype, most=12, batch=2))
    assume(np.isfinite(apply_arranged(x, filter)).all())
    assert_agrees_with_differences(filter, x)


@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    pads=st.tuples(*[st.tuples(st.integers(0, 9), st.integers(0, 9))] * 2),
    words=st.tuples(
        *[st.sampled_from(("zeros", 0.0, 2.0, "reflect", "symmetric", "edge", "wrap"))] * 2
    ),
)
def test_folding_is_the_adjoint_of_extending(
    size: tuple[int, int], pads: tuple[tuple[int, int], ...], words: tuple[str | float, ...]
) -> None:
    x = numbers(0, (2, *size), "float64")
    extended = boundary.extend(x, pads, words) - boundary.extend(0 * x, pads, words)
    y = numbers(1, extended.shape, "float64")
    assert np.isclose((extended * y).sum(), (x * boundary.fold(y, pads, words)).sum())


@pytest.mark.parametrize("algorithm", ["direct", "im2col", "overlap_save"])
def test_every_algorithm_gives_the_same_gradients(algorithm: str) -> None:
    filter = Filter(
        [
            Conv(numbers(0, (4, 1, 9), "float64"), padding="full", groups=2, dilation=2),
            Affine(numbers(1, (4,), "float64")),
            ConvTranspose(numbers(2, (4, 3, 8), "float64"), stride=2),
        ]
    )
    x = numbers(3, (2, 2, 200), "float64")
    grad_out = numbers(4, filter.output_shape(x.shape), "float64")
    expected = gradients(x, filter, grad_out, algorithm="direct", accuracy="strict")
    found = gradients(x, filter, grad_out, algorithm=algorithm)
    assert np.allclose(found.input, expected.input)
    for ours, theirs in zip(found.layers, expected.layers, strict=True):
        assert all(np.allclose(ours[name], theirs[name]) for name in theirs)


def test_the_first_of_equal_maxima_takes_the_gradient() -> None:
    x = np.array([[[3.0, 1.0, 3.0, 3.0, 0.0]]])
    found = gradients_arranged(x, Filter(Pool("max", 3, 1)), np.ones((1, 1, 3)))
    assert found.input.tolist() == [[[1, 0, 2, 0, 0]]]
    square = np.zeros((1, 1, 2, 2))
    found = gradients_arranged(square, Filter(Pool("max", (2, 2))), np.ones((1, 1, 1, 1)))
    assert found.input.tolist() == [[[[1, 0], [0, 0]]]]


@pytest.mark.parametrize("function", ["max", "average"])
def test_a_window_of_padding_takes_no_longer_than_the_signal_in_it(function: str) -> None:
    reach = 1 << 39
    pool = Pool(function, 2 * reach, reach, reach - 1, count_include_pad=False)
    found = gradients(np.array([1.0, 3.0, 2.0]), pool, np.array([3.0]))
    assert found.input.tolist() == ([0, 3, 0] if function == "max" else [1, 1, 1])


def test_real_inputs_of_complex_filters_have_real_gradients() -> None:
    taps = np.array([1 + 2j, 3 - 1j])
    found = gradients(np.array([1.0, 2.0]), taps, np.array([1j, 2.0, 1 + 1j]))
    assert found.input.dtype == np.float64
    # conj(w) * g, summed over the outputs that an input reaches.
    expected = [
        (np.conj(1 + 2j) * 1j + np.conj(3 - 1j) * 2).real,
        (np.conj(1 + 2j) * 2 + np.conj(3 - 1j) * (1 + 1j)).real,
    ]
    assert np.allclose(found.input, expected)
    assert found.layers[0]["weight"].dtype == np.complex128


def test_gradients_keep_the_layout_and_dtype_of_what_they_belong_to() -> None:
    response = impulse_response(np.ones(3, np.float64))
    for shape in ((9,), (2, 9), (3, 2, 9)):
        x = numbers(0, shape, "float32")
        found = gradients(x, response, np.ones_like(apply(x, response)))
        assert isinstance(found, Gradients)
        assert (found.input.shape, found.input.dtype) == (shape, x.dtype)
        weight = found.layers[0]["weight"]
        assert (weight.shape, weight.dtype) == ((1, 1, 3), np.dtype(np.float64))


def test_half_precision_is_computed_in_single() -> None:
    x = numbers(0, (1, 600), "float16")
    filter = Filter([Conv(np.ones((1, 1, 5), np.float16)), Activation("tanh")])
    found = gradients(x, filter, np.ones_like(apply(x, filter)))
    wide = gradients(x.astype(np.float64), filter, np.ones((1, 596)))
    assert found.input.dtype == found.layers[0]["weight"].dtype == np.float16
    assert np.allclose(found.input, wide.input, rtol=1e-2, atol=1e-2)
    expected = wide.layers[0]["weight"].astype(np.float64)
    assert np.allclose(found.layers[0]["weight"], expected, rtol=2e-2, atol=0.2)


def test_integer_parameters_have_no_gradient_and_the_input_has() -> None:
    found = gradients(np.array([1.0, 2.0]), np.array([2, 3]), np.ones(3))
    assert found.input.tolist() == [5, 5]
    assert found.layers == ({},)


def test_nan_and_infinity_stay_where_they_are() -> None:
    filter = Filter(Conv(numbers(0, (1, 1, 300), "float32"), padding="full"))
    x = numbers(1, (1, 1, 5000), "float32")
    grad_out = numbers(2, (1, 1, 5299), "float32")
    grad_out[0, 0, 2000] = np.nan
    found = gradients(x, filter, grad_out)
    assert np.isnan(found.input).sum() == 300
    assert np.isnan(found.layers[0]["weight"]).all()


MISUSES: dict[str, tuple[tuple[Any, Any, Any], str]] = {
    "integers": (
        (np.ones(5, int), [1.0], np.ones(5, int)),
        "x: got dtype int64; want a floating or complex signal",
    ),
    "another shape": (
        (np.ones(5), [1.0, 2.0], np.ones(5)),
        r"grad_out: got shape \(5,\); want \(6,\), as the output has",
    ),
    "another dtype": (
        (np.ones(5), [1.0, 2.0], np.ones(6, np.float32)),
        "grad_out: got dtype float32; want float64, as the output has",
    ),
    "another number of channels": (
        (np.ones((2, 5)), Conv(np.ones((1, 3, 2))), np.ones((1, 4))),
        "x: got 2 channels; want 3 channels",
    ),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_misuse_is_told_with_what_would_do(misuse: str) -> None:
    arguments, sentence = MISUSES[misuse]
    with pytest.raises(InvalidArgument, match=sentence):
        gradients(*arguments)
