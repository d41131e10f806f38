"""The code in docs/ runs, in order, as a reader would type it in; what it names exists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted((ROOT / "docs").rglob("*.md"))

# Blocks marked `python no-run`, by document and first line, each with the reason.
NOT_RUN: dict[tuple[str, str], str] = {}


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string, its text, and its line in the document."""

    info: str
    text: str
    line: int


def blocks(markdown: str) -> list[Block]:
    fence = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [
        Block(match[1].strip(), match[2], markdown.count("\n", 0, match.start()) + 2)
        for match in fence.finditer(markdown)
    ]


def run(document: Path) -> None:
    """Run a document's blocks in one namespace; a traceback tells the document's own lines."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(document.read_text(encoding="utf-8")):
        if block.info == "python":
            code = compile("\n" * (block.line - 1) + block.text, str(document), "exec")
            exec(code, namespace)


each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=[d.name for d in DOCUMENTS])


@each_document
def test_the_code_of_a_document_runs(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(document)


@each_document
def test_every_block_says_what_it_is(document: Path) -> None:
    for block in blocks(document.read_text(encoding="utf-8")):
        assert re.fullmatch(r"python( no-run)?|[a-z]+", block.info), f"line {block.line}"


def test_every_block_that_is_not_run_is_listed_with_its_reason() -> None:
    marked = {
        (document.name, block.text.partition("\n")[0])
        for document in DOCUMENTS
        for block in blocks(document.read_text(encoding="utf-8"))
        if block.info == "python no-run"
    }
    assert marked == set(NOT_RUN)


@each_document
def test_every_test_and_file_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for file, test in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text):
        source = (ROOT / file).read_text(encoding="utf-8")
        assert not test or re.search(rf"^(async )?def {test}\(", source, re.MULTILINE), test
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (document.parent / link).exists(), link


@pytest.mark.parametrize(
    ("broken", "error"), [("1 / 0", ZeroDivisionError), ("assert value == 3", AssertionError)]
)
def test_a_block_that_fails_is_told_by_its_line(
    broken: str, error: type[Exception], tmp_path: Path
) -> None:
    document = tmp_path / "broken.md"
    document.write_text(
        f"# Title\n\n```python\nvalue = 2\n```\n\n```python no-run\n1 / 0\n```\n\n"
        f"```text\nno code\n```\n\n```python\nvalue += 0\n{broken}\n```\n"
    )
    with pytest.raises(error) as caught:
        run(document)
    last = caught.traceback[-1]
    assert last.path == document
    assert last.lineno == document.read_text().splitlines().index(broken, 8)
