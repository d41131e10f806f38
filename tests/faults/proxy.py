"""A wire that can be cut: forwards TCP both ways and breaks off where it is told to."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

__all__ = ["Proxy"]

_CHUNK = 1 << 16
# Closing with this sends a reset, and what was not yet sent is lost.
_AT_ONCE = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards connections to one server.

    Args:
        upstream: HOST:PORT of the server; it may change, for later connections.
        passed: called with the direction ("up" or "down") and the number of bytes that are about
            to be forwarded; what it returns says how many really are, fewer meaning that the
            connection is cut after them.
    """

    def __init__(self, upstream: str, passed: Callable[[str, int], int] | None = None) -> None:
        self.upstream = upstream
        self._passed = passed or (lambda _, count: count)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def connections(self) -> int:
        """How many are open."""
        with self._lock:
            return len(self._open) // 2

    def cut(self, *, at_once: bool = True) -> None:
        """Cut every connection: by a reset, or as if the server had closed it."""
        with self._lock:
            found = list(self._open)
            self._open.clear()
        for end in found:
            _end(end, at_once=at_once)

    def close(self) -> None:
        """Cut everything and take no more."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            host, _, port = self.upstream.rpartition(":")
            try:
                far = socket.create_connection((host, int(port)), timeout=5)
            except OSError:
                _end(near, at_once=True)
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            for source, target, direction in ((near, far, "up"), (far, near, "down")):
                threading.Thread(
                    target=self._pump, args=(source, target, direction), daemon=True
                ).start()

    def _pump(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        at_once = False
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                kept = self._passed(direction, len(data))
                target.sendall(data[:kept])
                if kept < len(data):
                    at_once = bool(kept % 2)
                    break
        with self._lock:
            self._open -= {source, target}
        for end in (source, target):
            _end(end, at_once=at_once)


def _end(end: socket.socket, *, at_once: bool) -> None:
    with suppress(OSError):
        if at_once:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        # Whoever waits for what comes is woken; the reset is sent when the last of them lets go.
        end.shutdown(socket.SHUT_RD if at_once else socket.SHUT_RDWR)
    end.close()
