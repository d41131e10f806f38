"""The engine: arrays in one process, beside PyTorch, SciPy, NumPy and julius."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.machine import OtherLoad, describe
from benchmarks.results import Bar, Measurement, Result

from . import comparing, limits
from .cases import CASES, FAMILIES, QUICK
from .field import Field
from .telling import section
from .verdicts import with_conclusions

__all__ = ["add_options", "complete", "join", "run", "section"]

_LIMITS = "limits"


def _option(family: str) -> str:
    return family.replace(" ", "-").lower()


_NAMES = (*map(_option, FAMILIES), _LIMITS)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this family."""
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[1, 2], metavar="N", help="of each call [1 2]"
    )
    parser.add_argument(
        "--family",
        nargs="+",
        choices=_NAMES,
        default=list(_NAMES),
        metavar="NAME",
        help=f"only these families of cases: {', '.join(_NAMES)}",
    )


def complete(options: argparse.Namespace) -> bool:
    """Whether everything is measured."""
    return set(options.family) == set(_NAMES) and {1, 2} <= set(options.threads)


def run(options: argparse.Namespace) -> Result:
    """Measure what is asked for."""
    others = OtherLoad()
    measurements: list[Measurement] = []
    bars: list[Bar] = []
    left_out: dict[str, dict[str, str]] = {}
    absent: dict[str, str] = {}
    effort = comparing.QUICK if options.quick else comparing.FULL
    cases = [
        case
        for case in (QUICK if options.quick else CASES)
        if _option(case.family) in options.family
    ]
    for threads in options.threads if cases else ():
        begun = time.monotonic()
        with Field(threads) as field:
            absent.update(field.absent)
            for case in cases:
                found, reasons = comparing.compare(field, case, effort)
                measurements += found
                if reasons:
                    left_out[case.name] = _of_peers(reasons)
        spent = time.monotonic() - begun
        print(f"engine: {threads} threads took {spent:.0f} s", file=sys.stderr, flush=True)
    if _LIMITS in options.family:
        found, more = limits.measure(options.quick)
        measurements += found
        bars += more
    result = Result(
        family="engine",
        machine=describe(),
        settings={
            **dataclasses.asdict(effort),
            "threads": options.threads,
            "families": options.family,
            "left_out": left_out,
        },
        measurements=tuple(measurements),
        bars=tuple(bars),
        absent=absent,
        other_load=others.read(),
    )
    return dataclasses.replace(result, bars=with_conclusions(result))


def join(results: Sequence[Result]) -> Result:
    """One result from those of several runs, each of some families or threads."""
    settings: dict[str, Any] = dict(results[-1].settings)
    for name in ("threads", "families"):
        settings[name] = list(
            dict.fromkeys(value for each in results for value in each.settings[name])
        )
    settings["left_out"] = {
        case: told for each in results for case, told in each.settings["left_out"].items()
    }
    whole = dataclasses.replace(
        results[-1],
        settings=settings,
        measurements=tuple(found for each in results for found in each.measurements),
        bars=tuple(dict.fromkeys(bar for each in results for bar in each.bars)),
        absent={who: why for each in results for who, why in each.absent.items()},
        other_load=max(each.other_load for each in results),
    )
    return dataclasses.replace(whole, bars=with_conclusions(whole))


def _of_peers(reasons: dict[str, str]) -> dict[str, str]:
    return {who: why for who, why in reasons.items() if not who.startswith(comparing.OURS)}
