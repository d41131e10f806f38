"""Outputs and gradients of 3,000 drawn problems are those that PyTorch gave for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.golden import ours
from tests.golden.digest import digest, tolerance
from tests.golden.problems import COUNT, KINDS, draw

FILE = Path(__file__).with_name("pytorch.npz")


@pytest.fixture(scope="module")
def golden() -> dict[str, object]:
    """For each problem the names and shapes, and where its numbers begin in both precisions."""
    with np.load(FILE) as file:
        kept = {name: file[name] for name in file.files}
    names = str(kept["names"]).split("\n")
    assert len(names) == COUNT
    return {**kept, "names": names}


def test_every_kind_of_layer_rank_and_dtype_is_drawn() -> None:
    problems = [draw(number) for number in range(COUNT)]
    assert {problem.name.split()[0] for problem in problems} == set(KINDS)
    assert {problem.x.ndim for problem in problems} == {3, 4, 5}
    assert {problem.x.dtype.name for problem in problems} == {
        "float32",
        "float64",
        "complex64",
        "complex128",
    }
    assert sum(len(problem.layers) > 1 for problem in problems) > 300
    assert FILE.stat().st_size < 1_500_000


def test_outputs_and_gradients_are_those_of_pytorch(golden: dict[str, object]) -> None:
    names, at = golden["names"], {"single": 0, "double": 0}
    assert isinstance(names, list)
    for number in range(COUNT):
        problem = draw(number)
        found = ours.compute(problem)
        shapes = " ".join(f"{name}{list(found[name].shape)}" for name in sorted(found))
        assert shapes == names[number], problem.name
        for name in sorted(found):
            kept = digest(found[name])
            precision = "single" if kept.dtype == np.float32 else "double"
            begin = at[precision]
            at[precision] += len(kept)
            numbers = golden[precision]
            assert isinstance(numbers, np.ndarray)
            apart = abs(kept - numbers[begin : at[precision]]).max()
            assert apart <= tolerance(found[name]), f"{problem.name}, {name}"
