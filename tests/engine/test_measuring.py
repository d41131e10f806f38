"""With rigor "measure" the plausible ways are timed once, within bounds, and the fastest wins."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from convolved_engine import apply_arranged, fftw, machine, measuring, planner
from convolved_engine.planner import plan
from convolved_engine.problem import Problem
from convolved_engine.registry import Parameters, algorithm
from convolved_engine.timing import Trial
from convolved_vocabulary import Options, impulse_response

CLOSE = Problem.of((1, 1, 30_000), (1, 1, 120), dtype="float32")


@pytest.fixture(autouse=True)
def anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CONVOLVED_CACHE", str(tmp_path))
    monkeypatch.setattr(fftw, "MEASURING_SECONDS", 0.02)
    monkeypatch.setattr(measuring, "SECONDS", 0.05)
    measuring._known.clear()
    planner._plan.cache_clear()
    yield
    measuring._known.clear()
    planner._plan.cache_clear()


def times(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> list[str]:
    """Let trials of an algorithm take so long; returns what is tried, as it is tried."""
    tried: list[str] = []

    class Told(Trial):
        def __init__(
            self,
            problem: Problem,
            algorithm: object,
            parameters: Parameters,
            beside: Trial | None = None,
        ) -> None:
            del problem, parameters, beside
            self.name = str(getattr(algorithm, "name", ""))
            tried.append(self.name)

        def seconds(self, threads: int | None = None) -> float:
            del threads
            return seconds[self.name]

    monkeypatch.setattr(measuring, "Trial", Told)
    return tried


@pytest.mark.parametrize("winner", ["direct", "overlap_save"])
def test_what_was_faster_is_chosen_whatever_was_predicted(
    monkeypatch: pytest.MonkeyPatch, winner: str
) -> None:
    loser = {"direct": "overlap_save", "overlap_save": "direct"}[winner]
    times(monkeypatch, **{winner: 0.001, loser: 0.0025})
    choice = plan(CLOSE, rigor="measure")
    assert choice.chosen.algorithm == winner
    assert choice.chosen.predicted_seconds == 0.001
    assert choice.chosen.reason == "fastest as measured"
    reasons = {each.algorithm: each.reason for each in choice.rejected}
    assert reasons[loser] == f"2.5 times the measured time of {winner}"
    assert "not measured" in reasons["im2col"]


@pytest.mark.parametrize(
    ("problem", "measures"),
    [(CLOSE, False), (Problem.of((1, 1, 300, 300), (1, 1, 9, 9), dtype="float32"), True)],
)
def test_only_what_measures_for_itself_is_tried_once_more_for_that(
    monkeypatch: pytest.MonkeyPatch, problem: Problem, measures: bool
) -> None:
    tried = times(monkeypatch, overlap_save=0.001)
    ways = algorithm("overlap_save").costs(problem, machine.current())
    assert {way.can_measure for way in ways} == {measures}
    plan(problem, algorithm="overlap_save", rigor="measure")
    least = ways[0].seconds
    plausible = [way for way in ways if way.seconds <= 3 * least]
    assert len(tried) == min(len(plausible), measuring._MOST_WAYS) + measures


def test_a_problem_is_measured_once_also_for_many_that_ask_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = times(monkeypatch, direct=0.001, overlap_save=0.002)
    with ThreadPoolExecutor(8) as callers:
        choices = list(callers.map(lambda _: plan(CLOSE, rigor="measure"), range(32)))
    assert {choice.chosen.algorithm for choice in choices} == {"direct"}
    assert tried.count("direct") == 1
    # Its blocks, and the best of them with a plan that FFTW has measured.
    assert 2 <= tried.count("overlap_save") <= measuring._MOST_WAYS


def test_estimates_measure_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert times(monkeypatch) == []
    plan(CLOSE)
    plan(CLOSE, rigor="estimate")
    assert not measuring._known


def test_real_trials_keep_to_their_time_and_find_a_way_that_computes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("direct", "overlap_save"):
        # Compiling is no part of what is bounded.
        way = plan(CLOSE, algorithm=name)
        Trial(CLOSE, way.algorithm, way.cost.parameters)
    begun = time.monotonic()
    choice = plan(CLOSE, rigor="measure")
    assert time.monotonic() - begun < 10
    assert choice.cost.measured
    tried = times(monkeypatch)
    assert plan(CLOSE, rigor="measure") is choice
    assert not tried


def test_of_a_vast_problem_a_part_is_tried_and_its_time_scaled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vast = Problem.of((3, 1, 2**36), (1, 1, 4096), dtype="float32")
    part = measuring._part(vast, 1000.0, measuring.MOST_BYTES)
    assert measuring._bytes(part) <= measuring.MOST_BYTES
    assert part.size[0] > 4 * 4096
    times(monkeypatch, direct=9.0, overlap_save=0.01)
    found = plan(vast, rigor="measure").chosen.predicted_seconds
    assert found is not None
    assert found > 100


def test_what_no_part_makes_small_enough_is_left_to_the_estimate() -> None:
    vast = Problem.of((1, 2**20, 2**20), (2**20, 2**20, 7), dtype="float32")
    assert not plan(vast, rigor="measure").cost.measured


def test_a_limit_of_memory_binds_what_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = times(monkeypatch, direct=1.0, overlap_save=0.001)
    limit = plan(CLOSE, algorithm="direct").chosen.workspace_bytes
    assert plan(CLOSE, rigor="measure", memory_limit=limit).chosen.algorithm == "direct"
    assert tried == ["direct"]


def test_the_ways_that_are_tried_share_one_bound_of_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = times(monkeypatch, direct=1.0, overlap_save=0.001)
    with measuring.bounded(60.0, 2 * measuring._bytes(CLOSE)):
        plan(CLOSE, rigor="measure")
    few, tried[:] = len(tried), []
    measuring._known.clear()
    planner._plan.cache_clear()
    plan(CLOSE, rigor="measure")
    assert 0 < few < len(tried)


def test_within_bounds_that_are_reached_it_is_estimated_until_it_may_be_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = times(monkeypatch, direct=1.0, overlap_save=0.001)
    with measuring.bounded(0.0) as bound:
        assert not plan(CLOSE, rigor="measure").cost.measured
    with measuring.bounded(60.0, cancelled=lambda: True):
        assert not plan(CLOSE, rigor="measure").cost.measured
    assert not tried
    assert not bound.complete
    with measuring.bounded(60.0) as bound:
        assert plan(CLOSE, rigor="measure").cost.measured
    assert bound.complete
    tried.clear()
    planner._plan.cache_clear()
    with measuring.bounded(0.0):
        assert plan(CLOSE, rigor="measure").cost.measured
    assert not tried


def test_within_bounds_nobody_waits_for_what_another_measures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times(monkeypatch, direct=1.0, overlap_save=0.001)
    with measuring._lock, measuring.bounded(60.0) as bound:
        assert not plan(CLOSE, rigor="measure").cost.measured
    assert not bound.complete
    assert plan(CLOSE, rigor="measure").cost.measured


def test_the_wish_comes_with_the_options_and_the_result_is_right() -> None:
    taps = np.random.default_rng(0).standard_normal(300).astype(np.float32)
    signal = np.random.default_rng(1).standard_normal((1, 1, 5000)).astype(np.float32)
    filter = impulse_response(taps)
    measured = apply_arranged(signal, filter, Options(rigor="measure"))
    assert measuring._known
    np.testing.assert_allclose(measured, apply_arranged(signal, filter), atol=1e-3)
    assert machine.current().threads >= 1
