"""Asking a child process for something: a JSON object a line, and one in answer to each.

What it can be asked for are the methods of one object there. Times are taken in the child, around
the calls themselves, so that asking costs nothing that counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .children import Child

__all__ = ["Asked", "Command", "answering", "say_ready", "serve"]

_START_SECONDS = 120.0
_ANSWER_SECONDS = 300.0


class Asked(Child):
    """A child that calls `say_ready` and then answers, as by `serve`."""

    _last = ""

    def greet(self) -> str:
        """Wait until it is ready; return why it takes no part, or nothing."""
        return str(json.loads(self.receive(_START_SECONDS))["absent"])

    def ask(self, do: str, **arguments: Any) -> Any:
        """Tell it what to do; return its answer.

        Raises:
            RuntimeError: with what went wrong there.
        """
        self.tell(do, **arguments)
        return self.answer()

    def tell(self, do: str, **arguments: Any) -> None:
        """Tell it what to do; others may be told before its answer is there."""
        self._last = f"{do} {arguments}"
        self.send(json.dumps({"do": do, "with": arguments}))

    def answer(self) -> Any:
        """Wait for its answer.

        Raises:
            RuntimeError: with what went wrong there.
        """
        told = json.loads(self.receive(_ANSWER_SECONDS))
        if "error" in told:
            raise self.failure(f"could not {self._last}: {told['error']}")
        return told["answer"]


@dataclass
class Command:
    """What a child was told to do, and what it answers.

    Attributes:
        do: the name of a method.
        arguments: of its call.
        answer: what came of it.
    """

    do: str
    arguments: dict[str, Any]
    answer: Any = None


def say_ready(absent: str = "") -> None:
    """Say that commands may come, or why this child takes no part."""
    print(json.dumps({"absent": absent}), flush=True)


def serve(worker: object) -> None:
    """Let an object do what it is told until standard input closes."""
    for line in sys.stdin:
        with answering(line) as command:
            command.answer = getattr(worker, command.do)(**command.arguments)


@contextmanager
def answering(line: str) -> Iterator[Command]:
    """What a line tells to do; at the end its answer, or else the error, is told."""
    read = json.loads(line)
    command = Command(read["do"], read["with"])
    try:
        yield command
        told = {"answer": command.answer}
    except Exception as error:  # noqa: BLE001 - told to whoever asked
        told = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(told), flush=True)
