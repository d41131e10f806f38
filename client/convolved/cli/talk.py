"""What is said beside the data, on standard error: lines, and how far the work is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Talk"]

WIDTH = 8
# A line now and then is enough where nobody watches a bar.
SECONDS_BETWEEN_LINES = 10.0


class Talk:
    """Lines with a label each, or none at all.

    Args:
        quiet: say nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet

    def say(self, label: str, text: str) -> None:
        """Say one thing."""
        if not self._quiet:
            print(f"{label:<{WIDTH}}  {text}", file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """Give a function that is called with how much is done, of how much."""
        if self._quiet:
            yield lambda _done, _total: None
        elif sys.stderr.isatty():
            with _bar(what) as advance:
                yield advance
        else:
            yield _Lines(what)


class _Lines:
    """Progress in plain lines: none for what is quick."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + SECONDS_BETWEEN_LINES

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS_BETWEEN_LINES
            print(f"{'':<{WIDTH}}  {self._what}: {done / total:.0%}", file=sys.stderr, flush=True)


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(f"{'':<{WIDTH}}  {{task.description}}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
