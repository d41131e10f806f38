"""Signals in the forms in which users hold them, and impulse responses as filters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convolved_vocabulary import (
    Activation,
    Affine,
    Conv,
    ConvTranspose,
    Filter,
    InvalidArgument,
    Options,
    Pool,
    arrange,
    as_filter,
    impulse_response,
    layout_of,
)
from tests.vocabulary.naive import evaluate

RANDOM = np.random.default_rng(7)


def applied(x: NDArray[Any], filter: Filter) -> NDArray[Any]:
    signal, layout = arrange(x, filter)
    return layout.result(evaluate(filter, signal))


def whole_numbers(*shape: int) -> NDArray[Any]:
    return RANDOM.integers(-9, 10, shape).astype(float)


@pytest.mark.parametrize(
    ("shape", "filter", "result"),
    [
        ((9,), Conv(np.ones((1, 1, 3))), (7,)),
        ((1, 9), Conv(np.ones((1, 1, 3))), (1, 7)),
        ((1, 1, 9), Conv(np.ones((1, 1, 3))), (1, 1, 7)),
        ((4, 1, 9), Conv(np.ones((1, 1, 3))), (4, 1, 7)),
        ((9,), Conv(np.ones((5, 1, 3))), (5, 7)),
        ((1, 9), Conv(np.ones((5, 1, 3))), (5, 7)),
        ((2, 9), Conv(np.ones((1, 2, 3))), (1, 7)),
        ((6, 9), Conv(np.ones((1, 1, 3, 3))), (4, 7)),
        ((1, 6, 9), Conv(np.ones((1, 1, 3, 3))), (1, 4, 7)),
        ((2, 2, 6, 9), Conv(np.ones((3, 2, 3, 3))), (2, 3, 4, 7)),
        ((3, 4, 5), Conv(np.ones((1, 1, 2, 2, 2))), (2, 3, 4)),
        ((2, 1, 3, 4, 5), Conv(np.ones((1, 1, 2, 2, 2))), (2, 1, 2, 3, 4)),
        ((9,), np.ones(3), (11,)),
        ((3, 9), np.ones(3), (3, 11)),
        ((2, 3, 9), np.ones(3), (2, 3, 11)),
    ],
)
def test_what_a_user_leaves_out_is_left_out_of_the_result(
    shape: tuple[int, ...], filter: Any, result: tuple[int, ...]
) -> None:
    found = as_filter(filter)
    x = whole_numbers(*shape)
    output = applied(x, found)
    assert output.shape == result
    signal, _ = arrange(x, found)
    assert signal.shape[2:] == shape[-found.rank :]
    assert np.array_equal(signal.ravel(), x.ravel())
    assert found.output_shape(signal.shape) == evaluate(found, signal).shape


def test_a_signal_that_will_do_is_not_copied() -> None:
    x = whole_numbers(2, 9)
    signal, _ = arrange(x, Filter(Activation("relu")))
    assert np.shares_memory(signal, x)


def test_a_filter_without_a_rank_takes_signals_along_time() -> None:
    filter = Filter(Activation("relu"))
    assert (filter.rank, filter.in_channels, filter.out_channels(5)) == (1, None, 5)
    assert layout_of((7, 5, 9), filter).has_batch
    assert Filter([Activation("relu"), Pool("max", (2, 2))]).rank == 2


def test_a_stated_rate_must_be_the_filters() -> None:
    filter = impulse_response([1.0], sample_rate_hertz=48_000)
    for rate in (None, 48_000, 48_000.0, np.int64(48_000)):
        arrange(np.ones(5), filter, rate)  # type: ignore[arg-type]  # an integer of NumPy
        arrange(np.ones(5), impulse_response([1.0]), rate)  # type: ignore[arg-type]  # the same
    with pytest.raises(
        InvalidArgument, match=r"^sample_rate_hertz: got 44100 Hz for a filter made"
    ):
        arrange(np.ones(5), filter, 44_100)
    with pytest.raises(
        InvalidArgument, match=r"^sample_rate_hertz: got -1; want a positive number"
    ):
        arrange(np.ones(5), impulse_response([1.0]), -1)


def test_the_argument_has_the_name_that_the_caller_knows() -> None:
    with pytest.raises(InvalidArgument, match=r"^block: got 3 channels; want 1 channel$"):
        arrange(np.ones((3, 9)), Filter(Conv(np.ones((1, 1, 3)))), argument="block")
    with pytest.raises(InvalidArgument, match=r"^shape: got 2 samples along time"):
        layout_of((2,), Filter(Conv(np.ones((1, 1, 3)))), "shape")


def test_a_response_is_applied_to_every_channel() -> None:
    taps, x = whole_numbers(4), whole_numbers(3, 9)
    expected = [np.convolve(channel, taps) for channel in x]
    assert np.array_equal(applied(x, impulse_response(taps)), expected)


def test_responses_are_paired_with_channels() -> None:
    taps, x = whole_numbers(3, 4), whole_numbers(3, 9)
    expected = [np.convolve(channel, response) for channel, response in zip(x, taps, strict=True)]
    assert np.array_equal(applied(x, impulse_response(taps)), expected)


def test_responses_spread_one_channel_over_many() -> None:
    taps, x = whole_numbers(3, 4), whole_numbers(9)
    expected = [np.convolve(x, response) for response in taps]
    assert np.array_equal(applied(x, impulse_response(taps, spread=True)), expected)


def test_a_matrix_of_responses_goes_from_each_input_to_each_output() -> None:
    taps, x = whole_numbers(3, 2, 4), whole_numbers(2, 9)
    expected = [np.convolve(x[0], taps[o, 0]) + np.convolve(x[1], taps[o, 1]) for o in range(3)]
    assert np.array_equal(applied(x, impulse_response(taps)), expected)


def test_an_impulse_gives_the_response_back_without_delay() -> None:
    taps = np.array([3, 1 + 2j, 5])
    filter = impulse_response(taps)
    assert filter.delay == 0
    assert np.array_equal(applied(np.array([1.0, 0, 0]), filter), [*taps, 0, 0])


def test_arrays_layers_and_filters_all_become_filters() -> None:
    filter = Filter(Conv(np.ones((1, 1, 3))))
    assert as_filter(filter) is filter
    assert as_filter(filter.layers[0]) == filter
    assert as_filter([1.0, 2.0]) == impulse_response(np.array([1.0, 2.0]))


def test_multiply_adds_are_those_of_a_direct_evaluation() -> None:
    conv = Filter(Conv(np.ones((4, 2, 3)), groups=2))
    # 8 outputs, 4 channels, 3 taps, 2 of the 4 input channels.
    assert conv.multiply_adds((4, 10)) == 8 * 4 * 3 * 2
    assert conv.multiply_adds((5, 4, 10)) == 5 * 8 * 4 * 3 * 2
    assert impulse_response(np.ones(3)).multiply_adds((2, 7, 10)) == 2 * 7 * 12 * 3
    assert Filter(Affine([2.0]), per_channel=True).multiply_adds((3, 10)) == 3 * 10
    middle = [Conv(np.ones((8, 1, 1))), Affine(np.ones(8)), Conv(np.ones((1, 8, 1)))]
    assert Filter(middle, per_channel=True).multiply_adds((3, 10)) == 3 * 10 * (8 + 8 + 8)
    assert Filter([Activation("relu"), Pool("max", 2)]).multiply_adds((2, 10)) == 0


@pytest.mark.parametrize("padding", [0, 1, (2, 0)])
@pytest.mark.parametrize("extra", [0, 1])
def test_a_transposed_layer_multiplies_each_input_by_each_tap(padding: Any, extra: int) -> None:
    layer = ConvTranspose(np.ones((2, 3, 5)), stride=2, padding=padding, output_padding=extra)
    assert Filter(layer).multiply_adds((2, 7)) == 7 * 5 * 2 * 3
    assert Filter(Affine([1.0, 2.0])).multiply_adds((2, 7)) == 14


def test_sizes_count_every_tensor() -> None:
    filter = Filter([Conv(np.ones((4, 2, 3), np.float32), np.ones(4)), Activation("relu")])
    assert filter.parameter_count == 28
    assert filter.size_bytes == 24 * 4 + 4 * 8


def test_shapes_are_told_before_the_first_layer_and_after_each() -> None:
    filter = Filter([Conv(np.ones((4, 2, 3, 3)), padding="same"), Pool("max", (2, 1))])
    assert filter.shapes((2, 6, 9)) == [(2, 6, 9), (4, 6, 9), (4, 3, 9)]
    assert filter.output_shape((5, 2, 6, 9)) == (5, 4, 3, 9)
    assert [str(field) for field in filter.receptive_field] == [
        "4 samples, every 2, from -1",
        "3 samples, every 1, from -1",
    ]


def test_wishes_are_kept_in_one_form() -> None:
    limit: Any = np.int64(5)
    options = Options(accuracy="strict", output_dtype=">f8", memory_limit_bytes=limit)
    assert options.output_dtype == np.dtype("float64")
    assert options.output_dtype.isnative
    assert type(options.memory_limit_bytes) is int
    assert Options() == Options("fast", "auto", None, None)
