"""Overlap-save beyond what every algorithm promises: its grid, its blocks, its two backends."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved_engine import machine, transforms
from convolved_engine import threads as pool
from convolved_engine.problem import Problem
from convolved_engine.registry import Runnable, algorithm
from tests.engine.cases import FLOATING, data, problems, run
from tests.engine.reference import naive

BACKENDS = pytest.mark.parametrize("backend", transforms.BACKENDS)


def runnable(problem: Problem, seed: int = 0, **parameters: int | str) -> Runnable:
    _, weight, bias = data(problem, seed)
    overlap_save = algorithm("overlap_save")
    chosen = dict(overlap_save.cost(problem, machine.current()).parameters)
    return overlap_save.prepare(problem, weight, bias, chosen | parameters)


def relative_error(problem: Problem, out: NDArray[Any], seed: int = 0) -> float:
    x, weight, bias = data(problem, seed)
    expected = naive(problem, x, weight, bias)
    scale = abs(weight).sum(dtype=np.float64) * abs(x).max()
    return float(abs(out - expected).max() / scale)


@BACKENDS
@given(problem=problems(FLOATING), batch=st.integers(1, 3), groups=st.integers(1, 2))
@settings(max_examples=40)
def test_either_backend_is_right_with_any_block_and_batch(
    backend: str, problem: Problem, batch: int, groups: int
) -> None:
    groups = min(groups, problem.groups)
    block = "x".join(str(transforms.fast_length(k + 3)) for k in problem.kernel)
    works = runnable(problem, block=block, batch=batch, groups=groups, backend=backend)
    x, *_ = data(problem)
    bound = algorithm("overlap_save").cost(problem, machine.current()).relative_error
    assert relative_error(problem, run(works, problem, x, threads=2)) <= bound


@BACKENDS
@given(
    kernel=st.integers(1, 60),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    inputs=st.integers(1, 2),
    batch=st.sampled_from((1, 1, 3)),
    first=st.integers(0, 3),
    count=st.integers(1, 3),
)
@settings(max_examples=40)
def test_blocks_of_the_grid_are_the_same_bits_however_many_are_computed(
    backend: str,
    kernel: int,
    stride: int,
    dilation: int,
    inputs: int,
    batch: int,
    first: int,
    count: int,
) -> None:
    problem = Problem.of(
        (1, inputs, 4000),
        (2, inputs, kernel),
        dtype="float32",
        stride=(stride,),
        dilation=(dilation,),
        pads=((kernel, 0),),
    )
    works = runnable(problem, block="128", batch=batch, backend=backend)
    grid = works.grid
    last = first + count
    assume(last * grid < problem.output_size[0])
    x, weight, _ = data(problem)
    whole = run(works, problem, x)

    silence = np.pad(x, ((0, 0), (0, 0), problem.pads[0]))
    begin, end = first * grid * stride, (last * grid - 1) * stride + problem.extent[0]
    piece = np.ascontiguousarray(silence[..., begin:end])
    unpadded = Problem.of(
        piece.shape, weight.shape, dtype="float32", stride=(stride,), dilation=(dilation,)
    )
    overlap_save = algorithm("overlap_save")
    again = overlap_save.prepare(
        unpadded, weight, None, {"block": "128", "batch": batch, "groups": 1, "backend": backend}
    )
    assert again.grid == grid
    part = run(again, unpadded, piece)
    assert part.tobytes() == whole[..., first * grid : last * grid].tobytes()


def test_sums_that_overflow_only_inside_a_transform_come_out_right() -> None:
    problem = Problem.of((1, 1, 4000), (1, 1, 100), dtype="float32")
    x = np.full(problem.input_shape, 1e36, np.float32)
    weight = np.full(problem.weight_shape, 1e-3, np.float32)
    overlap_save = algorithm("overlap_save")
    parameters: dict[str, int | str] = {"block": "4096", "batch": 1, "groups": 1}
    out = run(overlap_save.prepare(problem, weight, None, parameters), problem, x)
    np.testing.assert_allclose(out, 1e35, rtol=1e-5)


def test_weights_that_are_not_finite_are_left_to_direct_convolution() -> None:
    problem = Problem.of((1, 1, 400), (1, 1, 100), dtype="float32", pads=((99, 99),))
    weight = np.zeros(problem.weight_shape, np.float32)
    weight[0, 0, 0] = np.inf
    x = np.ones(problem.input_shape, np.float32)
    overlap_save = algorithm("overlap_save")
    parameters: dict[str, int | str] = {"block": "512", "batch": 1, "groups": 1}
    out = run(overlap_save.prepare(problem, weight, None, parameters), problem, x)[0, 0]
    assert np.isinf(out[99:]).all()
    assert not out[:99].any()


def test_workspace_does_not_grow_with_the_signal() -> None:
    def workspace(n: int) -> int:
        problem = Problem.of((1, 1, n), (1, 1, 1023), dtype="float32")
        return algorithm("overlap_save").cost(problem, machine.current()).workspace_bytes

    assert workspace(10**9) <= workspace(10**7) < 16 << 20


@pytest.mark.parametrize(("batch", "shared"), [(1, False), (24, True)])
def test_only_batches_that_are_worth_their_turns_are_dealt_to_threads(
    monkeypatch: pytest.MonkeyPatch, batch: int, shared: bool
) -> None:
    problem = Problem.of((1, 1, 300_000), (1, 1, 249), dtype="float32")
    found = runnable(problem, block="8192", batch=batch, groups=1, backend="scipy")
    dealt: list[int | None] = []

    def deal(count: int, work: Any, threads: int | None = None, chunk: int = 1) -> None:
        del count, work, chunk
        dealt.append(threads)

    monkeypatch.setattr(pool, "for_each_chunk", deal)
    x, out = np.zeros(problem.input_shape, "f4"), np.empty(problem.output_shape, "f4")
    found(x, out, threads=2)
    assert dealt == [2 if shared else 1]


def test_for_several_threads_there_are_enough_batches_for_all() -> None:
    problem = Problem.of((1, 1, 480_000), (1, 1, 255), dtype="complex64")
    overlap_save = algorithm("overlap_save")
    alone, shared = (
        overlap_save.cost(problem, dataclasses.replace(machine.current(), threads=threads))
        for threads in (1, 4)
    )
    block, batch = int(shared.parameters["block"]), int(shared.parameters["batch"])
    assert problem.outputs > 4 * batch * (block - 254)
    assert shared.seconds < alone.seconds
