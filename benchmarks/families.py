"""The families of benchmarks, by name."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .results import Result

__all__ = ["FAMILIES", "Family", "Listed"]


class Family(Protocol):
    """What the package of a family holds."""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that only this family has."""

    def run(self, options: argparse.Namespace) -> Result:
        """Measure; `options.quick` asks for a tiny run that only shows that everything works."""

    def complete(self, options: argparse.Namespace) -> bool:
        """Whether a run with these options measures everything, as the documents tell it."""

    def join(self, results: Sequence[Result]) -> Result:
        """One result from those of several runs; asked for only where `run` can measure a part."""

    def section(self, result: Result, folder: Path | None) -> str:
        """Tell a result in Markdown, below a heading of the second level.

        Plots are written into `folder`, and referred to by their names; None leaves them out.
        """


@dataclass(frozen=True)
class Listed:
    """A family, not yet imported: what it needs may be absent where another one is run.

    Attributes:
        name: on the command line, and in the documents.
        summary: one line.
        module: of this package.
    """

    name: str
    summary: str
    module: str

    def load(self) -> Family:
        """Import it."""
        family: Family = importlib.import_module(f"{__package__}.{self.module}")
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
