"""The README's commands and code do what the README says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# Commands that cannot run inside a test, each with the reason and what holds it instead.
HELD_ELSEWHERE = {
    "make demo": "runs for minutes from nothing; the whole path is tested in tests/system",
    "make test": "would run this test again; the continuous integration calls it",
    "pip install convolved": "needs a release; test_packaging installs the wheel it would bring",
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and its line in the README."""

    language: str
    text: str
    line: int


def blocks(markdown: str) -> list[Block]:
    fence = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [
        Block(match[1], match[2], markdown.count("\n", 0, match.start()) + 1)
        for match in fence.finditer(markdown)
    ]


def runnable(language: str) -> list[object]:
    chosen = [
        block
        for block in blocks(README)
        if block.language == language and block.text.strip() not in HELD_ELSEWHERE
    ]
    return [pytest.param(block, id=f"line {block.line}") for block in chosen]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_block_has_a_language_that_is_run_or_shown() -> None:
    assert {block.language for block in blocks(README)} <= {"sh", "python", "text"}


def test_every_command_held_elsewhere_is_still_in_the_readme() -> None:
    assert set(HELD_ELSEWHERE) <= {block.text.strip() for block in blocks(README)}


def test_every_verb_that_a_document_names_is_in_the_makefile() -> None:
    for document in sorted(ROOT.glob("*.md")):
        text = document.read_text(encoding="utf-8")
        verbs = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", text, re.MULTILINE))
        assert verbs <= targets(), document.name


def test_every_file_that_a_document_links_to_exists() -> None:
    for document in sorted(ROOT.glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_every_folder_of_the_house_is_in_the_readme_and_the_other_way_round() -> None:
    told = {name.partition("/")[0] for name in re.findall(r"^\| `([\w/.]+/)", README, re.MULTILINE)}
    made = set(re.findall(r"^([\w-]+)/$", (ROOT / ".gitignore").read_text(), re.MULTILINE))
    there = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."}
    assert told == there - made


@pytest.mark.parametrize("block", runnable("sh"))
def test_shell_commands_run_in_an_empty_folder(block: Block, tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-euc", block.text],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{shlex.quote(block.text)}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("block", runnable("python"))
def test_python_code_runs_in_an_empty_folder(block: Block, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
