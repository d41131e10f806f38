"""What every registered algorithm promises, held against the naive definition.

A newly registered algorithm is tested without a change here.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from convolved_engine import machine, registry
from convolved_engine.problem import DTYPES, Problem
from convolved_engine.registry import Algorithm, Runnable
from convolved_vocabulary.errors import InvalidArgument
from tests.engine.cases import FLOATING, Data, data, problems, run
from tests.engine.reference import magnitudes, naive

EVERY = pytest.mark.parametrize(
    "algorithm", registry.algorithms(), ids=[each.name for each in registry.algorithms()]
)
CUT_INVARIANT = pytest.mark.parametrize(
    "algorithm",
    [each for each in registry.algorithms() if each.cut_invariant],
    ids=[each.name for each in registry.algorithms() if each.cut_invariant],
)
SEEDS = st.integers(0, 1000)


def prepared(algorithm: Algorithm, problem: Problem, given_data: Data) -> tuple[Runnable, float]:
    reason = algorithm.supports(problem)
    if reason is not None:
        assert len(reason.split()) > 2, "a reason is a sentence for people"
        assume(False)
    _, weight, bias = given_data
    cost = algorithm.cost(problem, machine.current())
    assert cost.seconds > 0
    assert cost.workspace_bytes >= 0
    return algorithm.prepare(problem, weight, bias, cost.parameters), cost.relative_error


@EVERY
@given(problem=problems(), seed=SEEDS)
@settings(max_examples=60)
@example(Problem.of((1, 1, 1), (1, 1, 1), dtype="float32"), 0)
@example(Problem.of((1, 1, 5), (1, 1, 4), dtype="float64", pads=((3, 3),), flip=True), 0)
@example(Problem.of((1, 1, 5000), (1, 1, 700), dtype="float32", pads=((699, 699),)), 0)
@example(Problem.of((1, 3, 300, 40), (2, 3, 9, 9), dtype="float32"), 0)
@example(Problem.of((1, 600, 50), (9, 600, 3), dtype="float32", pads=((1, 1),)), 0)
def test_the_definition_is_met_within_the_stated_error(
    algorithm: Algorithm, problem: Problem, seed: int
) -> None:
    x, weight, bias = given_data = data(problem, seed)
    runnable, bound = prepared(algorithm, problem, given_data)
    before = x.copy()
    out = run(runnable, problem, x)
    assert np.array_equal(x, before)
    expected = naive(problem, x, weight, bias)
    if problem.is_integer:
        assert bound == 0
        assert np.array_equal(out.astype(object), expected)
        return
    assert 0 < bound < 1e-3
    scale = abs(weight).reshape(len(weight), -1).sum(axis=1, dtype=np.float64) * abs(x).max()
    if bias is not None:
        scale += abs(bias)
    errors = abs(out - expected).reshape(problem.batch, len(weight), -1).max(axis=(0, 2))
    assert (errors <= bound * scale).all()


@EVERY
@given(problem=problems(FLOATING, accuracy="strict"), seed=SEEDS)
@settings(max_examples=30)
def test_strict_accuracy_bounds_every_output_by_its_own_terms(
    algorithm: Algorithm, problem: Problem, seed: int
) -> None:
    x, weight, bias = given_data = data(problem, seed)
    if algorithm.supports(problem) is not None:
        return
    runnable, bound = prepared(algorithm, problem, given_data)
    errors = abs(run(runnable, problem, x) - naive(problem, x, weight, bias))
    assert (errors <= bound * magnitudes(problem, x, weight, bias)).all()


@EVERY
@given(
    problem=problems(FLOATING),
    seed=SEEDS,
    where=st.sampled_from(("one sample", "a few samples", "half the samples", "the weight")),
)
@settings(max_examples=40)
def test_what_is_not_finite_reaches_what_direct_convolution_would(
    algorithm: Algorithm, problem: Problem, seed: int, where: str
) -> None:
    x, weight, bias = data(problem, seed)
    generator = np.random.default_rng(seed)
    place = weight if where == "the weight" else x
    count = {"one sample": 1, "a few samples": 4, "the weight": 1}.get(where, x.size // 2 + 1)
    parts = place.reshape(-1).view(place.real.dtype)
    parts[generator.integers(0, parts.size, count)] = generator.choice(
        [np.nan, np.inf, -np.inf], count
    )
    runnable, bound = prepared(algorithm, problem, (x, weight, bias))
    out, expected = run(runnable, problem, x), naive(problem, x, weight, bias)
    out_parts, parts = out.view(out.real.dtype), expected.view(expected.real.dtype)
    finite = np.isfinite(parts)
    assert np.array_equal(out_parts[~finite], parts[~finite].astype(out_parts.dtype), True)
    good = abs(np.nan_to_num(x, nan=0, posinf=0, neginf=0)).max()
    total = abs(np.nan_to_num(weight, nan=0, posinf=0, neginf=0)).sum() * good
    total += 0 if bias is None else abs(bias).max()
    assert (abs(out_parts[finite] - parts[finite]) <= 4 * bound * total).all()


@EVERY
@given(problem=problems(), seed=SEEDS)
@settings(max_examples=15)
def test_threads_and_their_number_never_change_a_bit(
    algorithm: Algorithm, problem: Problem, seed: int
) -> None:
    x, *_ = given_data = data(problem, seed)
    runnable, _ = prepared(algorithm, problem, given_data)
    alone = run(runnable, problem, x).tobytes()
    assert run(runnable, problem, x, threads=4).tobytes() == alone
    with ThreadPoolExecutor(4) as callers:
        together = callers.map(lambda _: run(runnable, problem, x, threads=2).tobytes(), range(8))
        assert set(together) == {alone}


@EVERY
@given(problem=problems(), seed=SEEDS, batch=st.integers(1, 3), longer=st.integers(0, 200))
@settings(max_examples=15)
def test_one_prepared_weight_serves_every_batch_and_size(
    algorithm: Algorithm, problem: Problem, seed: int, batch: int, longer: int
) -> None:
    runnable, bound = prepared(algorithm, problem, data(problem, seed))
    size = (*problem.size[:-1], problem.size[-1] + longer)
    other = problem.with_input((batch, problem.in_channels, *size))
    _, weight, bias = data(problem, seed)
    x, *_ = data(other, seed)
    out, expected = run(runnable, problem, x), naive(other, x, weight, bias)
    scale = abs(weight).sum(dtype=np.float64) * abs(x).max()
    scale += 0 if bias is None else abs(bias).max()
    assert abs(out - expected).max() <= 4 * bound * scale
    assert runnable.nbytes > 0


@CUT_INVARIANT
@given(problem=problems(), seed=SEEDS, cut=st.tuples(st.floats(0, 1), st.floats(0, 1)))
@settings(max_examples=60)
@example(Problem.of((1, 1, 4000), (1, 1, 63), dtype="float32", pads=((31, 31),)), 0, (0.3, 0.9))
@example(Problem.of((1, 70, 400), (9, 70, 5), dtype="float32", pads=((4, 0),)), 0, (0.5, 0.52))
@example(Problem.of((1, 1, 900), (8, 1, 9), dtype="complex64", pads=((4, 4),)), 0, (0.1, 0.7))
def test_an_output_is_the_same_bits_wherever_the_signal_is_cut(
    algorithm: Algorithm, problem: Problem, seed: int, cut: tuple[float, float]
) -> None:
    x, weight, bias = given_data = data(problem, seed)
    runnable, _ = prepared(algorithm, problem, given_data)
    whole = run(runnable, problem, x)

    before, after = problem.pads[-1]
    stride, outputs = problem.stride[-1], problem.output_size[-1]
    first, last = sorted(min(int(part * outputs), outputs - 1) for part in cut)
    silence = [(0, 0)] * (x.ndim - 1) + [(before, after)]
    begin, end = first * stride, last * stride + problem.extent[-1]
    piece = np.ascontiguousarray(np.pad(x, silence)[..., begin:end])
    unpadded = Problem.of(
        piece.shape,
        weight.shape,
        dtype=problem.dtype,
        stride=problem.stride,
        dilation=problem.dilation,
        pads=(*problem.pads[:-1], (0, 0)),
        groups=problem.groups,
        flip=problem.flip,
        has_bias=problem.has_bias,
    )
    again, _ = prepared(algorithm, unpadded, (piece, weight, bias))
    assert run(again, unpadded, piece).tobytes() == whole[..., first : last + 1].tobytes()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_some_algorithm_serves_every_dtype_at_strict_accuracy(dtype: np.dtype[np.generic]) -> None:
    problem = Problem.of((1, 1, 9), (1, 1, 3), dtype=dtype, accuracy="strict")
    assert any(each.supports(problem) is None for each in registry.algorithms())


@EVERY
def test_arrays_that_do_not_belong_to_the_problem_are_refused_by_name(algorithm: Algorithm) -> None:
    problem = Problem.of((1, 2, 50), (3, 2, 5), dtype="float32", has_bias=True)
    x, weight, bias = given_data = data(problem)
    runnable, _ = prepared(algorithm, problem, given_data)
    out = np.empty(problem.output_shape, np.float32)
    runnable(x, out)
    for name, wrong_x, wrong_out in (
        ("x: got shape", x[:, :1], out),
        ("x: got dtype", x.astype(np.float64), out),
        ("x: got strides", np.asfortranarray(np.repeat(x, 2, 0))[:1], out),
        ("out: got shape", x, out[..., :-1]),
        ("out: got dtype", x, out.astype(np.float64)),
    ):
        with pytest.raises(InvalidArgument, match=name):
            runnable(wrong_x, wrong_out)
    for name, wrong_weight, wrong_bias in (
        ("weight: got shape", weight[:2], bias),
        ("bias: got shape", weight, np.zeros(2, np.float32)),
    ):
        with pytest.raises(InvalidArgument, match=name):
            prepared(algorithm, problem, (x, wrong_weight, wrong_bias))
