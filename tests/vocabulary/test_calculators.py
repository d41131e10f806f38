"""What is calculated of a filter is what counting and trying find."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convolved_engine import apply_arranged, plan
from convolved_vocabulary import (
    Activation,
    Affine,
    Conv,
    ConvTranspose,
    Filter,
    Pool,
    Separated,
    dense_against_separable,
)
from tests.engine.operations.drawn import filters, signals


@settings(max_examples=200)
@given(data=st.data())
def test_the_receptive_field_is_found_by_a_nan_that_wanders_through_the_signal(
    data: st.DataObject,
) -> None:
    """Of outputs far from both ends, whose fields lie in the signal."""
    filter = data.draw(filters("float64", ranks=(1,), most=3))
    field, axis = filter.receptive_field[0], filter.time
    period = range(axis.rate.numerator)
    # Where the pattern of outputs begins whose fields lie inside the signal.
    first = -(-max(0, -field.start) // field.stride) // len(period) * len(period) + len(period)
    n = max(axis.last_input(int(first) + j) for j in period) + 1
    assume(n <= 300)
    channels = filter.in_channels or 1
    assume(axis.ready(n) >= first + len(period))
    reached: dict[int, list[int]] = {}
    for i in range(n):
        x = np.ones((1, channels, n))
        x[0, :, i] = np.nan
        found = apply_arranged(x, filter)[0]
        for output in np.flatnonzero(np.isnan(found).any(axis=0)).tolist():
            reached.setdefault(output, []).append(i)
    for j in (int(first) + k for k in period):
        seen = reached.get(j)
        if seen:
            # Between dilated and strided taps an output may see less than its field spans.
            assert axis.first_input(j) <= seen[0]
            assert seen[-1] <= axis.last_input(j)
    if all(not isinstance(layer, ConvTranspose) for layer in filter.layers):
        j = int(first)
        assert (reached[j][0], reached[j][-1]) == (axis.first_input(j), axis.last_input(j))
        assert reached[j][-1] - reached[j][0] + 1 == field.size
        assert axis.first_input(j + 1) - axis.first_input(j) == field.stride


@settings(max_examples=200)
@given(data=st.data(), dtype=st.sampled_from(("float32", "int16")))
def test_the_output_shape_and_dtype_are_those_of_the_output(
    data: st.DataObject, dtype: str
) -> None:
    filter = data.draw(filters(dtype, ranks=(1, 2, 3), streamable=False))
    x = data.draw(signals(filter, dtype, most=12, batch=2))
    found = apply_arranged(x, filter)
    assert (
        found.shape
        == filter.output_shape(x.shape)
        == plan(filter, x.shape, dtype=dtype).output_shape
    )
    assert found.dtype == filter.output_dtype(x.dtype)


COSTS: list[tuple[str, Filter, tuple[int, ...], int, int]] = [
    (
        "the first layer of ResNet",
        Filter(Conv(np.ones((64, 3, 7, 7), np.int8), padding=3, stride=2)),
        (3, 224, 224),
        118_013_952,
        9_408,
    ),
    ("a batch", Filter(Conv(np.ones((2, 3, 5)))), (4, 3, 14), 4 * 10 * 30, 30),
    (
        "a bias, which is added alone",
        Filter(Conv(np.ones((2, 3, 5)), np.ones(2))),
        (3, 14),
        10 * 30,
        32,
    ),
    ("groups", Filter(Conv(np.ones((6, 2, 5)), groups=3)), (6, 9), 5 * 60, 60),
    (
        "a transposed convolution, by its inputs",
        Filter(ConvTranspose(np.ones((8, 4, 5)), stride=3, padding=2, output_padding=2)),
        (8, 10),
        160 * 10,
        160,
    ),
    (
        "a transposed convolution that cuts much away",
        Filter(ConvTranspose(np.ones((1, 1, 2)), stride=2, padding=[(5, 5)])),
        (1, 10),
        2 * 10,
        2,
    ),
    ("an affine", Filter([Affine([1.0, 2.0], [0.0, 0.0]), Activation("relu")]), (2, 50), 100, 4),
    ("what only compares", Filter([Pool("max", 3), Activation("gelu")]), (5, 90), 0, 0),
    (
        "a filter for each channel, with channels inside",
        Filter(
            [Conv(np.ones((4, 1, 3))), Affine(np.ones(4)), Conv(np.ones((1, 4, 1)))],
            per_channel=True,
        ),
        (2, 7, 12),
        2 * 7 * (10 * 12 + 10 * 4 + 10 * 4),
        12 + 4 + 4,
    ),
]


@pytest.mark.parametrize(
    ("filter", "shape", "count", "parameters"), [c[1:] for c in COSTS], ids=[c[0] for c in COSTS]
)
def test_multiply_adds_and_parameters_are_those_of_a_direct_evaluation(
    filter: Filter, shape: tuple[int, ...], count: int, parameters: int
) -> None:
    assert filter.multiply_adds(shape) == count
    assert filter.parameter_count == parameters
    dtype = "int8" if parameters == 9_408 else "float32"
    told = plan(filter, shape, dtype=dtype)
    assert (told.multiply_adds, told.parameter_count) == (count, parameters)
    assert told.receptive_field == filter.receptive_field


def by_form(filter: Filter, shape: tuple[int, ...]) -> dict[tuple[int, str], Separated]:
    return {(each.layer, each.form): each for each in dense_against_separable(filter, shape)}


def test_a_separable_convolution_takes_one_over_outputs_plus_one_over_taps_of_a_dense_one() -> None:
    dense = Conv(np.ones((64, 32, 3, 3), np.float32), padding="same", stride=2)
    found = by_form(Filter(dense), (32, 20, 30))[0, "depthwise"]
    assert found.ratio == Fraction(1, 64) + Fraction(1, 9)
    assert found.dense_multiply_adds == Filter(dense).multiply_adds((32, 20, 30))
    depthwise = Conv(np.ones((32, 1, 3, 3)), padding="same", stride=2, groups=32)
    pair = Filter([depthwise, Conv(np.ones((64, 32, 1, 1)))])
    assert found.separable_multiply_adds == pair.multiply_adds((32, 20, 30))
    assert (found.dense_parameters, found.separable_parameters) == (
        Filter(dense).parameter_count,
        pair.parameter_count,
    )


def test_a_transposed_convolution_is_separated_as_the_adjoint() -> None:
    dense = ConvTranspose(np.ones((6, 2, 5), np.float32), stride=3, groups=3)
    found = by_form(Filter(dense), (4, 6, 20))[0, "depthwise"]
    mixed = Conv(np.ones((6, 2, 1)), groups=3)
    pair = Filter([mixed, ConvTranspose(np.ones((6, 1, 5)), stride=3, groups=6)])
    assert found.dense_multiply_adds == Filter(dense).multiply_adds((4, 6, 20))
    assert found.separable_multiply_adds == pair.multiply_adds((4, 6, 20))
    assert found.separable_parameters == pair.parameter_count


@pytest.mark.parametrize("transposed", [False, True])
@given(
    kernel=st.tuples(*[st.integers(1, 4)] * 3),
    stride=st.tuples(*[st.integers(1, 3)] * 3),
    pads=st.tuples(*[st.integers(0, 2)] * 3),
    channels=st.integers(1, 3),
)
def test_kernels_of_one_axis_each_cost_what_a_filter_of_them_does(
    transposed: bool,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    pads: tuple[int, ...],
    channels: int,
) -> None:
    def layer(axes: list[int]) -> Any:
        """What the whole layer does along some of its axes; nothing along the others."""
        taps, steps, sides = (
            [all_of[axis] if axis in axes else other for axis in range(3)]
            for all_of, other in ((kernel, 1), (stride, 1), (pads, 0))
        )
        weight = np.ones((channels, 1, *taps))
        if transposed:
            return ConvTranspose(weight, stride=steps, padding=sides, groups=channels)
        return Conv(weight, stride=steps, padding=sides, groups=channels)

    shape = (2, channels, 9, 10, 11)
    whole = Filter(layer([0, 1, 2]))
    assume(all(axis.output_length(9) > 0 for axis in whole.chains))
    long = [axis for axis in range(3) if kernel[axis] > 1]
    found = by_form(whole, shape).get((0, "axes"))
    if len(long) < 2:
        assert found is None
        return
    assert found is not None
    short = [layer([axis for axis in range(3) if axis not in long])]
    passes = [layer([axis]) for axis in long]
    each = Filter([*passes, *short] if transposed else [*short, *passes])
    # The layer that only skips or spreads multiplies by nothing.
    alone = Filter([*passes, *short][-1] if transposed else short)
    skipped = alone.multiply_adds(each.shapes(shape)[len(passes) if transposed else 0])
    assert found.separable_multiply_adds == each.multiply_adds(shape) - skipped
    assert found.separable_parameters == channels * sum(kernel[axis] for axis in long)
    assert found.dense_multiply_adds == whole.multiply_adds(shape)


def test_every_convolution_that_can_be_separated_is_compared() -> None:
    layers: list[Any] = [
        Conv(np.ones((4, 2, 5))),
        Activation("relu"),
        Conv(np.ones((4, 1, 3)), groups=4),
        Conv(np.ones((6, 2, 3)), groups=2),
        Conv(np.ones((6, 6, 1))),
        ConvTranspose(np.ones((6, 1, 2))),
    ]
    found = dense_against_separable(Filter(layers), (3, 2, 20))
    assert found == (
        Separated(0, "depthwise", 3 * 16 * 40, 3 * 16 * (2 * 5 + 8), 40, 18),
        Separated(3, "depthwise", 3 * 12 * 36, 3 * 12 * (4 * 3 + 12), 36, 24),
    )


def test_a_filter_for_each_channel_is_counted_for_each() -> None:
    layers = [Conv(np.ones((2, 1, 3))), Conv(np.ones((1, 2, 3)))]
    (found,) = dense_against_separable(Filter(layers, per_channel=True), (5, 14))
    assert (found.layer, found.dense_multiply_adds) == (1, 5 * 10 * 6)
