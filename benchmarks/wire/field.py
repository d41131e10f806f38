"""The field: every contender's server and client, started, known to be right, and stopped again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.asking import Asked
from benchmarks.children import Children, ServerChild, settle

from .contenders import CONTENDERS, Entry

__all__ = ["Field", "Fields", "Runner", "absent"]

_START_SECONDS = 120.0
_SETTLE_SECONDS = 30.0


@dataclass(frozen=True)
class Runner:
    """A contender that runs.

    Attributes:
        entry: which.
        transport: "unix", "tcp", or empty where there is no server.
        client: the process of its client.
        server: the process of its server, if it has one.
    """

    entry: Entry
    transport: str
    client: Asked
    server: ServerChild | None

    @property
    def name(self) -> str:
        """As reports call it."""
        return f"{self.entry.title}, {self.transport}" if self.transport else self.entry.title

    def ask(self, do: str, **arguments: Any) -> Any:
        """Let the client do something; see `worker.Worker`.

        Raises:
            RuntimeError: if it failed.
        """
        return self.client.ask(do, **arguments)


@dataclass(frozen=True)
class Field:
    """The contenders of a run: those that can take part."""

    runners: tuple[Runner, ...]

    def find(self, key: str, transport: str) -> Runner:
        """The contender of a key, over a transport."""
        return next(
            runner
            for runner in self.runners
            if runner.entry.key == key and runner.transport == transport
        )

    def of(self, *keys: str) -> tuple[Runner, ...]:
        """The contenders of some keys, over all their transports."""
        return tuple(runner for runner in self.runners if runner.entry.key in keys)


def absent() -> dict[str, str]:
    """The contenders that cannot take part, and why."""
    return {
        entry.title: f"{entry.missing} is not installed"
        for entry in CONTENDERS.values()
        if entry.missing
    }


class Fields:
    """Where measures get their fields from.

    Args:
        transports: of "unix" and "tcp".
        shared: one field serves all; else each measure has servers of its own, because what a
            server keeps of earlier work hides the growth of its memory.
    """

    def __init__(self, transports: Sequence[str], *, shared: bool) -> None:
        self._transports = transports
        self._shared = shared
        self._stack = ExitStack()
        self._all: Field | None = None

    @contextmanager
    def of(self, *keys: str) -> Iterator[Field]:
        """A field of the contenders of some keys; without, of all that do not stand aside."""
        keys = keys or tuple(key for key, entry in CONTENDERS.items() if not entry.aside)
        if not self._shared:
            with field(self._transports, keys) as found:
                yield found
            return
        if self._all is None:
            self._all = self._stack.enter_context(field(self._transports, tuple(CONTENDERS)))
        yield Field(self._all.of(*keys))

    def __enter__(self) -> Fields:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@contextmanager
def field(transports: Sequence[str], keys: Sequence[str]) -> Iterator[Field]:
    """Start servers and clients of the contenders, and stop them at the end.

    Args:
        transports: of "unix" and "tcp"; each contender with a server takes part over all.
        keys: of the contenders.
    """
    entries = [CONTENDERS[key] for key in keys]
    with tempfile.TemporaryDirectory() as name, Children() as children:
        folder = Path(name)
        started = [
            (entry, transport, _server(children, entry, transport, folder))
            for entry in entries
            if not entry.missing
            for transport in (transports if entry.remote else ("",))
        ]
        for _, _, server in started:
            if server:
                server.await_ready(_START_SECONDS)
        runners = tuple(
            Runner(entry, transport, _client(children, entry, server), server)
            for entry, transport, server in started
        )
        for runner in runners:
            runner.client.greet()
        settle([runner.server for runner in runners if runner.server], _SETTLE_SECONDS)
        yield Field(runners)


def _server(children: Children, entry: Entry, transport: str, folder: Path) -> ServerChild | None:
    if not entry.remote:
        return None
    address = f"unix:{folder / entry.key}" if transport == "unix" else "127.0.0.1:0"
    module, *arguments = entry.own_server or ("benchmarks.wire.serve", entry.key)
    more = ["--until-stdin-closes"] if entry.own_server else []
    return children.add(ServerChild(module, [*arguments, address, *more]))


def _client(children: Children, entry: Entry, server: ServerChild | None) -> Asked:
    address = server.address if server else ""
    return children.add(Asked("benchmarks.wire.worker", [entry.key, address]))
