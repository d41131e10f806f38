"""What an algorithm says it takes beside input, output and weight is what it takes at most."""

from __future__ import annotations

import gc
import threading
import tracemalloc

import numpy as np
import pytest

from convolved_engine import apply_arranged, machine, plan, planner, registry, transforms
from convolved_engine.problem import Problem
from convolved_vocabulary import Conv, Filter
from tests.engine.cases import data

# Interpreter objects, small tables, and one array of flags of a block.
SLACK = 256 << 10

PROBLEMS = [
    Problem.of((1, 1, 600_000), (1, 1, 2000), dtype="float32"),
    Problem.of((1, 4, 60_000), (4, 4, 500), dtype="float32", pads=((499, 499),)),
    Problem.of((2, 8, 5000), (16, 8, 9), dtype="complex64", stride=(2,)),
    Problem.of((1, 1, 400, 500), (2, 1, 21, 21), dtype="float64"),
    Problem.of((1, 2, 30, 40, 50), (2, 2, 5, 5, 5), dtype="float32", dilation=(1, 2, 1)),
]


def taken(problem: Problem, choice: planner.Choice) -> int:
    """The most bytes at one time that preparing and computing add."""
    x, weight, _ = data(problem)
    out = np.empty(problem.output_shape, problem.dtype)
    found: list[int] = []

    def compute() -> None:
        # A thread of its own has kept nothing of earlier calls.
        gc.collect()
        tracemalloc.start()
        try:
            made = choice.algorithm.prepare(problem, weight, None, choice.cost.parameters)
            made(x, out, 1)
            found.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()

    warm = choice.algorithm.prepare(problem, weight, None, choice.cost.parameters)
    warm(x, out, 1)
    del warm
    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
@pytest.mark.parametrize("name", [each.name for each in registry.algorithms()])
def test_no_algorithm_takes_more_than_it_says(
    name: str, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transforms, "_pool", transforms._Pool(0))
    choice = planner.plan(problem, algorithm=name)
    assert taken(problem, choice) <= choice.cost.workspace_bytes + SLACK


def test_a_tight_limit_is_kept_in_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms, "_pool", transforms._Pool(0))
    problem = PROBLEMS[0]
    ways = registry.algorithm("overlap_save").costs(problem, machine.current())
    for limit in sorted({cost.workspace_bytes for cost in ways}):
        choice = planner.plan(problem, algorithm="overlap_save", memory_limit=limit)
        assert choice.cost.workspace_bytes <= limit
        assert taken(problem, choice) <= limit + SLACK


@pytest.mark.parametrize(
    ("boundary", "dtype"),
    [("reflect", "float32"), ("zeros", "float16"), ("edge", "float16"), ("zeros", "int16")],
)
def test_a_plan_counts_the_copies_with_padding_and_in_another_dtype(
    boundary: str, dtype: str
) -> None:
    # Weights of floats, so that integers are computed in floats, too.
    layer = Filter(Conv(np.ones((1, 1, 9), np.float32), padding="same", boundary=boundary))
    x = np.ones((1, 1, 1_000_000), dtype)
    apply_arranged(x, layer)
    gc.collect()
    tracemalloc.start()
    try:
        nbytes = apply_arranged(x, layer).nbytes
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    told = plan(layer, x.shape, dtype=dtype).workspace_bytes
    assert told < peak <= told + nbytes + SLACK
