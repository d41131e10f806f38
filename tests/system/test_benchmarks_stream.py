"""The benchmarks of streams run, measure what they say, and tell it."""

from __future__ import annotations

import doctest
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import report
from benchmarks.stream import side_by_side
from benchmarks.stream.side_by_side import greatest
from tests.system.benchmarking import benchmarks

MEASURES = {
    "time of a block",
    "median of the positions",
    "greatest of the positions",
    "median push",
    "greatest push across an exchange",
    "added delay",
    "streams held",
    "server's processor time a block",
}


@dataclass(frozen=True)
class Run:
    found: dict[str, Any]
    folder: Path
    saved: Path


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("benchmarks")
    saved = folder / "stream.json"
    done = benchmarks("stream", "--quick", "--json", saved, "--docs", folder)
    assert done.returncode == 0, done.stderr
    return Run(json.loads(saved.read_text()), folder, saved)


def test_everything_is_measured_and_finite(quick: Run) -> None:
    assert {entry["measure"] for entry in quick.found["measurements"]} == MEASURES
    for entry in quick.found["measurements"]:
        assert all(map(math.isfinite, entry["values"])), entry


def test_juce_takes_part_or_is_said_to_be_absent(quick: Run) -> None:
    contenders = {entry["contender"] for entry in quick.found["measurements"]}
    assert "pedalboard (JUCE)" in contenders | quick.found["absent"].keys()
    assert {"convolved, engine", "convolved", "bare grpc.aio echo"} <= contenders


def test_a_click_comes_back_by_its_own_sample(quick: Run) -> None:
    delays = [entry for entry in quick.found["measurements"] if entry["measure"] == "added delay"]
    assert {entry["case"].partition(",")[0] for entry in delays} == {"full", "causal"}
    assert all(value == 0 for entry in delays for value in entry["values"])


def test_the_page_tells_every_bar_and_shows_the_plot(quick: Run) -> None:
    page = (quick.folder / report.PAGE).read_text(encoding="utf-8")
    for bar in quick.found["bars"]:
        assert f"| {bar['what']} | {bar['case']} |" in page
    assert "(stream-density.svg)" in page
    assert ET.parse(quick.folder / "stream-density.svg").getroot().tag.endswith("svg")


@given(st.integers(0, 300), st.integers(1, 64), st.integers(1, 300))
def test_the_greatest_count_that_is_held_is_found_within_its_resolution(
    limit: int, first: int, most: int
) -> None:
    asked: list[int] = []

    def holds(count: int) -> bool:
        asked.append(count)
        return count <= limit

    found = greatest(holds, first, 1.5, most)
    wanted = min(limit, most)
    assert found <= wanted <= max(found, math.ceil(1.07 * found))
    assert all(1 <= count <= most for count in asked)
    assert len(asked) < 30


def test_the_examples_hold() -> None:
    failed, tried = doctest.testmod(side_by_side)
    assert tried
    assert not failed
