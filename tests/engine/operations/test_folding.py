"""An Affine joins the linear layer before it where that keeps the bounds, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convolved_engine import apply_arranged, plan
from convolved_vocabulary import (
    Activation,
    Affine,
    Conv,
    ConvTranspose,
    Filter,
    Layer,
    Options,
    Pool,
)
from tests.engine.operations.bounds import error_allowed
from tests.engine.operations.definitions import evaluate
from tests.engine.operations.drawn import numbers


def steps(layers: list[Layer], dtype: str = "float32") -> list[tuple[int, ...]]:
    filter = Filter(layers)
    found = plan(filter, (filter.in_channels or 2, 100), dtype=dtype)
    return [step.layers for step in found.steps]


CONV = Conv(numbers(0, (2, 2, 3), "float32"), padding="same")
AFFINE = Affine(numbers(1, (2,), "float32"), numbers(2, (2,), "float32"))


def test_the_plan_shows_which_layers_are_computed_together() -> None:
    pool, relu = Pool("max", 2), Activation("relu")
    assert steps([CONV, AFFINE, relu]) == [(0, 1), (2,)]
    assert steps([CONV, AFFINE, AFFINE, CONV, AFFINE]) == [(0, 1, 2), (3, 4)]
    assert steps([ConvTranspose(CONV.weight), AFFINE]) == [(0, 1)]
    assert steps([AFFINE, CONV]) == [(0,), (1,)]
    assert steps([CONV, relu, AFFINE]) == [(0,), (1,), (2,)]
    assert steps([CONV, pool, AFFINE]) == [(0,), (1,), (2,)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("accuracy", ["fast", "strict"])
def test_what_is_computed_together_keeps_the_bounds_of_its_plan(
    dtype: str, transposed: bool, bias: bool, shift: bool, accuracy: str
) -> None:
    weight = numbers(3, (4, 2, 9), dtype)
    offsets = numbers(4, (4,), dtype) if bias else None
    first: Layer = Conv(weight, offsets, groups=2, stride=2)
    if transposed:
        first = ConvTranspose(weight, offsets, groups=2, stride=2)
    affine = Affine(numbers(5, (4,), dtype), 100 * numbers(6, (4,), dtype) if shift else None)
    filter, x = Filter([first, affine, affine]), numbers(7, (2, 4, 500), dtype)
    found = plan(filter, x.shape, dtype=x.dtype, accuracy=accuracy)
    assert [step.layers for step in found.steps] == [(0, 1, 2)]
    error = abs(apply_arranged(x, filter, Options(accuracy=accuracy)) - evaluate(filter, x)).max()
    assert error <= error_allowed(filter, found, x)


@pytest.mark.parametrize(
    ("affine", "dtype"),
    [
        (Affine([1.0, 2.0]), "float16"),
        (Affine([1, 2]), "int16"),
        (Affine([1.0, 2.0]), "int16"),
        (Affine([1.0, 2j]), "float32"),
        (Affine([1.0, np.inf]), "float32"),
        (Affine([1.0, 1.0], [0.0, np.nan]), "float32"),
        (Affine([1.0, 1e-38]), "float32"),
        (Affine([1.0, 1e39]), "float32"),
    ],
)
def test_layers_stay_apart_where_a_result_between_them_is_exact_or_out_of_range(
    affine: Affine, dtype: str
) -> None:
    weight = CONV.weight if dtype.startswith("float") else np.ones((2, 2, 3), np.int8)
    assert steps([Conv(weight), affine], dtype) == [(0,), (1,)]


def test_a_scale_of_zero_still_lets_nan_through() -> None:
    filter = Filter([Conv(np.ones((1, 1, 2))), Affine([0.0])])
    x = np.array([[[1.0, np.nan, np.inf, 1.0, 1.0]]])
    assert np.array_equal(
        apply_arranged(x, filter), [[[np.nan, np.nan, np.nan, 0.0]]], equal_nan=True
    )


def test_the_filter_itself_stays_as_it_was_registered() -> None:
    filter = Filter([CONV, AFFINE])
    name, parameters = filter.name, filter.parameter_count
    plan_of_it: Any = plan(filter, (2, 100))
    apply_arranged(numbers(0, (1, 2, 100), "float32"), filter)
    assert (filter.name, filter.parameter_count) == (name, parameters)
    assert plan_of_it.parameter_count == parameters
