"""What a family of benchmarks found, as values that can be written to JSON and read again."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = ["Bar", "Measurement", "Result", "load", "save"]


@dataclass(frozen=True)
class Measurement:
    """One quantity of one contender in one case.

    Attributes:
        measure: what was measured, as the family calls it.
        case: the problem.
        contender: who solved it.
        unit: of the values, such as "s" or "MiB/s".
        values: one for each round.
        note: how it was done, where that is not said by the names.

    >>> Measurement("apply", "1 s", "scipy", "s", (0.3, 0.1, 0.2)).median
    0.2
    """

    measure: str
    case: str
    contender: str
    unit: str
    values: tuple[float, ...]
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def minimum(self) -> float:
        return min(self.values)

    @property
    def maximum(self) -> float:
        return max(self.values)


@dataclass(frozen=True)
class Bar:
    """A figure that has to reach a limit.

    Attributes:
        what: what is compared with what.
        case: the problem.
        value: the figure: often a ratio of medians.
        low, high: its 95 % interval; equal to the value where it is measured once.
        sense: on which side of the limit the value has to be.
        limit: the limit; None where a figure is only told.
        unit: of value and limit; empty for a ratio.

    >>> Bar("a / b", "1 s", 0.9, 0.8, 1.1, "at most", 1.0).met
    True
    """

    what: str
    case: str
    value: float
    low: float
    high: float
    sense: Literal["at most", "at least"]
    limit: float | None = None
    unit: str = ""

    @property
    def met(self) -> bool | None:
        if self.limit is None:
            return None
        return self.value <= self.limit if self.sense == "at most" else self.value >= self.limit


@dataclass(frozen=True)
class Result:
    """Everything that one run of a family found.

    Attributes:
        family: its name.
        machine: see `machine.describe`.
        settings: with which the run was made.
        measurements: all of them, those that lose included.
        bars: the figures that have limits, or are told beside them.
        absent: contenders that could not take part, and why.
        other_load: cores that other work of the machine used meanwhile, on average.
    """

    family: str
    machine: Mapping[str, Any]
    settings: Mapping[str, Any]
    measurements: tuple[Measurement, ...]
    bars: tuple[Bar, ...]
    absent: Mapping[str, str] = field(default_factory=dict)
    other_load: float = 0.0

    def of(self, measure: str) -> tuple[Measurement, ...]:
        """The measurements of one measure, in the order in which they were made."""
        return tuple(found for found in self.measurements if found.measure == measure)


def save(result: Result, path: Path) -> None:
    """Write a result, with medians and verdicts spelled out for other programs."""
    document = asdict(result)
    for entry, found in zip(document["measurements"], result.measurements, strict=True):
        entry.update(median=found.median, minimum=found.minimum)
    for entry, bar in zip(document["bars"], result.bars, strict=True):
        entry.update(met=bar.met)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Result:
    """Read what `save` wrote."""
    document = json.loads(path.read_text(encoding="utf-8"))
    measurements = tuple(
        Measurement(**{**_fields(entry, "median", "minimum"), "values": tuple(entry["values"])})
        for entry in document.pop("measurements")
    )
    bars = tuple(Bar(**_fields(entry, "met")) for entry in document.pop("bars"))
    return Result(measurements=measurements, bars=bars, **document)


def _fields(entry: Mapping[str, Any], *derived: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in derived}
