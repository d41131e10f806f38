"""A result is put where the caller wants it, and is the same there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convolved_engine import apply_arranged
from convolved_vocabulary import (
    Activation,
    Conv,
    Filter,
    InvalidArgument,
    Options,
    Pool,
    impulse_response,
)

RANDOM = np.random.default_rng(6)
TAPS = RANDOM.standard_normal(9).astype(np.float32)
WEIGHT = RANDOM.standard_normal((3, 2, 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("filter", "dtype"),
    [
        (Filter(Conv(WEIGHT, padding="same")), np.float32),
        (Filter(Conv(WEIGHT, padding=3, boundary="reflect")), np.float32),
        (Filter([Conv(WEIGHT), Activation("relu"), Pool("max", 2)]), np.float32),
        (Filter([Activation("relu"), Conv(WEIGHT)]), np.float32),
        (impulse_response(TAPS), np.float32),
        (impulse_response(TAPS), np.complex64),
        (Filter(Conv(WEIGHT)), np.float16),
    ],
    ids=["conv", "boundary", "stack", "conv last", "per channel", "complex", "half"],
)
def test_out_holds_what_would_have_been_returned(filter: Filter, dtype: Any) -> None:
    x = RANDOM.standard_normal((2, 2, 100)).astype(dtype)
    wanted = apply_arranged(x, filter)
    out = np.full_like(wanted, 7)
    assert apply_arranged(x, filter, out=out) is out
    assert np.array_equal(out, wanted)


def test_out_of_another_dtype_than_computed_is_converted() -> None:
    x = RANDOM.standard_normal((1, 2, 50))
    options = Options(output_dtype=np.dtype(np.float32))
    filter = Filter(Conv(WEIGHT.astype(np.float64)))
    wanted = apply_arranged(x, filter, options)
    out = np.empty_like(wanted)
    apply_arranged(x, filter, options, out=out)
    assert wanted.dtype == np.float32
    assert np.array_equal(out, wanted)


X = np.ones((1, 2, 96), np.float32)
READ_ONLY = np.zeros((1, 3, 92), np.float32)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (np.zeros((1, 3, 91), np.float32), r"shape \(1, 3, 91\); want shape \(1, 3, 92\)"),
        (np.zeros((1, 3, 92)), "dtype float64; want dtype float32"),
        (np.zeros((1, 3, 184), np.float32)[..., ::2], "C-contiguous"),
        (READ_ONLY, "may be written"),
    ],
    ids=["shape", "dtype", "strides", "read-only"],
)
def test_an_array_that_cannot_hold_the_result_is_refused(out: Any, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        apply_arranged(X, Filter(Conv(WEIGHT)), out=out)


def test_the_signal_itself_is_no_place_for_the_result() -> None:
    x = np.ones((1, 1, 50), np.float32)
    with pytest.raises(InvalidArgument, match="memory of the signal"):
        apply_arranged(x, Filter(Conv(np.ones((1, 1, 3), np.float32), padding="same")), out=x)
