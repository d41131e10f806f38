"""Planning itself: a problem never seen, one that is known, and what a choice needs once.

What FFTW takes to plan and what the spectra of a kernel take are apart from it: they are paid once
for each filter, and stay.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.results import Bar, Measurement
from convolved_engine import planner, transforms
from convolved_engine.problem import Problem

from .problems import SEED, Effort, drawn

__all__ = ["FFTW", "KNOWN", "NEW", "SPECTRA", "measure"]

NEW = "planning a new problem"
KNOWN = "planning a known problem"
FFTW = "plans of FFTW"
SPECTRA = "spectra of the kernels"

_REPEATS = 200
_LENGTHS = (512, 2048, 16_384, 131_072, 1_048_576)
_TIMES = 3


def measure(effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Time the planner, and what is prepared for a response along one axis."""
    fresh = drawn(effort.plans, SEED + 1)
    planner.plan(drawn(1, SEED + 2)[0])
    new = tuple(_seconds(partial(planner.plan, problem)) for problem in fresh)
    known = tuple(_seconds(partial(_again, problem)) / _REPEATS for problem in fresh)
    case = f"{len(fresh)} problems"
    found = [
        Measurement(NEW, case, "planner", "s", new),
        Measurement(KNOWN, case, "planner", "s", known),
    ]
    for block in _LENGTHS[: effort.blocks]:
        found += _prepared(block)
    return found, [
        _bar(f"{NEW}, 95th percentile", case, float(np.percentile(new, 95)), 5e-3),
        _bar(f"{KNOWN}, 95th percentile", case, float(np.percentile(known, 95)), 20e-6),
    ]


def _prepared(block: int) -> list[Measurement]:
    """What FFTW's plans and the spectra of a response of half a block take."""
    case = f"blocks of {block:,}"
    shape = transforms.Shape(
        1, 1, (block,), np.dtype("float32"), transforms.default_backend(), aligned=True
    )
    plans = [_seconds(lambda: transforms.Workspace(shape)) for _ in range(_TIMES)]
    problem = Problem.of((1, 1, 4 * block), (1, 1, block // 2), dtype="float32")
    taps = np.ones(problem.weight_shape, np.float32)
    choice = planner.plan(problem, algorithm="overlap_save")
    parameters = {**choice.cost.parameters, "block": str(block), "batch": 1}

    def prepare() -> None:
        choice.algorithm.prepare(problem, taps, None, parameters)

    prepare()
    spectra = [_seconds(prepare) for _ in range(_TIMES)]
    return [
        Measurement(FFTW, case, "planner", "s", tuple(plans)),
        Measurement(SPECTRA, case, "planner", "s", tuple(spectra)),
    ]


def _again(problem: Problem) -> None:
    for _ in range(_REPEATS):
        planner.plan(problem)


def _seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _bar(what: str, case: str, value: float, limit: float) -> Bar:
    return Bar(what, case, value, value, value, "at most", limit, "s")
