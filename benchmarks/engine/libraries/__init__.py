"""The libraries that solve cases, each imported in the process that measures it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from benchmarks.engine.cases import Case

__all__ = ["LIBRARIES", "Library", "Solution", "Unable", "load"]

Solution = Callable[[], Any]
"""Solves a case; what it returns becomes an array by `Library.array`."""

LIBRARIES = ("convolved_here", "torch_here", "scipy_here")
"""Modules of this package; the first is ours."""


class Unable(Exception):
    """A contender cannot do a case, and why."""


class Library(Protocol):
    """What a module of this package holds."""

    def contenders(self, threads: int) -> Mapping[str, Callable[[Case], Mapping[str, Solution]]]:
        """Contenders by name; each makes, for a case, its solutions by their manner.

        What is made once for all calls, such as packed weights, is made there. Raises `Unable`
        with the reason for what it cannot do.
        """

    def array(self, found: Any) -> Any:
        """What a solution returned, as a NumPy array."""


def load(name: str) -> Library:
    """Import a library."""
    library: Library = importlib.import_module(f"{__name__}.{name}")
    return library
