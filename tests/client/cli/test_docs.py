"""docs/cli.md tells what the program does: its commands, exit codes and JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from convolved.cli.exits import MEANINGS
from tests.client.cli.run import convolved, noise, wav

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def told(title: str, index: int = 0) -> Any:
    """An object that the page shows."""
    blocks = re.findall(r"^```json\n(.*?)^```", section(title), re.MULTILINE | re.DOTALL)
    return json.loads(blocks[index])


def shape_of(value: Any) -> Any:
    """The keys of an object, in their order, and what is below them."""
    if isinstance(value, dict):
        return {key: shape_of(below) for key, below in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [shape_of(value[0])]
    return None


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    return wav(tmp_path / "ir.wav", noise(2, 100))


def test_the_exit_codes_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", section("Exit codes"), re.MULTILINE)
    assert rows == [(str(code.value), meaning) for code, meaning in MEANINGS.items()]


def test_every_command_has_its_section() -> None:
    listed = re.findall(r"│ ([a-z]+) ", convolved("--help").out.split("─ Commands")[1])
    assert listed
    for command in listed:
        assert section(command)
        assert f"`convolved {command}" in TEXT


def test_the_objects_of_apply_and_plan_have_the_fields_shown(
    tmp_path: Path, address: str, kernel: Path
) -> None:
    dry = wav(tmp_path / "dry.wav", noise(1, 100))
    at = ("--server", address, "--json")
    applied = convolved("apply", dry, kernel, tmp_path / "wet.wav", *at).report
    planned = convolved("plan", kernel, *at).report
    assert list(applied) == list(told("apply"))
    for part in ("signal", "kernel", "result"):
        assert shape_of(applied[part]) == shape_of(told("apply")[part])
    assert list(applied["plan"]) == list(planned) == list(told("plan"))
    [step], [shown] = planned["steps"], told("plan")["steps"]
    assert list(step) == list(shown)
    assert list(step["chosen"]) == list(shown["chosen"])
    assert list(step["rejected"][0]) == list(shown["chosen"])
    assert shape_of(planned["receptive_field"]) == shape_of(told("plan")["receptive_field"])


def test_the_objects_of_the_other_commands_have_the_fields_shown(
    address: str, kernel: Path
) -> None:
    at = ("--server", address, "--json")
    assert shape_of(convolved("info", *at).report) == shape_of(told("info"))
    assert shape_of(convolved("health", *at).report) == shape_of(told("health"))
    added = convolved("filters", "add", kernel, *at).report
    assert shape_of(added) == shape_of(told("filters", 0))
    assert list(convolved("filters", "list", *at).report) == list(told("filters", 1))
    removed = convolved("filters", "rm", added["name"], *at).report
    assert list(removed) == list(told("filters", 2))
    error = convolved("plan", kernel, "--seconds", 0, *at).report
    assert shape_of(error) == shape_of(told("JSON"))


def test_the_error_that_is_shown_is_the_one_that_comes(tmp_path: Path, address: str) -> None:
    files = [wav(tmp_path / f"{n}.wav", noise(n, 50)) for n in (1, 3)]
    ended = convolved("apply", *files, tmp_path / "wet.wav", "--server", address)
    assert ended.err in TEXT
