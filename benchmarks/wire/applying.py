"""Whole calls: the time from handing an array over to having its convolution.

The law: every peer takes part in its fastest manner, found anew for each length before the rounds
begin; an output is compared with SciPy's in float64 before its time counts. Rounds go on as long
as the effort allows; how many there were is the number of the values.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from functools import partial

from benchmarks.results import Bar, Measurement
from benchmarks.rounds import interleave, ratio_of_medians

from .cases import SAMPLE_RATE, Effort
from .field import Field, Fields, Runner

__all__ = ["MEASURE", "measure"]

MEASURE = "apply"

# Relative to the output's peak; float32 transforms stay two orders below.
_GREATEST_ERROR = 1e-5
# Manners that take so many times the least time once do not turn out to be the fastest.
_NEAR = 1.5


def measure(fields: Fields, effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Apply the hall to signals of each length, by all contenders."""
    measurements: list[Measurement] = []
    bars: list[Bar] = []
    with fields.of() as field:
        for seconds in effort.seconds:
            found = _one_length(field, effort, seconds)
            measurements += found.values()
            bars += _bars(field, found, seconds)
    return measurements, bars


def _one_length(field: Field, effort: Effort, seconds: float) -> dict[Runner, Measurement]:
    samples = round(seconds * SAMPLE_RATE)
    variants = _fastest(field, samples, effort)
    for runner, variant in variants.items():
        error = runner.ask("check", samples=samples, variant=variant)
        if error is not None and not error < _GREATEST_ERROR:
            raise RuntimeError(f"{runner.name} is wrong by {error:.1e} of the peak")

    visits = {
        runner: partial(_median, runner, samples, variant, effort.visit)
        for runner, variant in variants.items()
    }
    return {
        runner: Measurement(MEASURE, f"{seconds:g} s", runner.name, "s", values, variants[runner])
        for runner, values in interleave(
            visits, effort.rounds, seconds=effort.case_seconds, least=effort.least_rounds
        ).items()
    }


def _fastest(field: Field, samples: int, effort: Effort) -> dict[Runner, str]:
    """The manner with the least time in any round; noise only ever adds to it.

    All are met once, and those that may be a contender's fastest in the rounds that follow.
    """
    visits = {
        (runner, name): partial(_median, runner, samples, name, effort.visit / 5)
        for runner in field.runners
        for name in runner.ask("variants")
    }
    least: dict[tuple[Runner, str], float] = {}
    for rounds in (1, effort.tuning - 1):
        best = _best(least)
        near = {
            (runner, name): visit
            for (runner, name), visit in visits.items()
            if not best or least[runner, name] <= _NEAR * least[runner, best[runner]]
        }
        found = interleave(near, rounds, seconds=effort.tuning_seconds)
        for manner, values in found.items():
            least[manner] = min((*values, least.get(manner, math.inf)))
    return _best(least)


def _best(times: Mapping[tuple[Runner, str], float]) -> dict[Runner, str]:
    # Of each contender the last one stays.
    return dict(sorted(times, key=times.__getitem__, reverse=True))


def _median(runner: Runner, samples: int, variant: str, seconds: float) -> float:
    times: list[float] = runner.ask("apply", samples=samples, variant=variant, seconds=seconds)
    return statistics.median(times)


def _bars(field: Field, found: dict[Runner, Measurement], seconds: float) -> list[Bar]:
    bars = []
    for ours in field.of("convolved"):
        for theirs in field.runners:
            if theirs.transport not in ("", ours.transport) or theirs is ours:
                continue
            bars.append(
                Bar(
                    f"time, {ours.name} / {theirs.entry.title}",
                    f"{seconds:g} s",
                    *ratio_of_medians(found[ours].values, found[theirs].values),
                    "at most",
                    _limit(theirs.entry.key, seconds),
                )
            )
    return bars


def _limit(key: str, seconds: float) -> float | None:
    """Long signals shall cost no more than local SciPy, short ones twice the bare call."""
    if key == "scipy" and seconds >= 10:
        return 1.0
    if key == "echo" and seconds <= 1:
        return 2.0
    return None
