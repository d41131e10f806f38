"""Calibration finds constants that predict what was measured, and stays within its time."""

from __future__ import annotations

import dataclasses
import itertools
from types import SimpleNamespace

import pytest

from convolved_engine import calibration, registry
from convolved_engine.calibration import Timing, calibrated, deviation
from convolved_engine.machine import Machine, built_in
from convolved_engine.planner import plan


def predicted(machine: Machine) -> list[Timing]:
    """What a machine would measure whose times are as these constants predict them."""
    alone = dataclasses.replace(machine, threads=1)
    return [
        Timing(each.name, problem, each.cost(problem, alone).seconds)
        for problem in calibration.problems()
        for each in registry.algorithms()
        if each.supports(problem) is None
    ]


@pytest.mark.parametrize("factors", [{"fma_rate": 0.3}, {"fft_rate": 0.4, "copy_rate": 0.5}])
def test_the_constants_of_a_machine_are_found_from_its_times(factors: dict[str, float]) -> None:
    changed = {name: getattr(built_in(), name) * factor for name, factor in factors.items()}
    other = dataclasses.replace(built_in(), **changed)
    timings = predicted(other)
    found = calibrated(built_in(), timings)
    assert deviation(found, timings) < 1.05
    for name, value in changed.items():
        assert getattr(found, name) == pytest.approx(value, rel=0.25)
    for problem in calibration.problems():
        assert plan(problem, machine=found).chosen.algorithm == (
            plan(problem, machine=other).chosen.algorithm
        )


def test_one_time_that_a_disturbance_spoiled_moves_little() -> None:
    timings = predicted(built_in())
    spoiled = dataclasses.replace(timings[4], seconds=timings[4].seconds * 20)
    found = calibrated(built_in(), [*timings[:4], spoiled, *timings[5:]])
    assert deviation(found, timings) < 1.1


def test_without_times_everything_stays() -> None:
    found = calibrated(built_in(), [])
    assert found.fma_rate == pytest.approx(built_in().fma_rate, rel=0.01)


def test_each_algorithm_is_measured_where_it_is_plausible_and_time_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # It looks at the clock when it begins and before each problem.
    clock = itertools.count()
    monkeypatch.setattr(calibration, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    told: list[tuple[int, int]] = []
    timings = list(calibration.measure(built_in(), 4.5, lambda *done: told.append(done)))
    assert {t.algorithm for t in timings} <= {each.name for each in registry.algorithms()}
    assert all(0 < t.seconds < 10 for t in timings)
    assert {t.problem for t in timings} == set(calibration.problems()[:4])
    assert told == [(n, len(calibration.problems())) for n in (1, 2, 3, 4)]
