"""The wire: what it costs to convolve elsewhere.

Our service with its default client, beside a bare grpc.aio echo that carries as many bytes, servers
with SciPy behind grpc.aio and behind Arrow Flight, and SciPy in the caller's own process. Every
server and every client is a process of its own, over a Unix socket and over TCP on the loopback.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

from benchmarks.machine import OtherLoad, describe
from benchmarks.results import Bar, Measurement, Result

from . import applying, blocks, large, stalled
from .cases import BLOCK, FIR_TAPS, FULL, HALL_TAPS, QUICK, Effort
from .field import Fields, absent
from .telling import section

__all__ = ["add_options", "complete", "run", "section"]

_Found = tuple[list[Measurement], list[Bar]]

_MEASURES: dict[str, Callable[[Fields, Effort], _Found]] = {
    "apply": applying.measure,
    "blocks": blocks.measure,
    "large": large.measure,
    "stalled": stalled.measure,
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
    with Fields(effort.transports, shared=options.quick) as fields:
        for name in options.measure:
            begun = time.monotonic()
            found, figures = _MEASURES[name](fields, effort)
            measurements += found
            bars += figures
            seconds = time.monotonic() - begun
            print(f"wire: {name} took {seconds:.0f} s", file=sys.stderr, flush=True)
    return Result(
        family="wire",
        machine=describe(),
        settings={
            **asdict(effort),
            "hall_taps": HALL_TAPS,
            "fir_taps": FIR_TAPS,
            "block": BLOCK,
        },
        measurements=tuple(measurements),
        bars=tuple(bars),
        absent=absent(),
        other_load=others.read(),
    )
