"""The contenders of the wire, by key: how each is called, started and talked to."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

from benchmarks.wire.contender import Contender

__all__ = ["CONTENDERS", "Entry"]


@dataclass(frozen=True)
class Entry:
    """A contender that can take part.

    Attributes:
        key: names it in commands.
        title: names it in reports.
        module: of this package, with `client(address)` and, if it has a server, `serve(address)`.
        remote: whether it has a server.
        own_server: the module to run as a server instead, and the arguments before its address.
        needs: packages without which it is absent.
        aside: it takes part only where it is named.
    """

    key: str
    title: str
    module: str
    remote: bool = True
    own_server: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    aside: bool = False

    @property
    def missing(self) -> str:
        """The first package that it needs and that is not installed, or nothing."""
        return next((name for name in self.needs if importlib.util.find_spec(name) is None), "")

    def client(self, address: str) -> Contender:
        """Connect to its server."""
        found: Contender = self._load().client(address)
        return found

    def serve(self, address: str) -> None:
        """Serve until standard input closes."""
        self._load().serve(address)

    def _load(self) -> Any:
        return importlib.import_module(f"{__name__}.{self.module}")


CONTENDERS = {
    entry.key: entry
    for entry in (
        Entry("convolved", "convolved", "ours", own_server=("convolved_server", "--listen")),
        Entry("echo", "bare grpc.aio echo", "echo"),
        Entry(
            "echo-uvloop",
            "bare grpc.aio echo on uvloop",
            "echo_uvloop",
            needs=("uvloop",),
            aside=True,
        ),
        Entry("grpc-scipy", "grpc.aio + SciPy", "grpc_scipy"),
        Entry("flight-scipy", "Arrow Flight + SciPy", "flight_scipy", needs=("pyarrow",)),
        Entry("scipy", "SciPy in process", "scipy_here", remote=False),
        Entry("scipy-cores", "SciPy in process, all cores", "scipy_here_cores", remote=False),
    )
}
