"""The code in docs/ runs, in order, as a reader would type it in; what it names exists.

Python runs in one namespace for each document, commands in one folder. A block that starts a server
is a terminal of its own: the server runs to the end of the document. A `text` block below another
is what that prints: word for word below Python, `...` standing for anything; below a command, whose
numbers differ from run to run, the same first words of the lines.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted((ROOT / "docs").rglob("*.md"))

# Blocks marked `no-run`, by document and first line, each with the reason.
INSTALLED = "needs a release; test_packaging installs the wheel that it would bring"
NOT_RUN = {
    ("quickstart-audio.md", "python3 -m venv conv"): INSTALLED,
    ("quickstart-backend.md", "python3 -m venv conv"): INSTALLED,
    ("quickstart-backend.md", "pip install convolved"): INSTALLED,
    ("quickstart-data.md", "python3 -m venv conv"): INSTALLED,
    ("quickstart-operator.md", "python3 -m venv conv"): INSTALLED,
    ("quickstart-operator.md", "docker build --file docker/Dockerfile --tag convolved:0.1.0 ."): (
        "needs a container engine; `make image-test` builds and runs the image"
    ),
    ("quickstart-realtime.md", "python3 -m venv conv"): INSTALLED,
    (
        "quickstart-realtime.md",
        (
            "sox in.wav -t f32 - | convolved stream hall.wav --rate 48000 --channels 2 | "
            "sox -t f32 -r 48000 -c 2 - out.wav"
        ),
    ): "needs sox; tests/client/cli/test_stream.py runs it where sox is",
}

# What a document may call its blocks. `sh fails` is a command that shall end with an error.
INFO = re.compile(r"python( no-run)?|sh( no-run| fails)?|[a-z]+")

# The port of the documents may be taken on this machine, so another one stands in its place.
PORT = "50051"
TOLERANT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string, its text, and its line in the document."""

    info: str
    text: str
    line: int

    @property
    def serves(self) -> bool:
        return self.info == "sh" and re.match(r"convolved serve\b.*\n\Z", self.text) is not None


def blocks(markdown: str) -> list[Block]:
    fence = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [
        Block(match[1].strip(), match[2], markdown.count("\n", 0, match.start()) + 2)
        for match in fence.finditer(markdown)
    ]


class Reader:
    """Somebody who does what a document says, from its top to its end.

    Args:
        document: where it is.
        folder: where its files go.
    """

    def __init__(self, document: Path, folder: Path) -> None:
        self.document, self.folder = document, folder
        self.namespace: dict[str, object] = {"__name__": "__main__"}
        self.terminals = contextlib.ExitStack()
        self.port = free_port()

    def read(self) -> None:
        markdown = self.document.read_text(encoding="utf-8").replace(PORT, self.port)
        found = blocks(markdown)
        with self.terminals:
            for block, following in pairwise([*found, None]):
                assert block is not None
                shown = following.text if following and following.info == "text" else None
                # Text further down is not what the block prints.
                if following and shown is not None and not adjacent(markdown, block, following):
                    shown = None
                self.do(block, shown)

    def do(self, block: Block, shown: str | None) -> None:
        if block.info == "python":
            self.same(block, self.python(block), shown)
        elif block.serves:
            self.terminals.enter_context(self.serving(block))
        elif block.info in ("sh", "sh fails"):
            told = self.command(block)
            if block.info == "sh fails":
                assert shown is not None, f"line {block.line}: which error is not shown"
                self.same(block, told, shown)
            elif shown is not None:
                assert labels(shown) == labels(told), f"line {block.line}:\n{told}"

    def python(self, block: Block) -> str:
        """Run a block; a traceback tells the document's own lines."""
        code = compile("\n" * (block.line - 1) + block.text, str(self.document), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as told:
            exec(code, self.namespace)
        return told.getvalue()

    def command(self, block: Block) -> str:
        done = subprocess.run(
            ["sh", "-euc", block.text],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == (block.info == "sh fails"), (
            f"{self.document.name}, line {block.line}: ended with {done.returncode}\n{done.stdout}"
        )
        return done.stdout

    @contextlib.contextmanager
    def serving(self, block: Block) -> Iterator[None]:
        with subprocess.Popen(
            ["sh", "-euc", f"exec {block.text}"],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            assert server.stdout is not None
            try:
                assert server.stdout.readline().startswith("serving on "), f"line {block.line}"
                yield
            finally:
                server.send_signal(signal.SIGTERM)
                ended = server.wait(30)
        assert ended == 0

    def environment(self) -> dict[str, str]:
        """That of a reader who has the programs at hand, and another default for the port."""
        kept = {name: value for name, value in os.environ.items() if name[:10] != "CONVOLVED_"}
        programs = Path(sys.executable).parent
        return {
            **kept,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "CONVOLVED_LISTEN": f"127.0.0.1:{self.port}",
            "CONVOLVED_WARM_UP_SECONDS": "0",
        }

    def same(self, block: Block, told: str, shown: str | None) -> None:
        if shown is not None and not doctest.OutputChecker().check_output(shown, told, TOLERANT):
            pytest.fail(f"{self.document.name}, line {block.line} prints:\n{told}")


def adjacent(markdown: str, block: Block, following: Block) -> bool:
    lines = markdown.splitlines()
    end = block.line + block.text.count("\n")
    return not any(line.strip() for line in lines[end : following.line - 2])


def labels(told: str) -> list[str]:
    """The first words of the lines that are not the continuation of another."""
    return [line.split()[0] for line in told.splitlines() if line.strip() and line[0] != " "]


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=[d.name for d in DOCUMENTS])


@each_document
def test_a_reader_can_do_what_a_document_says(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Reader(document, tmp_path).read()


@each_document
def test_every_block_says_what_it_is(document: Path) -> None:
    for block in blocks(document.read_text(encoding="utf-8")):
        assert INFO.fullmatch(block.info), f"line {block.line}"


def test_every_block_that_is_not_run_is_listed_with_its_reason() -> None:
    marked = {
        (document.name, block.text.partition("\n")[0])
        for document in DOCUMENTS
        for block in blocks(document.read_text(encoding="utf-8"))
        if block.info.endswith(" no-run")
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
        Reader(document, tmp_path).read()
    last = caught.traceback[-1]
    assert last.path == document
    assert last.lineno == document.read_text().splitlines().index(broken, 8)


@pytest.mark.parametrize(
    "wrong",
    [
        "```sh\nfalse\n```",
        "```sh fails\ntrue\n```\n\n```text\n```",
        "```sh fails\necho no; exit 1\n```\n\n```text\nanother\n```",
        "```sh\necho one 1\n```\n\n```text\ntwo 2\n```",
        "```python\nprint(1)\n```\n\n```text\n2\n```",
    ],
)
def test_a_block_that_does_something_else_is_found(wrong: str, tmp_path: Path) -> None:
    document = tmp_path / "wrong.md"
    document.write_text(f"# Title\n\n{wrong}\n")
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        Reader(document, tmp_path).read()
