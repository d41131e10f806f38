"""What all families have in common: parts that are measured one after another, or by themselves.

A family says what its parts are, how each is measured and how all of it is told; the options that
choose parts, the result of a run and that of several runs follow from it here.
"""

from __future__ import annotations

import argparse
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from .machine import OtherLoad, describe
from .results import Bar, Measurement, Result

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["Found", "Measured"]

Found = tuple[list[Measurement], list[Bar]]
"""What measuring a part gives."""

E = TypeVar("E", bound="DataclassInstance")


class Measured(ABC, Generic[E]):
    """A family; made anew for each run.

    Attributes:
        name: on the command line, and in the documents.
        parts: what is measured, by its name on the command line.
        option: of the command line, that names parts.
        full: how much is measured.
        quick: how little shows that all of it works.
        settings: of this run, told beside the effort.
        absent: who could not take part in it, and why.
    """

    name: str
    parts: ClassVar[Mapping[str, Any]]
    option = "measure"
    full: E
    quick: E

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.absent: dict[str, str] = {}

    @abstractmethod
    def section(self, result: Result, folder: Path | None) -> str:
        """Tell a result in Markdown, below a heading of the second level.

        Plots are written into `folder`, and referred to by their names; None leaves them out.
        """

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that only this family has."""
        parser.add_argument(
            f"--{self.option}",
            dest="parts",
            nargs="+",
            choices=list(self.parts),
            default=list(self.parts),
            metavar="NAME",
            help=f"only these: {', '.join(self.parts)}",
        )

    def complete(self, options: argparse.Namespace) -> bool:
        """Whether a run with these options measures everything, as the documents tell it."""
        return set(options.parts) == set(self.parts)

    def run(self, options: argparse.Namespace) -> Result:
        """Measure what is asked for."""
        effort = self.quick if options.quick else self.full
        others = OtherLoad()
        measurements: list[Measurement] = []
        bars: list[Bar] = []
        begun = time.monotonic()
        for part, (found, figures) in self.measure(options, effort):
            measurements += found
            bars += figures
            ended = time.monotonic()
            print(f"{self.name}: {part} took {ended - begun:.0f} s", file=sys.stderr, flush=True)
            begun = ended
        result = Result(
            family=self.name,
            machine=describe(),
            settings={**asdict(effort), **self.settings},
            measurements=tuple(measurements),
            bars=tuple(bars),
            absent=self.absent,
            other_load=others.read(),
        )
        return self.concluded(result)

    def measure(self, options: argparse.Namespace, effort: E) -> Iterator[tuple[str, Found]]:
        """Measure one part after the other; yield what each was, and what was found."""
        for part in options.parts:
            yield part, self.parts[part](effort)

    def concluded(self, result: Result) -> Result:
        """The result, with what follows from all of its measurements together."""
        return result

    def join(self, results: Sequence[Result]) -> Result:
        """One result from those of several runs that measured a part each, in this order."""
        whole = replace(
            results[-1],
            settings=self.joined(results),
            measurements=tuple(found for each in results for found in each.measurements),
            bars=tuple(dict.fromkeys(bar for each in results for bar in each.bars)),
            absent={who: why for each in results for who, why in each.absent.items()},
            other_load=max(each.other_load for each in results),
        )
        return self.concluded(whole)

    def joined(self, results: Sequence[Result]) -> Mapping[str, Any]:
        """The settings of several runs together."""
        return results[-1].settings
