"""The lengths that are said to be fastest are long enough, and none is predicted much faster."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from convolved_engine.algorithms.transform_effort import fastest_length, sample_effort

DTYPES = ("float32", "float64", "complex64", "complex128")


def smooth(least: int, most: int) -> list[int]:
    """Even products of 2, 3, 5 and 7 from `least` to `most`."""
    powers = ([prime**n for n in range(21) if prime**n <= most] for prime in (2, 3, 5, 7))
    products = (2 * a * b * c * d for a, b, c, d in itertools.product(*powers))
    return [n for n in products if least <= n <= most]


@pytest.mark.parametrize("dtype", DTYPES)
@given(least=some.integers(2, 20_000))
def test_no_line_of_few_factors_is_faster_by_a_tenth(dtype: str, least: int) -> None:
    kind = np.dtype(dtype)
    length = fastest_length(least, 0, 1, kind)
    assert least <= length < 2 * least
    assert length % 2 == 0
    efforts = [n * sample_effort((n,), kind) for n in smooth(least, 2 * length)]
    assert length * sample_effort((length,), kind) <= 1.1 * min(efforts)


@pytest.mark.parametrize("dtype", DTYPES)
@given(least=some.integers(8, 2000))
def test_columns_and_rows_are_as_long_as_needed_and_of_few_factors(dtype: str, least: int) -> None:
    kind = np.dtype(dtype)
    for axis, rank in itertools.combinations(range(4), 2):
        if rank > 1:
            length = fastest_length(least, axis, rank, kind)
            assert length in smooth(least, 2 * least)


def test_columns_take_longer_than_lines_and_odd_factors_longest() -> None:
    kind = np.dtype("float32")
    assert sample_effort((256, 256), kind) > sample_effort((256 * 256,), kind)
    assert sample_effort((240, 256), kind) > sample_effort((256, 256), kind)
