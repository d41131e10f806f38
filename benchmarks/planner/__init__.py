"""The planner: whether it chooses well, how long it takes, and what a first call costs."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

from benchmarks.machine import OtherLoad, describe
from benchmarks.results import Bar, Measurement, Result
from convolved_engine import constants

from . import planning, regret, warm
from .problems import FULL, QUICK, SEED, Effort
from .telling import section

__all__ = ["add_options", "complete", "run", "section"]

_MEASURES: dict[str, Callable[[Effort], tuple[list[Measurement], list[Bar]]]] = {
    "regret": regret.measure,
    "planning": planning.measure,
    "warm": warm.measure,
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
        print(f"planner: {name} took {seconds:.0f} s", file=sys.stderr, flush=True)
    return Result(
        family="planner",
        machine=describe(),
        settings={**asdict(effort), "seed": SEED, "constants": constants.in_force().identity},
        measurements=tuple(measurements),
        bars=tuple(bars),
        other_load=others.read(),
    )
