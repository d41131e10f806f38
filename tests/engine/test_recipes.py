"""Small calls are computed by what is remembered of their geometry, and nobody sees that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import convolved_engine as engine
from convolved_engine.functions.computing import compute
from convolved_engine.functions.recipes import recipe_for
from convolved_vocabulary import ConvolvedError, translate

RANDOM = np.random.default_rng(11)


def noise(*shape: int, dtype: str = "float32") -> Any:
    return RANDOM.standard_normal(shape).astype(dtype)


def outcome(act: Callable[[Any, Any], Any], x: Any, h: Any) -> Any:
    """The result, or the words in which it was refused."""
    try:
        return act(x, h)
    except ConvolvedError as refused:
        return str(refused)


@given(
    name=st.sampled_from(["convolve", "correlate"]),
    shapes=st.integers(1, 3).flatmap(
        lambda rank: st.tuples(*[st.lists(st.integers(1, 9), min_size=rank, max_size=rank)] * 2)
    ),
    mode=st.sampled_from(["full", "same", "valid"]),
    method=st.sampled_from(["auto", "direct", "fft"]),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_a_small_call_gives_the_bits_that_telling_it_anew_gives(
    name: str, shapes: tuple[list[int], list[int]], mode: str, method: str, dtype: str
) -> None:
    x, h = noise(*shapes[0], dtype=dtype), noise(*shapes[1], dtype=dtype)

    def told(x: Any, h: Any) -> Any:
        return compute(getattr(translate, name)(x, h, mode, method))

    def called(x: Any, h: Any) -> Any:
        return getattr(engine, name)(x, h, mode, method)

    wanted = outcome(told, x, h)
    for _ in range(2):
        found = outcome(called, x, h)
        assert type(found) is type(wanted)
        assert np.array_equal(found, wanted)


@pytest.mark.parametrize(
    ("groups", "bias", "arguments"),
    [(1, False, ()), (1, True, (1, 2)), (2, True, (2, "same", 3, 2)), (4, False, (1, 0, 1, 4))],
)
def test_a_small_layer_gives_the_bits_that_telling_it_anew_gives(
    groups: int, bias: bool, arguments: tuple[Any, ...]
) -> None:
    x, w = noise(3, 4, 40), noise(8, 4 // groups, 5)
    b = noise(8) if bias else None
    wanted = compute(translate.conv(x, w, b, *arguments))
    assert np.array_equal(engine.conv(x, w, b, *arguments), wanted)
    assert np.array_equal(engine.conv(x, w, b, *arguments), wanted)


def test_equal_shapes_that_are_exchanged_are_not_confused() -> None:
    x, h = noise(7), noise(7)
    for mode in ("full", "same", "valid"):
        assert engine.correlate(x, h, mode) == pytest.approx(np.correlate(x, h, mode), rel=1e-5)


def test_plain_calls_have_a_recipe() -> None:
    x, w, bias = noise(1, 4, 40), noise(8, 4, 5), noise(8)
    assert recipe_for(translate.conv, (x, w, bias), (2, "same", 1, 1))
    assert recipe_for(translate.convolve, (x, w), ("same", "auto"))
    assert recipe_for(translate.correlate, (noise(9), noise(3)), ("full", "auto"))


NOT_PLAIN: dict[str, Callable[[], tuple[Any, ...]]] = {
    "strided": lambda: (noise(20)[::2], noise(3)),
    "a list": lambda: ([1.0, 2.0], noise(3)),
    "a masked array": lambda: (np.ma.masked_less(noise(9), 0), noise(3)),
    "integers": lambda: (np.arange(9), np.arange(3)),
    "complex": lambda: (noise(9, dtype="complex64"), noise(3, dtype="complex64")),
    "two dtypes": lambda: (noise(9), noise(3, dtype="float64")),
    "other byte order": lambda: (noise(9).astype(">f4"), noise(3).astype(">f4")),
    "long": lambda: (noise(1 << 16), noise(3)),
}


@pytest.mark.parametrize("made", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_whatever_is_not_wholly_plain_is_told_anew(made: Callable[[], tuple[Any, ...]]) -> None:
    assert recipe_for(translate.convolve, made(), ("full", "auto")) is None


def test_a_truth_value_is_refused_also_after_a_number_was_taken() -> None:
    x, w = noise(1, 30), noise(1, 1, 3)
    engine.conv(x, w, None, 1)
    wrong: Any = True
    with pytest.raises(ConvolvedError, match="stride: got True"):
        engine.conv(x, w, None, wrong)


def test_weights_are_read_anew_in_each_call() -> None:
    x, h = noise(30), noise(3)
    first = engine.convolve(x, h)
    h *= 2
    assert np.array_equal(engine.convolve(x, h), 2 * first)


def test_what_is_not_finite_contaminates_as_ever() -> None:
    x, h = noise(30), noise(3)
    engine.convolve(x, h)
    x[10], h[1] = np.inf, np.nan
    found = engine.convolve(x, h, "full")
    assert np.array_equal(np.isnan(found), np.isnan(compute(translate.convolve(x, h, "full"))))
