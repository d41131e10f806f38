"""Plans and wishes cross the wire as the values that they are."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.fields import field_of
from convolved.wire.options import decode_options, encode_options
from convolved.wire.plans import decode_plan, duration, encode_plan, seconds
from convolved_vocabulary import (
    DTYPES,
    Candidate,
    InvalidArgument,
    LayerPlan,
    Options,
    Plan,
    ReceptiveField,
    Separated,
)

PLAN = Plan(
    steps=(
        LayerPlan(
            (0, 1),
            "1 x 1 channels, 1,023 taps",
            Candidate("overlap_save", (("fft_length", "8192"),), 0.00125, 65536, 1.2e-7, "fastest"),
            (
                Candidate("direct", (), 0.5, 0, 3e-8, "400 times slower"),
                Candidate("im2col", reason="does not support flipped kernels"),
            ),
        ),
    ),
    output_shape=(1, 2, 1000),
    output_dtype=np.dtype("float32"),
    receptive_field=(ReceptiveField(1023, Fraction(2, 3), -1022),),
    multiply_adds=12_345_678,
    parameter_count=1023,
    separable=(
        Separated(0, "depthwise", 12_345_678, 345_678, 1023, 60),
        Separated(1, "axes", 12_345_678, 5_678, 1023, 64),
    ),
)


def test_a_plan_comes_back_equal() -> None:
    response = pb.PlanConvolutionResponse.FromString(encode_plan(PLAN).SerializeToString())
    assert decode_plan(response) == PLAN
    assert str(decode_plan(response)) == str(PLAN)


def test_the_whole_is_told_beside_the_steps() -> None:
    response = encode_plan(PLAN, threads=2, block_samples=512, delay_samples=0.5)
    assert seconds(response.predicted_time) == 0.00125
    assert response.workspace_bytes == 65536
    assert (response.threads, response.block_samples, response.delay_samples) == (2, 512, 0.5)


def test_more_multiply_adds_than_the_field_holds_are_cut() -> None:
    vast = Separated(0, "axes", 1 << 81, 1 << 80, 1, 1)
    response = encode_plan(replace(PLAN, multiply_adds=1 << 80, separable=(vast,)))
    (separated,) = response.separable
    for told in (
        response.multiply_adds,
        separated.dense_multiply_adds,
        separated.separable_multiply_adds,
    ):
        assert told == (1 << 63) - 1


def test_a_form_that_only_a_later_server_knows_is_left_out() -> None:
    response = encode_plan(PLAN)
    response.separable[0].form = 9  # type: ignore[assignment]  # no form of ours
    assert decode_plan(response).separable == PLAN.separable[1:]


@given(st.integers(1, 1 << 16), st.integers(1, 1 << 16))
def test_the_stride_of_a_receptive_field_stays_a_fraction(up: int, down: int) -> None:
    field = ReceptiveField(1, Fraction(down, up), 0)
    plan = replace(PLAN, receptive_field=(field,))
    assert decode_plan(encode_plan(plan)).receptive_field == (field,)


@given(st.floats(0, 1e9))
def test_times_travel_to_the_nanosecond(value: float) -> None:
    assert abs(seconds(duration(value)) - value) <= 1e-9 + value * 1e-15


@given(
    st.sampled_from(["fast", "strict"]),
    st.sampled_from(["auto", "direct", "overlap_save"]),
    st.none() | st.sampled_from(DTYPES),
    st.none() | st.integers(1, 1 << 40),
    st.sampled_from([None, "estimate", "measure"]),
)
def test_options_come_back_equal(
    accuracy: str,
    algorithm: str,
    dtype: np.dtype[np.generic] | None,
    limit: int | None,
    rigor: str | None,
) -> None:
    options = Options(accuracy, algorithm, dtype, limit, rigor)
    message = pb.ComputeOptions.FromString(encode_options(options).SerializeToString())
    assert decode_options(message) == options


def test_defaults_take_no_bytes() -> None:
    assert encode_options(Options()).ByteSize() == 0


@pytest.mark.parametrize(
    ("message", "field", "sentence"),
    [
        (
            pb.ComputeOptions.FromString(b"\x08\x0c"),
            "options.accuracy",
            "accuracy: got accuracy 12; want one of 'fast', 'strict'",
        ),
        (
            pb.ComputeOptions.FromString(b"\x28\x0c"),
            "options.rigor",
            "rigor: got rigor 12; want one of 'estimate', 'measure'",
        ),
        (
            pb.ComputeOptions(memory_limit_bytes=-1),
            "options.memory_limit_bytes",
            "memory_limit_bytes: got -1; want an integer of at least 1",
        ),
        (
            pb.ComputeOptions(algorithm="auto"),
            "options.algorithm",
            "algorithm: got 'auto'; want an algorithm's name, or nothing",
        ),
    ],
)
def test_wrong_options_are_refused(message: pb.ComputeOptions, field: str, sentence: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        decode_options(message)
    assert str(caught.value) == sentence
    assert field_of(caught.value) == field
