"""Blocks of real signals by our own kernels: any block, stride, dilation and vector."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved_engine import machine
from convolved_engine.algorithms import right_angle, right_angle_layout
from convolved_engine.algorithms.right_angle_layout import folds
from convolved_engine.problem import Problem
from convolved_engine.registry import algorithm
from tests.engine.cases import data, run
from tests.engine.reference import naive


@st.composite
def lines(draw: st.DrawFn) -> Problem:
    groups, inputs = draw(st.sampled_from((1, 1, 2))), draw(st.sampled_from((1, 1, 3)))
    kernel, dilation = draw(st.integers(1, 200)), draw(st.sampled_from((1, 1, 2, 3)))
    before, after = draw(st.integers(0, 300)), draw(st.integers(0, 300))
    least = max(1, dilation * (kernel - 1) + 1 - before - after)
    return Problem.of(
        (draw(st.integers(1, 3)), groups * inputs, least + draw(st.integers(0, 3000))),
        (groups * draw(st.integers(1, 3)), inputs, kernel),
        dtype=draw(st.sampled_from(("float32", "float64"))),
        stride=(draw(st.sampled_from((1, 1, 2, 3, 4, 6, 32))),),
        dilation=(dilation,),
        pads=((before, after),),
        groups=groups,
        flip=draw(st.booleans()),
        has_bias=draw(st.booleans()),
    )


def every_way(problem: Problem) -> list[tuple[float, NDArray[Any]]]:
    """The stated bound and the output, in blocks of every length."""
    x, weight, bias = data(problem)
    overlap_save = algorithm("overlap_save")
    return [
        (cost.relative_error, run(made, problem, x, threads=2))
        for cost in right_angle.costs(problem, machine.current())
        for made in [overlap_save.prepare(problem, weight, bias, cost.parameters)]
    ]


def assert_right(problem: Problem) -> None:
    x, weight, bias = data(problem)
    expected = naive(problem, x, weight, bias)
    scale = abs(weight).sum(dtype=np.float64) * abs(x).max()
    scale += 0 if bias is None else abs(bias).max()
    for bound, out in every_way(problem):
        assert abs(out - expected).max() <= bound * scale


@given(problem=lines())
@settings(max_examples=60)
def test_blocks_of_every_length_give_what_the_definition_gives(problem: Problem) -> None:
    assert_right(problem)


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("channels", [(1, 1), (1, 3), (3, 1)])
def test_asking_for_memory_ahead_changes_no_bit(
    channels: tuple[int, int], dilation: int, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, outputs = channels
    problem = Problem.of(
        (2, inputs, 20_000),
        (outputs, inputs, 100),
        dtype="float32",
        stride=(stride,),
        dilation=(dilation,),
    )
    monkeypatch.setattr(
        right_angle_layout, "_NEAR_BYTES", problem.input_bytes + problem.output_bytes
    )
    without = every_way(problem)
    monkeypatch.setattr(right_angle_layout, "_NEAR_BYTES", 0)
    for (_, expected), (_, out) in zip(without, every_way(problem), strict=True):
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("bytes_of_a_vector", [32, 16])
@pytest.mark.parametrize("stride", [1, 4])
def test_shorter_vectors_do_as_well(
    bytes_of_a_vector: int, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(right_angle, "vector_bytes", lambda: bytes_of_a_vector)
    small = dataclasses.replace(machine.current(), vector_bytes=bytes_of_a_vector)
    monkeypatch.setattr(machine, "current", lambda: small)
    problem = Problem.of((1, 1, 3000), (1, 1, 100), dtype="float32", stride=(stride,))
    assert_right(problem)


@pytest.mark.parametrize("place", [0, 700, 2500, 3999])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("stride", [1, 2])
def test_what_is_not_finite_stays_within_reach_in_every_block(
    place: int, value: float, stride: int
) -> None:
    problem = Problem.of(
        (2, 1, 4000), (1, 1, 150), dtype="float32", stride=(stride,), pads=((20, 149),)
    )
    x, weight, _ = data(problem)
    x[1, 0, place] = value
    expected = naive(problem, x, weight, None)
    made = algorithm("overlap_save").prepare(
        problem, weight, None, {"block": "1024", "backend": right_angle.BACKEND}
    )
    out = run(made, problem, x)
    finite = np.isfinite(expected)
    assert not finite.all()
    np.testing.assert_array_equal(out[~finite], expected[~finite].astype(np.float32))
    scale = abs(weight).sum() * abs(x[np.isfinite(x)]).max()
    assert abs(out[finite] - expected[finite]).max() <= 1e-5 * scale


def test_loud_samples_in_one_block_leave_others_as_they_are() -> None:
    problem = Problem.of((1, 1, 8000), (1, 1, 200), dtype="float32")
    x, weight, _ = data(problem)
    made = algorithm("overlap_save").prepare(
        problem, weight, None, {"block": "1024", "backend": right_angle.BACKEND}
    )
    before = run(made, problem, x)
    x[..., 4000] = 1e30
    after = run(made, problem, x)
    grid = made.grid
    for block in range(0, before.shape[-1], grid):
        reads = range(block, block + grid + 199)
        same = np.array_equal(before[..., block : block + grid], after[..., block : block + grid])
        assert same == (4000 not in reads)


def test_a_stride_is_folded_as_far_as_transforms_stay_long_enough() -> None:
    assert [folds(stride, 2048, 16) for stride in (1, 2, 3, 6, 8, 64)] == [1, 2, 1, 2, 8, 8]


def test_a_stride_is_predicted_to_save_time() -> None:
    def seconds(stride: int) -> float:
        problem = Problem.of((1, 1, 480_000), (8, 1, 1000), dtype="float32", stride=(stride,))
        return min(cost.seconds for cost in right_angle.costs(problem, machine.current()))

    assert seconds(4) < 0.75 * seconds(1)
