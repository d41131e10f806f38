"""Every layer computes what it is defined to be, within the bound that its plan states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved_engine import apply, apply_arranged, plan
from convolved_engine.activations import activate
from convolved_vocabulary import (
    Activation,
    Affine,
    ConvTranspose,
    Filter,
    IntegerOverflow,
    InvalidArgument,
    Options,
    Pool,
)
from convolved_vocabulary.layers.activation import ACTIVATIONS
from tests.engine.operations.bounds import error_allowed
from tests.engine.operations.definitions import evaluate
from tests.engine.operations.drawn import filters, layers, numbers, signals

KINDS = ("conv", "conv_transpose", "activation", "pool", "affine")
DTYPES = ("float32", "float64", "complex64", "complex128", "int16", "uint8", "float16")

Case = tuple[Filter, NDArray[Any]]


@st.composite
def single(draw: st.DrawFn, kind: str, dtypes: tuple[str, ...] = DTYPES) -> Case:
    dtype = draw(st.sampled_from([d for d in dtypes if kind != "activation" or d[0] != "c"]))
    rank, channels = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    filter = Filter(draw(layers(kind, rank, channels, dtype, streamable=False)))
    return filter, draw(signals(filter, dtype, most=25, batch=2))


def assert_within_bounds(filter: Filter, x: NDArray[Any], **options: Any) -> None:
    found = apply_arranged(x, filter, Options(**options))
    expected = evaluate(filter, x)
    assert found.shape == expected.shape == filter.output_shape(x.shape)
    assert found.dtype == filter.output_dtype(x.dtype)
    if found.dtype.kind in "biu":
        assert (found == expected).all()
        return
    same = found == expected
    allowed = error_allowed(filter, plan(filter, x.shape, dtype=x.dtype, **options), x)
    with np.errstate(invalid="ignore"):
        assert (same | (abs(found - expected) <= allowed)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_what_its_definition_says(kind: str) -> None:
    @settings(max_examples=150)
    @given(case=single(kind))
    def holds(case: Case) -> None:
        assert_within_bounds(*case)

    holds()


@pytest.mark.parametrize("algorithm", ["direct", "im2col", "overlap_save"])
def test_a_transposed_convolution_is_the_same_by_every_algorithm(algorithm: str) -> None:
    @settings(max_examples=60)
    @given(case=single("conv_transpose", ("float32", "complex128")))
    def holds(case: Case) -> None:
        assert_within_bounds(*case, algorithm=algorithm)

    holds()


@settings(max_examples=200)
@given(data=st.data(), dtype=st.sampled_from(DTYPES))
def test_layers_in_a_row_are_what_they_are_one_by_one(data: st.DataObject, dtype: str) -> None:
    filter = data.draw(filters(dtype, ranks=(1, 2, 3), streamable=False))
    x = data.draw(signals(filter, dtype, most=20, batch=2))
    assert_within_bounds(filter, x)


def test_a_per_channel_filter_treats_every_channel_alike() -> None:
    up = ConvTranspose(numbers(1, (1, 2, 5), "float32"), stride=2)
    filter = Filter([up, Affine([2.0, 3.0]), Pool("max", 2), up_to_one()], per_channel=True)
    x = numbers(2, (2, 3, 30), "float32")
    assert_within_bounds(filter, x)


def up_to_one() -> ConvTranspose:
    return ConvTranspose(numbers(3, (2, 1, 3), "float32"))


@pytest.mark.parametrize("function", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_activation_errs_by_units_in_the_last_place(function: str, dtype: str) -> None:
    generator = np.random.default_rng(0)
    x = np.concatenate(
        [
            scale * generator.standard_normal((1, 1, 4000))
            for scale in (1e-30, 1e-3, 1.0, 10.0, 100.0, 1e30)
        ],
        axis=-1,
    ).astype(dtype)
    choices = ("none", "tanh") if function == "gelu" else ("none",)
    for approximation in choices:
        assert_within_bounds(Filter(Activation(function, approximation=approximation)), x)


@pytest.mark.parametrize(
    ("function", "at_minus_inf", "at_inf"),
    [
        ("relu", 0.0, np.inf),
        ("leaky_relu", -np.inf, np.inf),
        ("elu", -1.0, np.inf),
        ("gelu", np.nan, np.inf),
        ("sigmoid", 0.0, 1.0),
        ("tanh", -1.0, 1.0),
        ("softplus", 0.0, np.inf),
    ],
)
def test_activations_at_infinity_and_nan(function: str, at_minus_inf: float, at_inf: float) -> None:
    x = np.array([-np.inf, np.inf, np.nan])
    expected = [at_minus_inf, at_inf, np.nan]
    assert np.array_equal(activate(Activation(function), x), expected, equal_nan=True)


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_an_activation_of_a_sample_does_not_depend_on_its_neighbors(function: str) -> None:
    generator = np.random.default_rng(0)
    x = np.concatenate([generator.standard_normal(301), [0.0, -0.0] * 9]).astype(np.float32)
    whole = activate(Activation(function), x)
    for first, last in ((0, 1), (3, 20), (7, 8), (299, 302), (300, 319), (1, 319)):
        piece = activate(Activation(function), x[first:last])
        assert piece.tobytes() == whole[first:last].tobytes()


def test_padding_never_wins_a_maximum() -> None:
    below = -np.ones((1, 1, 4), np.float32)
    found = apply_arranged(below, Filter(Pool("max", 3, 1, 1)))
    assert np.array_equal(found, below)
    integers = np.full((1, 1, 4), -100, np.int8)
    assert np.array_equal(apply_arranged(integers, Filter(Pool("max", 3, 1, 1))), integers)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int16"])
def test_a_window_of_padding_takes_no_longer_than_the_signal_in_it(dtype: str) -> None:
    reach = 1 << 39
    x = np.arange(1, 10, dtype=dtype)[None]
    widest = Pool("max", 2 * reach, stride=reach, padding=reach - 1)
    assert apply(x, widest).tolist() == [[9]]
    told = plan(Pool("max", 2 * reach, padding=reach), (1, 100), dtype=dtype)
    assert told.predicted_seconds < 1
    if dtype != "int16":
        average = ("average", 2 * reach, reach, reach - 1)
        assert apply(x, Pool(*average, count_include_pad=False)).tolist() == [[5]]


def test_a_maximum_over_nan_is_nan_and_the_others_are_not() -> None:
    x = np.array([[[1.0, np.nan, 2.0, 5.0, 3.0]]])
    found = apply_arranged(x, Filter(Pool("max", 2, 1)))
    assert np.array_equal(found, [[[np.nan, np.nan, 5.0, 5.0]]], equal_nan=True)


def test_nan_and_infinity_reach_the_averages_whose_windows_hold_them() -> None:
    x = np.array([[[np.inf, 0, 0, np.nan, 0, 0, -np.inf, np.inf]]])
    found = apply_arranged(x, Filter(Pool("average", 2, 1)))
    expected = [np.inf, 0, np.nan, np.nan, 0, -np.inf, np.nan]
    assert np.array_equal(found, [[expected]], equal_nan=True)
    turned = apply_arranged(_imaginary(x), Filter(Pool("average", 2, 1)))
    assert np.array_equal(turned.imag, [[expected]], equal_nan=True)


def _imaginary(x: NDArray[Any]) -> NDArray[Any]:
    found = np.zeros(x.shape, np.complex128)
    found.imag = x
    return found


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "uint64", "bool"])
def test_relu_and_maxima_keep_integers(dtype: str) -> None:
    x = numbers(0, (1, 2, 9), dtype)
    found = apply_arranged(x, Filter([Pool("max", 2), Activation("relu")]))
    assert found.dtype == x.dtype
    pairs = x[..., :8].reshape(1, 2, 4, 2)
    assert np.array_equal(found, np.maximum(pairs.max(axis=-1), 0).astype(dtype))


def test_transposed_integers_are_exact_or_refused() -> None:
    up = Filter(ConvTranspose(np.array([[[3, -1]]]), stride=2))
    big = np.array([[[2**60, -(2**60)]]])
    assert apply_arranged(big, up).tolist() == [[[3 << 60, -1 << 60, -3 << 60, 1 << 60]]]
    with pytest.raises(IntegerOverflow, match="x: got int64 samples up to"):
        apply_arranged(4 * big, up)
    with pytest.raises(IntegerOverflow, match="x: got int64 samples up to"):
        apply_arranged(4 * big, Filter(Affine(np.array([4]))))


def test_gaps_between_transposed_taps_hold_the_bias() -> None:
    up = ConvTranspose(np.ones((1, 1, 2)), np.array([5.0]), stride=4, dilation=2)
    found = apply_arranged(np.ones((1, 1, 3)), Filter(up))
    assert found.tolist() == [[[6, 5, 6, 5] * 2 + [6, 5, 6]]]


def test_infinite_weights_multiply_no_padding_in_a_transposed_convolution() -> None:
    up = ConvTranspose(np.array([[[1.0, np.inf]]]))
    assert apply_arranged(np.array([[[1.0, 2.0]]]), Filter(up)).tolist() == [[[1, np.inf, np.inf]]]


@pytest.mark.parametrize("kind", ["pool", "activation"])
def test_layers_refuse_what_they_do_not_mean(kind: str) -> None:
    layer = Pool("average", 2) if kind == "pool" else Activation("tanh")
    with pytest.raises(InvalidArgument, match="dtype: got int16"):
        apply_arranged(np.ones((1, 1, 4), np.int16), Filter(layer))


@pytest.mark.parametrize("kind", ["pool", "activation", "affine", "conv_transpose"])
@pytest.mark.parametrize("block", [None, 64])
def test_a_plan_tells_each_layers_way_its_time_and_its_memory(kind: str, block: int | None) -> None:
    layer: Any = {
        "pool": Pool("max", 3),
        "activation": Activation("gelu"),
        "affine": Affine([1.0, 2.0]),
        "conv_transpose": ConvTranspose(np.ones((2, 3, 7)), stride=3),
    }[kind]
    small = plan(layer, (2, 10_000), block=block)
    step = small.steps[0]
    assert step.layers == (0,)
    assert step.chosen.algorithm in str(small)
    assert small.predicted_seconds > 0
    assert small.workspace_bytes > 0
    if block is None:
        assert plan(layer, (2, 1_000_000)).predicted_seconds > 10 * small.predicted_seconds


def test_a_plan_of_a_transposed_convolution_compares_the_algorithms() -> None:
    long = Filter(ConvTranspose(numbers(0, (4, 4, 4000), "float32"), stride=2))
    found = plan(long, (4, 100_000)).steps[0]
    assert found.chosen.algorithm != "direct"
    direct = next(each for each in found.rejected if each.algorithm == "direct")
    assert direct.predicted_seconds is not None
    assert found.chosen.predicted_seconds is not None
    assert direct.predicted_seconds > found.chosen.predicted_seconds
