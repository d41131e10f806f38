"""Ctrl-C and SIGTERM: both end the program by an exception, so that files half written go."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from convolved.cli.exits import ExitCode

__all__ = ["end_by_exception", "undisturbed"]


def end_by_exception() -> None:
    """Let SIGTERM end the program as an exception does, from now on."""
    signal.signal(signal.SIGTERM, _terminated)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put both off to the end of the block, for steps between which nobody would tidy up."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals never disturb another thread
        return
    caught: list[int] = []

    def catch(number: int, _: object) -> None:
        caught.append(number)

    before = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if caught:
            signal.raise_signal(caught[0])


def _terminated(*_: object) -> NoReturn:
    sys.exit(ExitCode.TERMINATED)
