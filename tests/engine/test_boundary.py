"""Boundaries are what `numpy.pad` makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convolved_engine.boundary import extend, remaining

WORDS = st.sampled_from(("zeros", "reflect", "symmetric", "edge", "wrap"))
PAIRS = st.tuples(st.integers(0, 14), st.integers(0, 14))


@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    pads=st.tuples(PAIRS, PAIRS),
    words=st.tuples(WORDS, WORDS),
)
def test_each_axis_is_extended_as_numpy_pad_does_however_far(
    size: tuple[int, int],
    pads: tuple[tuple[int, int], tuple[int, int]],
    words: tuple[str, str],
) -> None:
    x = np.arange(2.0 * size[0] * size[1]).reshape(2, *size)
    expected = x
    for axis, (pair, word) in enumerate(zip(pads, words, strict=True)):
        if word != "zeros":
            width = [(0, 0), (0, 0), (0, 0)]
            width[axis + 1] = pair
            expected = np.pad(expected, width, mode=word)  # type: ignore[call-overload]  # one of its words
    assert np.array_equal(extend(x, pads, words), expected)
    left = tuple(
        pair if word == "zeros" else (0, 0) for pair, word in zip(pads, words, strict=True)
    )
    assert remaining(pads, words) == left


@pytest.mark.parametrize("constants", [(3.0, 5.0), ("zeros", 5.0), (3.0, "zeros")], ids=str)
def test_a_corner_belongs_to_the_last_of_its_axes(constants: tuple[str | float, ...]) -> None:
    x = np.ones((1, 2, 3))
    pads = ((2, 1), (1, 2))
    values = tuple((0.0,) * 2 if each == "zeros" else (each,) * 2 for each in constants)
    expected = np.pad(x[0], pads, constant_values=values)
    left = remaining(pads, constants)
    found = np.pad(extend(x, pads, constants)[0], left)
    assert np.array_equal(found, expected)


def test_zeros_cost_no_copy() -> None:
    x = np.ones((2, 5))
    assert extend(x, ((3, 3),), ("zeros",)) is x
    assert extend(x, ((0, 0),), ("reflect",)) is x


@pytest.mark.parametrize("dtype", ["int64", "complex64", "float32"])
def test_the_dtype_stays(dtype: str) -> None:
    x = np.ones((1, 3), dtype)
    out = extend(x, ((1, 1),), (2,))
    assert out.dtype == x.dtype
    assert out.tolist() == [[2, 1, 1, 1, 2]]
