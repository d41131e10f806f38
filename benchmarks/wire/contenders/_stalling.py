"""A reader that stops: streams into which blocks are sent while nobody reads what comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc

__all__ = ["Stalled"]

_STUCK_SECONDS = 1.5


class Stalled:
    """Streams that send and do not read.

    Args:
        method: takes an iterator of messages and returns a call.
        streams: how many.
        messages: makes those of one stream.
    """

    def __init__(
        self,
        method: Callable[[Iterator[Any]], grpc.Call],
        streams: int,
        messages: Callable[[], Iterable[Any]],
    ) -> None:
        self._closing = threading.Event()
        self._taken = 0
        self._lock = threading.Lock()
        self._calls = [method(self._counted(messages())) for _ in range(streams)]

    def wait_until_stuck(self) -> int:
        """Wait until no stream takes more; return how many messages were taken by all."""
        last, since = -1, time.monotonic()
        while time.monotonic() - since < _STUCK_SECONDS:
            if self._taken != last:
                last, since = self._taken, time.monotonic()
            time.sleep(0.05)
        ended = [call for call in self._calls if not call.is_active()]
        if ended:
            raise RuntimeError(f"a stream ended instead: {ended[0]}")
        return self._taken

    def close(self) -> None:
        """Cancel the streams."""
        self._closing.set()
        for call in self._calls:
            call.cancel()

    def _counted(self, messages: Iterable[Any]) -> Iterator[Any]:
        for message in messages:
            yield message
            with self._lock:
                self._taken += 1
        self._closing.wait()
