"""Computing that takes as long as a test wants it to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import convolved_engine as engine
from tests.server.harness import PATIENCE


class Gate:
    """Holds up every whole-array computation until it is opened, or told to stop."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun = threading.Semaphore(0)
        self.stopped = threading.Semaphore(0)
        self.finished = 0

    def wait_begun(self) -> None:
        assert self.begun.acquire(timeout=PATIENCE)

    def wait_stopped(self) -> None:
        assert self.stopped.acquire(timeout=PATIENCE)


@contextmanager
def held_up() -> Iterator[Gate]:
    """Hold up `engine.apply_arranged`, which still looks whether it is cancelled."""
    gate = Gate()
    real = engine.apply_arranged

    def apply_arranged(*given: Any, cancelled: Callable[[], bool], **more: Any) -> Any:
        gate.begun.release()
        while not gate.open.wait(0.005):
            if cancelled():
                gate.stopped.release()
                raise RuntimeError("nobody waits for this")
        found = real(*given, cancelled=cancelled, **more)
        gate.finished += 1
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "apply_arranged", apply_arranged)
        try:
            yield gate
        finally:
            gate.open.set()
