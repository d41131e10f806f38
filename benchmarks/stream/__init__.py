"""Live streams through long impulse responses: how many of them, how evenly, and how late.

By compute alone beside JUCE's convolution, block by block in one process; and over the wire beside
an echo that computes nothing, both asked by the same clients at the pace of a sound card.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from benchmarks.machine import OtherLoad, describe
from benchmarks.results import Bar, Measurement, Result

from . import computing, delay, schedule, side_by_side, switching
from .cases import FULL, QUICK, Effort
from .peers import absent
from .telling import section

__all__ = ["add_options", "complete", "join", "run", "section"]

_Found = tuple[list[Measurement], list[Bar]]

_MEASURES: dict[str, Callable[[Effort], _Found]] = {
    "computing": computing.measure,
    "schedule": schedule.measure,
    "switching": switching.measure,
    "delay": delay.measure,
    "wire": side_by_side.measure,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this family."""
    parser.add_argument(
        "--measure",
        nargs="+",
        choices=list(_MEASURES),
        default=list(_MEASURES),
        help="measure only these",
    )


def complete(options: argparse.Namespace) -> bool:
    """Whether everything is measured."""
    return set(options.measure) == set(_MEASURES)


def join(results: Sequence[Result]) -> Result:
    """One result from those of several runs that measured a part each, in this order."""
    return replace(
        results[0],
        measurements=tuple(found for result in results for found in result.measurements),
        bars=tuple(bar for result in results for bar in result.bars),
        other_load=max(result.other_load for result in results),
    )


def run(options: argparse.Namespace) -> Result:
    """Measure what is asked for."""
    effort = QUICK if options.quick else FULL
    others = OtherLoad()
    measurements: list[Measurement] = []
    bars: list[Bar] = []
    for name in options.measure:
        begun = time.monotonic()
        found, figures = _MEASURES[name](effort)
        measurements += found
        bars += figures
        seconds = time.monotonic() - begun
        print(f"stream: {name} took {seconds:.0f} s", file=sys.stderr, flush=True)
    return Result(
        family="stream",
        machine=describe(),
        settings=asdict(effort),
        measurements=tuple(measurements),
        bars=tuple(bars),
        absent=absent(),
        other_load=others.read(),
    )
