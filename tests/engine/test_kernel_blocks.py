"""A kernel that is long beside the signal is cut into blocks, and gives what it gives uncut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convolved_engine import machine, registry
from convolved_engine.planner import plan
from convolved_engine.problem import Problem
from convolved_engine.registry import Cost
from tests.engine.cases import data, run
from tests.engine.reference import naive

CIRCULAR = registry.algorithm("circular")


def in_blocks(problem: Problem) -> Cost:
    """The cost with `hop`."""
    costs = CIRCULAR.costs(problem, machine.current())
    return next(cost for cost in costs if "hop" in cost.parameters)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    size = draw(st.integers(100, 300))
    kernel = draw(st.integers(3 * size, 2500))
    groups, outputs = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    before, after = draw(st.integers(0, kernel + 9)), draw(st.integers(0, kernel + 9))
    short = max(0, 4 * size - (size + before + after - kernel + 1))
    return Problem.of(
        (draw(st.integers(1, 2)), groups, size),
        (groups * outputs, 1, kernel),
        dtype=draw(st.sampled_from(["float32", "float64", "complex64"])),
        pads=((before, after + short),),
        groups=groups,
        flip=draw(st.booleans()),
        has_bias=draw(st.booleans()),
    )


@given(problem=problems(), shorter=st.integers(0, 90), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_the_definition_is_met_within_the_stated_error(
    problem: Problem, shorter: int, seed: int
) -> None:
    _, weight, bias = data(problem, seed)
    cost = in_blocks(problem)
    runnable = CIRCULAR.prepare(problem, weight, bias, cost.parameters)
    sizes = (problem.size[0] - shorter, problem.size[0], 3 * problem.size[0])
    for size in sizes:
        other = problem.with_input((problem.batch, problem.in_channels, size))
        x, *_ = data(other, seed)
        errors = abs(run(runnable, other, x) - naive(other, x, weight, bias))
        scale = abs(weight).sum(axis=(1, 2), dtype=np.float64).max() * abs(x).max()
        scale += 0 if bias is None else abs(bias).max()
        assert errors.max() <= cost.relative_error * scale


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_what_is_not_finite_reaches_what_direct_convolution_would(value: float) -> None:
    problem = Problem.of((1, 1, 200), (1, 1, 4000), dtype="float32", pads=((3999, 3999),))
    x, weight, bias = data(problem)
    x[..., 17] = value
    runnable = CIRCULAR.prepare(problem, weight, bias, in_blocks(problem).parameters)
    out, expected = run(runnable, problem, x), naive(problem, x, weight, bias)
    finite = np.isfinite(out)
    with np.errstate(over="ignore"):
        assert np.array_equal(finite, np.isfinite(expected.astype(np.float32)))
    if not np.isfinite(value):
        assert not finite.all()
        assert finite.any()


def test_a_tenth_of_a_second_through_a_second_is_cut() -> None:
    problem = Problem.of((1, 1, 4800), (1, 1, 48000), dtype="float32", pads=((47999, 47999),))
    choice = plan(problem)
    assert choice.algorithm is CIRCULAR
    assert int(choice.cost.parameters["length"]) < 48000
    assert "hop" in choice.cost.parameters


def test_signals_of_about_one_length_share_what_is_prepared() -> None:
    forms = set()
    for size in range(4700, 4900, 20):
        problem = Problem.of((1, 1, size), (1, 1, 48000), dtype="float32", pads=((47999, 47999),))
        forms.add(CIRCULAR.form(problem, in_blocks(problem).parameters))
    assert len(forms) == 1


def test_kernels_that_are_short_beside_the_signal_stay_whole() -> None:
    problem = Problem.of((1, 1, 48000), (1, 1, 48000), dtype="float32", pads=((47999, 47999),))
    assert all("hop" not in each.parameters for each in CIRCULAR.costs(problem, machine.current()))
