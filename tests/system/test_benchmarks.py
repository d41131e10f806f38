"""The benchmarks run, measure what they say, and tell it in a file, a page and a plot."""

from __future__ import annotations

import doctest
import importlib
import json
import math
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks import report
from benchmarks.results import Bar, Measurement, Result, load, save
from benchmarks.rounds import interleave, ratio_of_medians
from tests.system.benchmarking import benchmarks

MEASURES = {
    "apply",
    "processor time of a block",
    "time of a push",
    "throughput of a large signal",
    "memory growth under a large signal",
    "memory growth with a reader that stops, a stream",
    "sent before a reader that stops held it up, a stream",
}


@dataclass(frozen=True)
class Run:
    found: dict[str, Any]
    complaints: str
    folder: Path
    saved: Path


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("benchmarks")
    saved = folder / "wire.json"
    done = benchmarks(
        "wire", "--quick", "--json", str(saved), "--docs", str(folder), OPENBLAS_CORETYPE="Haswell"
    )
    assert done.returncode == 0, done.stderr
    return Run(json.loads(saved.read_text()), done.stderr, folder, saved)


def test_pinned_kernels_are_let_go_and_it_is_said(quick: Run) -> None:
    assert "starting again without OPENBLAS_CORETYPE=Haswell" in quick.complaints


def test_everything_is_measured_of_ours_and_of_the_echo(quick: Run) -> None:
    found: dict[str, set[str]] = {}
    for entry in quick.found["measurements"]:
        found.setdefault(entry["measure"], set()).add(entry["contender"])
    assert found.keys() == MEASURES
    for contenders in found.values():
        assert {"convolved, unix", "bare grpc.aio echo, unix"} <= contenders


def test_every_peer_is_measured_or_said_to_be_absent(quick: Run) -> None:
    applied = {
        entry["contender"].partition(",")[0]
        for entry in quick.found["measurements"]
        if entry["measure"] == "apply"
    }
    peers = {"grpc.aio + SciPy", "Arrow Flight + SciPy", "SciPy in process"}
    assert peers <= applied | quick.found["absent"].keys()


def test_figures_are_finite_and_medians_lie_among_their_rounds(quick: Run) -> None:
    for entry in quick.found["measurements"]:
        values = entry["values"]
        assert all(map(math.isfinite, values)), entry
        assert min(values) == entry["minimum"] <= entry["median"] <= max(values), entry
        if entry["unit"] in {"s", "MiB/s"}:
            assert entry["minimum"] > 0, entry


def test_a_block_costs_the_server_microseconds_and_not_milliseconds(quick: Run) -> None:
    for entry in quick.found["measurements"]:
        if entry["measure"] == "processor time of a block":
            assert 1e-6 < entry["median"] < 20e-3, entry


def test_a_reader_that_stops_is_held_up(quick: Run) -> None:
    sent = quick.found["settings"]["stalled_bytes"] / (1 << 20)
    for entry in quick.found["measurements"]:
        if entry["measure"].startswith("sent before"):
            assert entry["median"] < sent, entry


def test_verdicts_follow_from_figures_and_limits(quick: Run) -> None:
    bars = quick.found["bars"]
    assert any(bar["limit"] is not None for bar in bars)
    for bar in bars:
        assert bar["low"] <= bar["value"] <= bar["high"], bar
        if bar["limit"] is None:
            assert bar["met"] is None
        elif bar["sense"] == "at most":
            assert bar["met"] == (bar["value"] <= bar["limit"])
        else:
            assert bar["met"] == (bar["value"] >= bar["limit"])


def test_the_machine_and_its_software_are_told(quick: Run) -> None:
    machine = quick.found["machine"]
    assert machine["cores"] >= 1
    assert {"grpcio", "numpy", "scipy"} <= machine["packages"].keys()


def test_the_page_tells_every_bar_and_shows_the_plot(quick: Run) -> None:
    page = (quick.folder / report.PAGE).read_text(encoding="utf-8")
    for bar in quick.found["bars"]:
        assert f"| {bar['what']} | {bar['case']} |" in page
    assert "(wire-apply.svg)" in page
    assert ET.parse(quick.folder / "wire-apply.svg").getroot().tag.endswith("svg")


def test_a_saved_result_gives_the_same_page_and_plot_again(quick: Run, tmp_path: Path) -> None:
    done = benchmarks("report", str(quick.saved), "--docs", str(tmp_path))
    assert done.returncode == 0, done.stderr
    for name in (report.PAGE, "wire-apply.svg"):
        assert (tmp_path / name).read_bytes() == (quick.folder / name).read_bytes()


@pytest.mark.parametrize(
    "module", ["environment", "report", "results", "rounds", "wire.contenders._overlap_add"]
)
def test_the_examples_of_the_harness_hold(module: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(f"benchmarks.{module}"))
    assert tried
    assert not failed


def result() -> Result:
    return Result(
        family="wire",
        machine={"cores": 2},
        settings={"rounds": 3},
        measurements=(Measurement("apply", "1 s", "ours", "s", (3.0, 1.0, 2.0), "unary"),),
        bars=(Bar("ours / theirs", "1 s", 0.5, 0.4, 0.6, "at most", 1.0),),
        absent={"theirs": "not installed"},
        other_load=0.25,
    )


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    save(result(), tmp_path / "result.json")
    assert load(tmp_path / "result.json") == result()


@pytest.mark.parametrize(
    ("sense", "value", "met"),
    [
        ("at most", 1.0, True),
        ("at most", 1.01, False),
        ("at least", 1.0, True),
        ("at least", 0.99, False),
    ],
)
def test_a_limit_itself_is_still_within(sense: Any, value: float, met: bool) -> None:
    assert replace(result().bars[0], sense=sense, value=value).met is met


def test_rounds_meet_every_contender_once_each() -> None:
    turns: list[str] = []

    def turn(name: str) -> float:
        turns.append(name)
        return float(len(turns))

    found = interleave({name: partial(turn, name) for name in "abc"}, rounds=5)
    assert all(sorted(turns[begin : begin + 3]) == ["a", "b", "c"] for begin in range(0, 15, 3))
    assert sorted(value for values in found.values() for value in values) == list(range(1, 16))


def test_a_ratio_lies_within_its_interval_and_ignores_an_outlier() -> None:
    theirs = [1.0, 1.01, 0.99, 1.02, 0.98, 1.0, 1.01, 0.99, 1.0]
    ours = [2 * value for value in theirs[:-1]] + [100.0]
    value, low, high = ratio_of_medians(ours, theirs)
    assert low <= value <= high
    assert value == pytest.approx(2.0, abs=0.05)


def test_a_run_replaces_its_own_section_and_no_other(tmp_path: Path) -> None:
    report.write("one", "first of one", tmp_path)
    report.write("two", "first of two", tmp_path)
    page = report.write("one", "second of one", tmp_path).read_text(encoding="utf-8")
    assert "second of one" in page
    assert "first of two" in page
    assert "first of one" not in page


def test_rows_that_lose_are_marked() -> None:
    lost = replace(result().bars[0], value=2.0, high=2.5)
    assert "**no**" in report.bars_table([lost])
    assert "**no**" not in report.bars_table(result().bars)


def test_rounds_end_by_time_but_not_before_the_least() -> None:
    def slow() -> float:
        time.sleep(0.02)
        return 1.0

    found = interleave({"one": slow}, rounds=100, seconds=0.1, least=2)
    assert 2 <= len(found["one"]) < 10
    assert len(interleave({"one": slow}, rounds=100, seconds=0.0, least=3)["one"]) == 3
