"""The engine's benchmark: frozen cases, peers at their best, rows that lose told like others."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import report
from benchmarks.engine import Family, verdicts
from benchmarks.engine.cases import CASES, FAMILIES, QUICK, Case
from benchmarks.engine.reference import reference
from benchmarks.results import Measurement, Result, load
from convolved_engine import apply
from convolved_vocabulary import Conv, ConvTranspose, Filter, Pool
from tests.system.benchmarking import benchmarks

ASKED = {
    *("mono FIR", "long IR", "matched filters", "short signals", "single-channel 2-D"),
    *("1-D layers", "2-D layers", "3-D", "strided", "dilated", "depthwise", "pointwise"),
    *("transposed", "pooling", "float64"),
}
TIME = "time, 1 thread"


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("engine")
    saved = folder / "engine.json"
    done = benchmarks("engine", "--quick", "--threads", "1", "--json", saved, "--docs", folder)
    assert done.returncode == 0, done.stderr
    return json.loads(saved.read_text()), folder


def test_the_cases_cover_every_family_and_have_names_of_their_own() -> None:
    assert set(FAMILIES) == ASKED
    assert len(CASES) >= 45
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.slow
def test_every_family_is_measured_of_ours_and_beside_a_peer(
    quick: tuple[dict[str, Any], Path],
) -> None:
    found: dict[str, set[str]] = {}
    for entry in quick[0]["measurements"]:
        if entry["measure"] == TIME:
            found.setdefault(entry["case"], set()).add(entry["contender"])
            assert all(value > 0 for value in entry["values"])
    assert found.keys() == {case.name for case in QUICK}
    left_out = quick[0]["settings"]["left_out"]
    absent = quick[0]["absent"]
    for case, contenders in found.items():
        assert "convolved" in contenders
        for peer in ("torch", "SciPy", "julius"):
            known = peer in contenders or peer in left_out.get(case, {})
            assert known or "torch" in absent


@pytest.mark.slow
def test_the_limits_are_measured(quick: tuple[dict[str, Any], Path]) -> None:
    told = " ".join(bar["what"] for bar in quick[0]["bars"] if bar["limit"] is not None)
    for word in ("lose for sure", "families", "fixed cost", "sgemm", "memory", "output", "ready"):
        assert word in told


@pytest.mark.slow
def test_the_page_tells_every_case(quick: tuple[dict[str, Any], Path]) -> None:
    page = (quick[1] / report.PAGE).read_text(encoding="utf-8")
    for case in QUICK:
        assert f"| {case.family}: {case.name} |" in page
    assert (quick[1] / "engine-1-thread.svg").exists()


def small(case: Case) -> Case:
    """The same kind of work, small enough for another way of computing it."""
    size = tuple(min(n, 12 + k) for n, k in zip(case.shape[2:], case.kernel, strict=True))
    return Case(
        **{**vars(case), "shape": (min(2, case.shape[0]), case.shape[1], *size), "family": "small"}
    )


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.family)
def test_the_reference_is_what_a_filter_gives(case: Case) -> None:
    case = small(case)
    pads: Any = tuple((pad, pad) for pad in case.pads)
    layer: Any
    if case.is_pool:
        word = "max" if case.kind == "max" else "average"
        layer = Pool(word, case.kernel, stride=case.stride, padding=pads)
    elif case.kind == "transpose":
        layer = ConvTranspose(case.weights(), stride=case.stride, padding=pads, groups=case.groups)
    else:
        layer = Conv(
            case.weights(),
            stride=case.stride,
            padding=pads,
            dilation=case.dilation,
            groups=case.groups,
            flip=case.kind == "convolve",
        )
    found = apply(case.signal(), Filter(layer), accuracy="strict")
    wanted = reference(case)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


def times(case: Case, **values: float) -> tuple[Measurement, ...]:
    return tuple(
        Measurement(TIME, case.name, name.replace("_", " "), "s", (value,) * 3)
        for name, value in values.items()
    )


def result(*measurements: Measurement, family: str) -> Result:
    machine = {
        **dict.fromkeys(("date", "revision", "processor", "family", "vectors"), ""),
        **dict.fromkeys(("system", "python"), ""),
        "cores": 1,
        "memory_gib": 1.0,
        "packages": {},
    }
    settings = {"threads": [1], "families": [family], "left_out": {}}
    return Result("engine", machine, settings, measurements, ())


def test_a_packed_peer_sets_no_limit_but_is_told() -> None:
    lost, won = CASES[1], CASES[-1]
    both = Family().join(
        [
            result(*times(lost, convolved=2e-3, torch=1e-3), family="one"),
            result(*times(won, convolved=1e-3, torch=2e-3, torch_packed=5e-4), family="two"),
        ]
    )
    assert both.settings["families"] == ["one", "two"]
    bars = {(bar.what, bar.case): bar for bar in both.bars}
    losing = next(bar for bar in both.bars if "lose for sure" in bar.what)
    assert (losing.value, losing.met) == (1.0, False)
    assert bars["time of best peer / ours, 1 thread", won.name].value == pytest.approx(2.0)
    packed = bars["time of best peer, packed ones too / ours, 1 thread", won.name]
    assert packed.value == pytest.approx(0.5)
    means = verdicts.family_means(verdicts.rows(both, TIME))
    assert math.prod(means.values()) == pytest.approx(1.0)
    page = Family().section(both, None)
    assert "**0.50**" in page
    assert "| torch" in page


@pytest.mark.slow
def test_results_of_parts_make_one_page(quick: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    whole = load(quick[1] / "engine.json")
    again = Family().join([whole])
    assert again.bars == whole.bars
    assert Family().section(again, tmp_path) == Family().section(whole, tmp_path)
