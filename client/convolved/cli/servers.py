"""Where a command's server is: the one that was named, or one of its own.

An embedded server starts while the command still reads its files, and is waited for only when it
is needed.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Self

from convolved.cli.words import in_seconds
from convolved.client import Client
from convolved.embedded import EmbeddedServer
from convolved_vocabulary.errors import InvalidArgument

__all__ = ["ServerAt", "connected", "required"]


class ServerAt:
    """A server for the `with` block.

    Args:
        address: of a running server; None to embed one.
    """

    def __init__(self, address: str | None) -> None:
        self._given = address
        self._starting: Future[EmbeddedServer] | None = None
        self._seconds = 0.0

    @property
    def name(self) -> str:
        """The address as it was given, or "embedded"."""
        return self._given or "embedded"

    @property
    def about(self) -> str:
        """What there is to say of it."""
        if self._given is not None:
            return self._given
        return f"an embedded one, ready after {in_seconds(self._seconds)}"

    @property
    def address(self) -> str:
        """The address, as soon as the server serves.

        Raises:
            MissingExtra, Unavailable: it does not come to serve.
        """
        if self._given is not None:
            return self._given
        assert self._starting is not None, "only within the with block"
        return self._starting.result().address

    def connect(self, token: str | None) -> Client:
        """Return a client of it; a server of one's own that is lost does not come back."""
        return Client(self.address, token=token, resume=self._given is not None)

    def __enter__(self) -> Self:
        if self._given is None:
            self._threads = ThreadPoolExecutor(1, "convolved-embed")
            self._starting = self._threads.submit(self._start)
        return self

    def __exit__(self, *_: object) -> None:
        if self._starting is None:
            return
        self._threads.shutdown()
        if self._starting.exception() is not None:
            return
        server = self._starting.result()
        # Its one client has left and it holds nothing, so that nobody need wait for it to drain.
        with suppress(ProcessLookupError):
            os.kill(server.process_id, signal.SIGKILL)
        server.close()

    def _start(self) -> EmbeddedServer:
        begun = time.perf_counter()
        server = EmbeddedServer()
        self._seconds = time.perf_counter() - begun
        return server


@contextmanager
def connected(address: str | None, token: str | None) -> Iterator[Client]:
    """Give a connection to the server at an address, or to one of its own."""
    with ServerAt(address) as at, at.connect(token) as client:
        yield client


def required(address: str | None) -> str:
    """Return the address, for commands to which a server of their own would be no use.

    Raises:
        InvalidArgument: none was given.
    """
    if address is None:
        raise InvalidArgument(
            "--server",
            "nothing",
            "the address of a running server: what an embedded one holds would end with it",
        )
    return address
