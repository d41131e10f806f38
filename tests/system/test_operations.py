"""The table of operations names every operation, and for each of them a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from convolved_engine import functions
from convolved_vocabulary import Activation, Affine, Conv, ConvTranspose, Pool

PAGE = Path(__file__).parents[2] / "docs" / "conventions.md"
LAYERS = (Activation, Affine, Conv, ConvTranspose, Pool)
OPERATIONS = sorted({*functions.__all__, *(layer.__name__ for layer in LAYERS)})
BEYOND = ("gradients", "impulse_response", "stream")


def rows() -> list[list[str]]:
    """The cells of the table that ends the page."""
    table = PAGE.read_text(encoding="utf-8").partition("## What holds this page")[2]
    found = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    return found[2:]


@pytest.mark.parametrize("operation", [*OPERATIONS, *BEYOND])
def test_every_operation_has_a_row(operation: str) -> None:
    assert any(f"`{operation}`" in operations for operations, *_ in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row[0]))
def test_every_row_names_its_test(row: list[str]) -> None:
    _, meaning, held_by = row
    assert meaning
    assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`", held_by)
