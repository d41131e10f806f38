"""The planner's benchmark runs, keeps its own problems apart, and tells what it found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.planner.problems import SEED, drawn
from tests.system.benchmarking import benchmarks


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planner")
    done = benchmarks("planner", "--quick", "--json", folder / "found.json", "--docs", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_regret_planning_and_first_calls_are_measured_against_their_limits(quick: Path) -> None:
    found = json.loads((quick / "found.json").read_text())
    limits = {bar["what"]: bar["limit"] for bar in found["bars"]}
    assert {name: limit for name, limit in limits.items() if "known" not in name} == {
        "time of the chosen algorithm / best of ours, geometric mean": 1.05,
        "time of the chosen algorithm / best of ours, 95th percentile": 1.3,
        "planning a new problem, 95th percentile": 5e-3,
        "first call in a warm server / tenth call": 1.5,
    }
    for entry in found["measurements"]:
        assert min(entry["values"]) > 0, entry
    assert found["settings"]["seed"] == SEED


def test_the_page_tells_every_limit_and_shows_the_plot(quick: Path) -> None:
    page = (quick / report.PAGE).read_text(encoding="utf-8")
    for bar in json.loads((quick / "found.json").read_text())["bars"]:
        assert f"| {bar['what']} | {bar['case']} |" in page
    assert "(planner-regret.svg)" in page
    assert (quick / "planner-regret.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_problems_are_of_every_kind_and_the_same_each_time() -> None:
    found = drawn(100)
    assert found == drawn(100)
    assert not set(found) & set(drawn(100, SEED + 1))
    assert {problem.rank for problem in found} == {1, 2, 3}
    assert {problem.dtype.name for problem in found} == {"float32", "float64", "complex64"}
    assert any(problem.groups > 1 for problem in found)
    assert any(max(problem.stride) > 1 for problem in found)
    assert any(max(problem.dilation) > 1 for problem in found)
