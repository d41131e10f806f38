"""The help is worth reading: at 80 columns, with examples, units, defaults and exit codes."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest

from convolved.cli.exits import MEANINGS
from tests.client.cli.run import convolved, program

COMMANDS = [
    (),
    ("serve",),
    ("apply",),
    ("stream",),
    ("plan",),
    ("filters",),
    ("filters", "add"),
    ("filters", "list"),
    ("filters", "show"),
    ("filters", "rm"),
    ("calibrate",),
    ("info",),
    ("health",),
]


def help_of(*command: str) -> str:
    ended = convolved(*command, "--help")
    assert (ended.code, ended.err) == (0, "")
    return ended.out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_help_fits_80_columns_shows_examples_and_keeps_markup_to_itself(
    command: tuple[str, ...],
) -> None:
    text = help_of(*command)
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"Examples?\s*\n", text)
    assert re.search(r"^   (convolved|export) ", text, re.MULTILINE)
    assert "[bold]" not in text
    assert "<bool>" not in text
    assert "…" not in text


# A folder of commands does nothing by itself, and the standard output of a stream is its samples.
SILENT = [(), ("filters",), ("stream",)]


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in SILENT], ids=" ".join)
def test_every_command_speaks_to_machines(command: tuple[str, ...]) -> None:
    assert "--json" in help_of(*command)


def test_the_examples_name_options_that_there_are() -> None:
    for command in COMMANDS:
        for line in re.findall(r"^   convolved ([^\n]*)", help_of(*command), re.MULTILINE):
            words = line.split()
            group = tuple(words[:2]) if words[0] == "filters" else tuple(words[:1])
            if words[0].isupper():
                continue
            text = help_of(*group)
            for option in re.findall(r"--[a-z-]+", line):
                assert option in text, line


def test_the_first_help_lists_the_commands_and_the_exit_codes() -> None:
    text = help_of()
    for name in ("serve", "apply", "stream", "plan", "filters", "info", "health"):
        assert re.search(rf"│ {name} ", text)
    for code, meaning in MEANINGS.items():
        assert re.search(rf"^ +{code.value}  {re.escape(meaning)} *$", text, re.MULTILINE)


def test_apply_tells_units_defaults_and_what_channels_mean() -> None:
    text = convolved("apply", "--help", env={"COLUMNS": "200"}).out
    for words in ("DECIBELS", "HERTZ", "0..1", "[default: 1.0]", "-1 dBFS", "L to L, L to R"):
        assert words in text


def test_without_a_command_the_help_comes_and_the_code_is_that_of_wrong_usage() -> None:
    ended = convolved()
    assert ended.code == 2
    assert "Usage: convolved" in ended.out


def test_the_version_is_that_of_the_distribution() -> None:
    assert convolved("--version").out == f"convolved {version('convolved')}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell: str) -> None:
    # Else the shell is found out by looking at who runs the program.
    asked = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    assert "_CONVOLVED_COMPLETE" in program("--show-completion", shell, env=asked).out


def test_completion_knows_commands_and_options() -> None:
    def completed(typed: str, word: int) -> list[str]:
        asked = {"COMP_WORDS": typed, "COMP_CWORD": str(word)}
        return program(env={"_CONVOLVED_COMPLETE": "complete_bash", **asked}).out.split()

    assert completed("convolved ap", 1) == ["apply"]
    assert completed("convolved serve --grace", 2) == ["--grace-seconds"]
