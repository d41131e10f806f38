"""The engine: arrays in one process, beside PyTorch, SciPy, NumPy and julius."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from benchmarks.measured import Found, Measured
from benchmarks.results import Measurement, Result

from . import comparing, limits, telling
from .cases import CASES, FAMILIES, QUICK, Case
from .field import Field
from .verdicts import with_conclusions

__all__ = ["Family"]

_LIMITS = "limits"


def _option(family: str) -> str:
    return family.replace(" ", "-").lower()


class Family(Measured[comparing.Effort]):
    """Of the engine; its parts are families of cases, and the figures that have limits."""

    name = "engine"
    parts: ClassVar[Mapping[str, Any]] = {
        **{_option(family): family for family in FAMILIES},
        _LIMITS: _LIMITS,
    }
    option = "family"
    full, quick = comparing.FULL, comparing.QUICK
    section = staticmethod(telling.section)

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of this family."""
        parser.add_argument(
            "--threads", type=int, nargs="+", default=[1, 2], metavar="N", help="of each call [1 2]"
        )
        super().add_options(parser)

    def complete(self, options: argparse.Namespace) -> bool:
        """Whether everything is measured, on one thread and on two."""
        return super().complete(options) and {1, 2} <= set(options.threads)

    def measure(
        self, options: argparse.Namespace, effort: comparing.Effort
    ) -> Iterator[tuple[str, Found]]:
        """Measure the cases with each number of threads, and then the limits."""
        self.settings.update(threads=options.threads, families=options.parts, left_out={})
        asked = [self.parts[part] for part in options.parts]
        cases = [case for case in (QUICK if options.quick else CASES) if case.family in asked]
        for threads in options.threads if cases else ():
            with Field(threads) as field:
                self.absent.update(field.absent)
                yield f"{threads} threads", (self._compare(field, cases, effort), [])
        if _LIMITS in asked:
            yield _LIMITS, limits.measure(options.quick)

    def _compare(
        self, field: Field, cases: Sequence[Case], effort: comparing.Effort
    ) -> list[Measurement]:
        measurements: list[Measurement] = []
        for case in cases:
            found, reasons = comparing.compare(field, case, effort)
            measurements += found
            peers = {who: why for who, why in reasons.items() if not who.startswith(comparing.OURS)}
            if reasons:
                self.settings["left_out"][case.name] = peers
        return measurements

    def concluded(self, result: Result) -> Result:
        """The result, with who wins and loses, and by how much."""
        return dataclasses.replace(result, bars=with_conclusions(result))

    def joined(self, results: Sequence[Result]) -> Mapping[str, Any]:
        """The settings of runs of some families or threads each."""
        settings = dict(super().joined(results))
        for name in ("threads", "families"):
            settings[name] = list(
                dict.fromkeys(value for each in results for value in each.settings[name])
            )
        settings["left_out"] = {
            case: told for each in results for case, told in each.settings["left_out"].items()
        }
        return settings
