"""FFTW's plans are the same for equal shapes, whatever else was planned or measured meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from convolved_engine import caching, fftw
from convolved_engine.problem import Problem
from convolved_engine.registry import algorithm
from convolved_engine.transforms import Shape, Workspace
from tests.engine.cases import data, run
from tests.engine.reference import naive

pytest.importorskip("pyfftw")

FLOAT = np.dtype("float32")


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVOLVED_CACHE", str(tmp_path))
    monkeypatch.setattr(fftw, "MEASURING_SECONDS", 0.05)
    fftw._kept.cache_clear()
    return tmp_path


def transformed(work: Workspace) -> bytes:
    work.samples[...] = np.random.default_rng(0).standard_normal(work.samples.shape)
    work.forward()
    there = work.spectra.tobytes()
    if work.products is not work.spectra:
        work.products[...] = work.spectra[: len(work.products)]
    work.backward()
    return there + work.results.tobytes()


@pytest.mark.parametrize("length", [512, 2048, 16384, 12000])
def test_what_was_measured_never_changes_plans_that_are_estimated(length: int) -> None:
    shape = Shape(3, 3, (length,), FLOAT, "fftw", aligned=True)
    before = transformed(Workspace(shape))
    measured = Shape(3, 3, (length,), FLOAT, "fftw", aligned=True, measured=True)
    Workspace(measured)
    assert transformed(Workspace(shape)) == before


@pytest.mark.parametrize("length", [512, 16384])
def test_a_measured_plan_is_the_same_each_time_and_in_the_next_process(
    length: int, cache_of_its_own: Path
) -> None:
    shape = Shape(2, 2, (length,), FLOAT, "fftw", measured=True)
    first = transformed(Workspace(shape))
    assert transformed(Workspace(shape)) == first
    (kept,) = cache_of_its_own.iterdir()
    assert list(json.loads(kept.read_text())) == [f"float32(2,{length})(2,{length})"]
    fftw._kept.cache_clear()
    assert transformed(Workspace(shape)) == first


def test_measuring_that_does_not_come_to_an_end_leaves_the_estimate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fftw, "MEASURING_SECONDS", 0.0)
    estimated = transformed(Workspace(Shape(1, 1, (30000,), FLOAT, "fftw")))
    assert transformed(Workspace(Shape(1, 1, (30000,), FLOAT, "fftw", measured=True))) == estimated


def test_without_a_folder_to_write_to_it_measures_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONVOLVED_CACHE", "/dev/null/nowhere")
    transformed(Workspace(Shape(1, 1, (600,), FLOAT, "fftw", measured=True)))
    assert caching.read("anything") is None


@pytest.mark.parametrize("broken", ["", "[]", "{", '{"float32(1,640)(1,640)": ["(", "no wisdom"]}'])
def test_a_broken_file_is_as_good_as_none(broken: str) -> None:
    caching.write(fftw._file(), broken)
    transformed(Workspace(Shape(1, 1, (640,), FLOAT, "fftw", measured=True)))


@pytest.mark.parametrize("aligned", [False, True])
def test_built_in_knowledge_covers_the_usual_lengths(aligned: bool) -> None:
    import pyfftw

    fftw._learn()
    for length in (1 << 10, 3 << 12, 1 << 16, 1 << 18):
        shape = Shape(1, 1, (length,), FLOAT, "fftw", aligned=aligned)
        work = Workspace(shape)
        spectrum = work.spectra[..., : shape.bins]
        pyfftw.FFTW(work.samples, spectrum, axes=(1,), flags=("FFTW_WISDOM_ONLY",))


def test_measured_transforms_convolve_within_the_stated_bound() -> None:
    problem = Problem.of((1, 2, 3000), (2, 2, 400), dtype="float32")
    x, weight, _ = data(problem)
    parameters: dict[str, int | str] = {"block": "1024", "batch": 2, "groups": 1}
    parameters["planning"] = "measure"
    works = algorithm("overlap_save").prepare(problem, weight, None, parameters)
    errors = abs(run(works, problem, x) - naive(problem, x, weight, None))
    assert errors.max() <= 1e-5 * abs(weight).sum() * abs(x).max()
