"""The families of benchmarks, by name."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from .measured import Measured

__all__ = ["FAMILIES", "Listed"]


@dataclass(frozen=True)
class Listed:
    """A family, not yet imported: what it needs may be absent where another one is run.

    Attributes:
        name: on the command line, and in the documents.
        summary: one line.
        module: of this package, which holds its `Family`.
    """

    name: str
    summary: str
    module: str

    def load(self) -> Measured[Any]:
        """Import it, for one run."""
        family: Measured[Any] = importlib.import_module(f"{__package__}.{self.module}").Family()
        return family


FAMILIES = {
    listed.name: listed
    for listed in (
        Listed("engine", "arrays in one process beside PyTorch, SciPy, NumPy and julius", "engine"),
        Listed(
            "wire", "calls and streams over gRPC beside an echo, Arrow Flight and SciPy", "wire"
        ),
        Listed("stream", "live streams beside JUCE, and side by side over gRPC", "stream"),
        Listed("planner", "whether the planner chooses well, and what its plans cost", "planner"),
    )
}
