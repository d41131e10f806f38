"""The README's commands and code do what the README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def runnable() -> list[Any]:
    return [
        pytest.param(block, id=f"line {block.line}")
        for block in blocks(README)
        if block.language in {"sh", "python"} and block.text.strip() not in HELD_ELSEWHERE
    ]


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


def run(block: Block, folder: Path) -> None:
    """Run `block` in `folder` as a reader would who has the environment's programs at hand."""
    programs = Path(sys.executable).parent
    command = {"sh": ["sh", "-euc"], "python": [sys.executable, "-W", "error", "-c"]}
    done = subprocess.run(
        [*command[block.language], block.text],
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"README line {block.line}:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("block", runnable())
def test_commands_and_code_run_in_an_empty_folder(block: Block, tmp_path: Path) -> None:
    run(block, tmp_path)


@pytest.mark.parametrize("block", ["```sh\nfalse\ntrue\n```", "```python\n1 / 0\n```"])
def test_a_block_that_fails_is_told_by_its_line(block: str, tmp_path: Path) -> None:
    (found,) = blocks(f"# Title\n\n{block}\n")
    with pytest.raises(AssertionError, match="README line 3"):
        run(found, tmp_path)
