"""`convolved calibrate`: constants measured, shown, kept, handed on and forgotten."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from convolved_engine import constants, machine
from tests.client.cli.run import Ended, convolved


@pytest.fixture(autouse=True)
def asked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CONVOLVED_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVOLVED_CONSTANTS", raising=False)
    yield
    constants.in_force.cache_clear()
    machine.current.cache_clear()


def calibrate(*options: object) -> Ended:
    """Run the command as if in a process of its own."""
    constants.in_force.cache_clear()
    machine.current.cache_clear()
    return convolved("calibrate", *options)


def test_what_is_measured_is_in_force_from_then_on_until_it_is_forgotten(tmp_path: Path) -> None:
    assert calibrate("--show", "--json").report["origin"] == "built in"
    ended = calibrate("--seconds", 0.2)
    assert ended.code == 0, ended.err
    assert "a factor of " in ended.err
    kept = tomllib.loads(ended.out)
    assert kept["fma_rate"] > 0
    [path] = (tmp_path / "cache").iterdir()
    assert path.read_text() == ended.out
    shown = calibrate("--show", "--json").report
    assert (shown["origin"], shown["path"]) == ("calibrated", str(path))
    assert shown["constants"]["fma_rate"] == kept["fma_rate"]
    assert shown["deviation"] is None
    assert calibrate("--reset", "--json").report["origin"] == "built in"
    assert not path.exists()
    assert calibrate("--reset").code == 0


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    report = calibrate("--dry-run", "--seconds", 0.1, "--json").report
    assert report["path"] is None
    assert report["deviation"] >= 1
    assert not (tmp_path / "cache").exists()


def test_a_file_for_replicas_is_what_their_setting_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "replicas.toml"
    report = calibrate("--out", path, "--seconds", 0.1, "--json").report
    assert report["path"] == str(path)
    monkeypatch.setenv("CONVOLVED_CONSTANTS", str(path))
    shown = calibrate("--show", "--json").report
    assert (shown["identity"], shown["origin"]) == (report["identity"], "as set")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--seconds", 0), "--seconds: got 0; want a time above 0"),
        (("--show", "--dry-run"), "--show: got --dry-run beside it; want --show alone"),
        (("--out", "/dev/null/x", "--seconds", 0.1), "--out: got"),
    ],
)
def test_what_will_not_do_is_refused(options: tuple[object, ...], said: str) -> None:
    ended = calibrate(*options)
    assert ended.code == 2
    assert said in ended.err


def test_a_cache_folder_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVOLVED_CACHE", "/dev/null/cache")
    ended = calibrate("--seconds", 0.1)
    assert ended.code == 1
    assert "/dev/null/cache cannot be written" in ended.err
