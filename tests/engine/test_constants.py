"""The constants of the planner: readable, replaceable, one identity for equal ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from convolved_engine import about, caching, constants, machine
from convolved_engine.constants import as_text, file_name, from_text, in_force
from convolved_engine.machine import built_in
from convolved_engine.planner import plan
from convolved_engine.problem import Problem
from convolved_vocabulary.errors import InvalidArgument

PROBLEM = Problem.of((1, 1, 480_000), (1, 1, 90), dtype="float32")
SLOW_DIRECT = dataclasses.replace(built_in(), fma_rate=1e8)


@pytest.fixture(autouse=True)
def asked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CONVOLVED_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVOLVED_CONSTANTS", raising=False)
    in_force.cache_clear()
    machine.current.cache_clear()
    yield
    in_force.cache_clear()
    machine.current.cache_clear()


def test_without_more_they_are_those_of_the_class_of_the_cpu() -> None:
    assert in_force() == constants.Constants(built_in(), "built in")
    assert dataclasses.replace(machine.current(), threads=built_in().threads) == built_in()


def test_a_text_says_what_each_means_and_gives_the_same_ones_again() -> None:
    text = as_text(SLOW_DIRECT, "made by hand")
    assert text.startswith("# made by hand\n")
    assert "# multiply-adds of float32 in one second in the register-blocked kernel." in text
    assert from_text(text) == SLOW_DIRECT


def test_what_calibration_left_is_in_force_for_this_processor() -> None:
    caching.write(file_name(), as_text(SLOW_DIRECT))
    assert (in_force().machine, in_force().origin) == (SLOW_DIRECT, "calibrated")
    assert plan(PROBLEM).chosen.algorithm == "overlap_save"


def test_a_named_file_goes_before_it_and_so_does_what_is_built_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caching.write(file_name(), as_text(SLOW_DIRECT))
    named = tmp_path / "replicas.toml"
    slow_transforms = dataclasses.replace(built_in(), fft_rate=1e8, block_fft_rate=1e8)
    named.write_text(as_text(slow_transforms), encoding="utf-8")
    monkeypatch.setenv("CONVOLVED_CONSTANTS", str(named))
    assert (in_force().origin, in_force().path) == ("as set", named)
    assert plan(PROBLEM).chosen.algorithm == "direct"
    in_force.cache_clear()
    monkeypatch.setenv("CONVOLVED_CONSTANTS", "builtin")
    assert in_force().origin == "built in"


@pytest.mark.parametrize("broken", ["", "format = 9", "no TOML at all", "\0"])
def test_what_was_left_and_cannot_be_read_is_as_good_as_none(broken: str) -> None:
    caching.write(file_name(), broken)
    assert in_force().origin == "built in"


def good(**changed: str) -> str:
    lines = as_text(built_in()).splitlines()
    return "\n".join(
        f"{key} = {changed[key]}" if (key := line.partition(" =")[0]) in changed else line
        for line in lines
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fma_rate = ", "got no TOML"),
        ("format = 2", "got another format"),
        ("format = 1\nfma_rate = 1.0", "fft_rate.* missing or unknown"),
        (as_text(built_in()) + "more = 1.0", "more missing or unknown"),
        (good(fma_rate="-1.0"), r"got fma_rate = -1\.0; want a number above 0"),
        (good(fma_rate="nan"), "got fma_rate = nan"),
        (good(fma_rate='"fast"'), "got fma_rate = 'fast'"),
        (good(vector_bytes="48"), "got vector_bytes = 48; want 16, 32 or 64"),
    ],
)
def test_a_named_file_that_will_not_do_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    named = tmp_path / "constants.toml"
    named.write_text(text, encoding="utf-8")
    monkeypatch.setenv("CONVOLVED_CONSTANTS", str(named))
    with pytest.raises(InvalidArgument, match=f"CONVOLVED_CONSTANTS: .*{said}"):
        in_force()


def test_a_named_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVOLVED_CONSTANTS", "/no/such/file")
    with pytest.raises(InvalidArgument, match="CONVOLVED_CONSTANTS: got /no/such/file"):
        in_force()


def test_the_identity_tells_constants_apart_and_is_told() -> None:
    one, other = constants.Constants(built_in(), "a"), constants.Constants(SLOW_DIRECT, "a")
    assert one.identity != other.identity
    assert one.identity == constants.Constants(built_in(), "b").identity
    assert in_force().identity in str(about.describe()["cpu"])
    assert about.describe()["constants"] == f"{one.identity}, built in"
