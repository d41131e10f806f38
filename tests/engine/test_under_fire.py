"""Many threads, many problems and a cache with hardly any room: every result stays right."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convolved_engine import planner, transforms
from convolved_engine.prepared import PreparedWeights
from convolved_engine.problem import Problem
from convolved_engine.registry import algorithms
from tests.engine.cases import data
from tests.engine.reference import naive

ROOM = 20_000
PROBLEMS = [
    Problem.of((batch, channels, size), (outs, channels, taps), dtype=dtype, pads=((taps - 1, 0),))
    for batch, channels, outs in ((1, 1, 1), (2, 2, 3))
    for size, taps in ((300, 5), (400, 61), (700, 130))
    for dtype in ("float32", "complex64")
]


@pytest.fixture(scope="module")
def expected() -> dict[Problem, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    made = {}
    for problem in PROBLEMS:
        x, weight, _ = data(problem)
        made[problem] = x, weight, naive(problem, x, weight, None)
    return made


def test_any_number_of_threads_plan_prepare_and_compute_side_by_side(
    expected: dict[Problem, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transforms, "_pool", transforms._Pool(ROOM))
    planner._plan.cache_clear()
    kept = PreparedWeights(ROOM)
    start = threading.Barrier(8)
    bits: dict[tuple[int, str], set[bytes]] = {}

    def hammer(seed: int) -> None:
        draw = random.Random(seed)
        start.wait()
        for _ in range(60):
            number = draw.randrange(len(PROBLEMS))
            name = draw.choice([each.name for each in algorithms()])
            x, weight, wanted = expected[PROBLEMS[number]]
            choice = planner.plan(PROBLEMS[number], algorithm=name)
            runnable = kept.get(choice, weight, None, f"filter {number}")
            out = np.full(wanted.shape, 77, x.dtype)
            runnable(x, out, draw.randint(1, 3))
            scale = abs(weight).sum() * abs(x).max()
            assert abs(out - wanted).max() <= choice.cost.relative_error * scale * 2
            bits.setdefault((number, name), set()).add(out.tobytes())
            if draw.random() < 0.1:
                kept.forget(f"filter {number}")
            assert 0 <= kept.nbytes <= ROOM

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(hammer, seed) for seed in range(8)]:
            done.result()
    assert all(len(found) == 1 for found in bits.values())
    assert len(bits) > len(PROBLEMS)
    held = sum(runnable.nbytes for runnable in kept._kept.values())
    assert held == kept.nbytes <= ROOM
