"""Which dtype comes out, and when exact integers are refused for want of room."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convolved_vocabulary import (
    DTYPES,
    Activation,
    Affine,
    Conv,
    ConvTranspose,
    Filter,
    IntegerOverflow,
    InvalidArgument,
    Pool,
    SignalType,
)
from convolved_vocabulary.dtypes import as_array, checked_dtype, computing_dtype

INTEGERS = [dtype for dtype in DTYPES if dtype.kind in "biu"]
FLOATING = [dtype for dtype in DTYPES if dtype.kind in "fc"]


def conv(weight: object, dtype: str = "int64", **how: object) -> Filter:
    taps = np.array(weight, dtype).reshape(1, 1, -1)
    return Filter(Conv(taps, **how))  # type: ignore[arg-type]  # any arguments


@pytest.mark.parametrize(
    ("signal", "weight", "result"),
    [
        ("float16", "float64", "float16"),
        ("float32", "float64", "float32"),
        ("float64", "float16", "float64"),
        ("float32", "int64", "float32"),
        ("float16", "bool", "float16"),
        ("float16", "complex128", "complex64"),
        ("float32", "complex128", "complex64"),
        ("float64", "complex64", "complex128"),
        ("complex64", "float64", "complex64"),
        ("complex64", "complex128", "complex64"),
        ("complex128", "complex64", "complex128"),
        ("complex64", "int64", "complex64"),
        ("bool", "float16", "float16"),
        ("int8", "float16", "float16"),
        ("int16", "float16", "float32"),
        ("int16", "float32", "float32"),
        ("int32", "float32", "float64"),
        ("uint8", "complex64", "complex64"),
        ("int64", "complex64", "complex128"),
        ("bool", "bool", "int32"),
        ("uint8", "bool", "int32"),
        ("int8", "int8", "int32"),
        ("int16", "uint8", "int32"),
        ("int32", "int8", "int64"),
        ("uint32", "bool", "int64"),
        ("int64", "int8", "int64"),
        ("uint64", "int8", "int64"),
    ],
)
def test_a_filter_of_unit_weights_gives(signal: str, weight: str, result: str) -> None:
    assert conv([1, 1], weight).output_dtype(signal) == result


@pytest.mark.parametrize("weight", DTYPES, ids=str)
@pytest.mark.parametrize("signal", FLOATING, ids=str)
def test_a_floating_signal_keeps_its_precision_and_is_complex_if_either_is(
    signal: np.dtype[Any], weight: np.dtype[Any]
) -> None:
    result = conv([1], weight.name).output_dtype(signal)
    assert (result.kind == "c") == ("c" in (signal.kind, weight.kind))
    real = np.finfo(result).dtype
    assert real == max(np.finfo(signal).dtype, np.dtype("f4" if result.kind == "c" else "f2"))


@pytest.mark.parametrize("weight", FLOATING, ids=str)
@pytest.mark.parametrize("signal", INTEGERS, ids=str)
def test_integers_with_floating_weights_give_numpys_result_type(
    signal: np.dtype[Any], weight: np.dtype[Any]
) -> None:
    assert conv([1], weight.name).output_dtype(signal) == np.result_type(signal, weight)


def greatest(dtype: np.dtype[Any]) -> int:
    if dtype == np.bool_:
        return 1
    limits = np.iinfo(dtype)
    return max(-int(limits.min), int(limits.max))


@pytest.mark.parametrize(
    ("signal", "gain"),
    [
        ("bool", 2**31 - 1),
        ("int8", (2**31 - 1) // 128),
        ("uint8", (2**31 - 1) // 255),
        ("int16", (2**31 - 1) // 2**15),
        ("uint16", (2**31 - 1) // (2**16 - 1)),
    ],
)
def test_sums_that_just_fit_int32_are_int32_and_one_more_makes_them_int64(
    signal: str, gain: int
) -> None:
    assert conv([gain]).output_dtype(signal) == np.int32
    assert conv([gain - 3, -3]).output_dtype(signal) == np.int32
    assert conv([gain, 1]).output_dtype(signal) == np.int64
    assert conv([gain, -1]).output_dtype(signal) == np.int64


def test_the_bias_has_its_part_in_the_bound() -> None:
    fits = Conv(np.array([[[1]]]), bias=np.array([2**31 - 1 - 128]))
    exceeds = Conv(np.array([[[1]]]), bias=np.array([-(2**31 - 128)]))
    assert Filter(fits).output_dtype("int8") == np.int32
    assert Filter(exceeds).output_dtype("int8") == np.int64


def test_each_output_channel_has_a_bound_of_its_own() -> None:
    taps = np.zeros((2, 1, 2), np.int64)
    taps[:, 0, 0] = 2**30, 2**30
    assert Filter(Conv(taps)).output_dtype("bool") == np.int32
    assert Filter(Conv(taps.reshape(1, 2, 2))).output_dtype("bool") == np.int64
    assert Filter(Conv(taps, groups=2)).output_dtype("bool") == np.int32
    # The first two axes of a transposed weight are exchanged, within each group.
    assert Filter(ConvTranspose(taps)).output_dtype("bool") == np.int64
    assert Filter(ConvTranspose(taps, groups=2)).output_dtype("bool") == np.int32
    assert Filter(ConvTranspose(taps.reshape(1, 2, 2))).output_dtype("bool") == np.int32
    assert Filter(Affine(np.array([2**30, 2**30]))).output_dtype("bool") == np.int32


@pytest.mark.parametrize("signal", ["bool", "int8", "uint16", "int32", "uint32"])
def test_sums_beyond_int64_are_refused_in_words(signal: str) -> None:
    peak = greatest(np.dtype(signal))
    gain = (2**63 - 1) // peak
    taps = [gain // 2, gain - gain // 2]
    assert conv(taps).output_dtype(signal) == np.int64
    with pytest.raises(OverflowError) as caught:
        conv([*taps, 1]).output_dtype(signal)
    assert str(caught.value) == (
        f"weight: got integer weights whose sums with {signal} samples may reach "
        f"{(gain + 1) * peak}; want a bound sum|w| * range below 2**63, or floating samples or "
        "weights"
    )
    assert isinstance(caught.value, IntegerOverflow)
    assert isinstance(caught.value, InvalidArgument)


def test_bounds_are_computed_without_overflow_of_their_own() -> None:
    lowest = np.full((1, 1, 4), np.iinfo(np.int64).min)
    with pytest.raises(IntegerOverflow, match=f"may reach {2**65};"):
        Filter(Conv(lowest)).output_dtype("bool")
    highest = np.full((1, 1, 2), np.iinfo(np.uint64).max)
    with pytest.raises(IntegerOverflow, match=f"may reach {2**65 - 2};"):
        Filter(Conv(highest)).output_dtype("bool")


@pytest.mark.parametrize("signal", ["int64", "uint64"])
def test_samples_of_64_bits_are_left_to_be_checked_when_they_come(signal: str) -> None:
    (found,) = conv([2**62, 2**62]).output_types(signal)
    assert found == SignalType(np.dtype("int64"), None)


def test_the_bound_travels_from_layer_to_layer() -> None:
    layer = Conv(np.array([[[1000]]]))
    types = Filter([layer, Activation("relu"), Pool("max", 2), layer, layer]).output_types("int8")
    assert [t.dtype.name for t in types] == ["int32"] * 3 + ["int32", "int64"]
    assert [t.magnitude for t in types] == [128_000] * 3 + [128_000_000, 128_000_000_000]


def test_an_overflow_deep_in_a_filter_names_its_layer() -> None:
    layer = Conv(np.array([[[2**40]]]))
    with pytest.raises(IntegerOverflow, match=r"^layers\[1\]\.weight: got integer weights"):
        Filter([layer, layer]).output_dtype("int8")
    scale = Affine(np.array([2**60]))
    with pytest.raises(IntegerOverflow, match=r"^layers\[1\]\.scale: got integer weights"):
        Filter([layer, scale]).output_dtype("int8")


def test_a_floating_bias_makes_integer_sums_floating() -> None:
    taps = np.array([[[1, 2]]], np.int8)
    for bias, result in ((np.float32, "float32"), (np.float64, "float64"), (np.int64, "int32")):
        layer = Conv(taps, bias=np.ones(1, bias))
        assert Filter(layer).output_dtype("int8") == result


def test_a_complex_bias_makes_the_result_complex() -> None:
    layer = Conv(np.ones((1, 1, 2), np.float32), bias=np.array([1j], np.complex64))
    assert Filter(layer).output_dtype("float32") == np.complex64


def test_integers_of_64_bits_beside_each_other_stay_integers() -> None:
    # NumPy's result_type of int64 and uint64 is float64.
    layer = Conv(np.ones((1, 1, 2), np.int64), bias=np.ones(1, np.uint64))
    assert Filter(layer).output_dtype("int8") == np.int32


@pytest.mark.parametrize(
    ("signal", "inside", "outside"),
    [
        ("bool", [0, 1], [2, -1, 0.5]),
        ("int8", [-128, 127], [-129, 128, 0.5]),
        ("uint16", [0, 65_535], [-1, 65_536, 1e-9]),
        ("int64", [-(2.0**63), 1e18], [2.0**63, 0.25]),
        ("float16", [65_504, -65_504, 0.1], [65_536, 1e6]),
        ("float32", [3.4e38, 1e-300], [3.5e38, -1e300]),
        ("float64", [1.7e308], []),
        ("complex64", [3.4e38], [3.5e38]),
    ],
)
def test_a_constant_boundary_must_be_a_value_of_the_signals_dtype(
    signal: str, inside: list[float], outside: list[float]
) -> None:
    for value in inside:
        conv([1], "int8", padding=1, boundary=value).output_dtype(signal)
    for value in outside:
        with pytest.raises(InvalidArgument, match=r"^boundary: got .* with a signal of"):
            conv([1], "int8", padding=1, boundary=value).output_dtype(signal)
        assert conv([1], "int8", padding=0, boundary=value).output_types(signal)


@pytest.mark.parametrize("kind", ["leaky_relu", "elu", "gelu", "sigmoid", "tanh", "softplus"])
def test_curved_activations_take_real_floating_signals_alone(kind: str) -> None:
    filter = Filter(Activation(kind))
    assert filter.output_dtype("float16") == np.float16
    for dtype in ("int16", "bool", "complex64"):
        with pytest.raises(InvalidArgument) as caught:
            filter.output_dtype(dtype)
        assert str(caught.value) == f"dtype: got {dtype}; want a real floating one for {kind}"


def test_relu_and_max_take_integers_and_keep_the_dtype() -> None:
    for layer in (Activation("relu"), Pool("max", 2)):
        for dtype in INTEGERS:
            assert Filter(layer).output_dtype(dtype) == dtype
        with pytest.raises(InvalidArgument, match=r"^dtype: got complex128; want a real one for"):
            Filter(layer).output_dtype("complex128")


def test_averages_take_floating_and_complex_signals() -> None:
    for dtype in FLOATING:
        assert Filter(Pool("average", 2)).output_dtype(dtype) == dtype
    with pytest.raises(
        InvalidArgument, match=r"^dtype: got uint8; want a floating one for an average pool$"
    ):
        Filter(Pool("average", 2)).output_dtype("uint8")


def test_float16_is_computed_in_float32_and_nothing_else_is_changed() -> None:
    changed = {d.name: computing_dtype(d).name for d in DTYPES if computing_dtype(d) != d}
    assert changed == {"float16": "float32"}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes_of_the_other_byte_order_count_as_native(dtype: np.dtype[Any]) -> None:
    foreign = dtype.newbyteorder()
    assert checked_dtype("dtype", foreign) is checked_dtype("dtype", dtype)
    values = np.array([0, 1, 1], dtype)
    found = as_array("x", values.astype(foreign))
    assert found.dtype.isnative
    assert np.array_equal(found, values)


def test_an_array_that_will_do_is_not_copied() -> None:
    values = np.arange(6.0).reshape(2, 3)
    assert as_array("x", values) is values
    assert np.shares_memory(as_array("x", np.ma.array(values)), values)
    assert as_array("x", values.T).flags.c_contiguous


@given(st.sampled_from(INTEGERS), st.lists(st.integers(-300, 300), min_size=1, max_size=5))
def test_no_sum_exceeds_the_magnitude_that_is_told(dtype: np.dtype[Any], taps: list[int]) -> None:
    if dtype.itemsize == 8:
        return
    (found,) = conv(taps).output_types(dtype)
    lowest = 0 if dtype.kind in "bu" else int(np.iinfo(dtype).min)
    highest = 1 if dtype == np.bool_ else int(np.iinfo(dtype).max)
    extremes = [
        sum(tap * (highest if (tap > 0) == up else lowest) for tap in taps) for up in (True, False)
    ]
    assert found.magnitude is not None
    assert all(abs(value) <= found.magnitude for value in extremes)
    assert found.magnitude <= np.iinfo(found.dtype).max
