"""Regret: the time of the algorithm that the planner chooses, over that of the best of ours.

The law: the best one is found on the odd rounds and both are scored on the even ones, so that no
algorithm is called the best for the rounds in which it had luck.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np

from benchmarks.results import Bar, Measurement
from benchmarks.rounds import interleave
from convolved_engine import machine, planner, registry
from convolved_engine.problem import Problem
from convolved_engine.timing import Trial

from .problems import Effort, drawn

__all__ = ["MEASURE", "measure"]

MEASURE = "regret"

# A way that takes so many times the fastest one's time at first is not run again.
_HOPELESS = 4.0
_DRAWS = 2000


def measure(effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Score the planner's choices, with one thread and with as many as there are."""
    measurements: list[Measurement] = []
    bars: list[Bar] = []
    for threads in sorted({1, machine.current().threads}):
        found = [_one(problem, threads, effort) for problem in drawn(effort.problems)]
        regrets = [ratio for ratio, _ in found]
        case = f"{len(found)} problems, {threads} thread{'s' * (threads > 1)}"
        chosen = ", ".join(f"{name} {count}" for name, count in _counted(n for _, n in found))
        measurements.append(Measurement(MEASURE, case, "planner", "", tuple(regrets), chosen))
        bars += _bars(regrets, case)
    return measurements, bars


def _one(problem: Problem, threads: int, effort: Effort) -> tuple[float, str]:
    """The regret for a problem, and the name of what was chosen."""
    constants = dataclasses.replace(machine.current(), threads=threads)
    chosen = planner.plan(problem, machine=constants).algorithm.name
    trials = {}
    for each in registry.algorithms():
        if each.supports(problem) is None:
            choice = planner.plan(problem, algorithm=each.name, machine=constants)
            trials[each.name] = Trial(problem, each, choice.cost.parameters)
    first = {name: min(trial.seconds(threads) for _ in "12") for name, trial in trials.items()}
    least = min(first.values())
    racing = {
        name: partial(_visit, trial, threads, effort.visit)
        for name, trial in trials.items()
        if name == chosen or first[name] <= _HOPELESS * least
    }
    times = interleave(racing, 2 * effort.rounds)
    odd = {name: statistics.median(values[0::2]) for name, values in times.items()}
    even = {name: statistics.median(values[1::2]) for name, values in times.items()}
    return even[chosen] / even[min(odd, key=odd.__getitem__)], chosen


def _visit(trial: Trial, threads: int, seconds: float) -> float:
    """The least time of a few runs: what disturbs one of them says nothing of the algorithm."""
    times = [trial.seconds(threads)]
    while sum(times) < seconds and len(times) < 20:
        times.append(trial.seconds(threads))
    return min(times)


def _counted(names: Iterable[str]) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return sorted(found.items(), key=lambda item: -item[1])


def _bars(regrets: Sequence[float], case: str) -> list[Bar]:
    values = np.asarray(regrets)
    draws = np.random.default_rng(0).integers(len(values), size=(_DRAWS, len(values)))
    logs = np.log(values[draws])

    def bar(what: str, value: float, drawn_values: np.ndarray, limit: float) -> Bar:
        low, high = np.percentile(drawn_values, [2.5, 97.5])
        return Bar(what, case, value, float(low), float(high), "at most", limit)

    return [
        bar(
            "time of the chosen algorithm / best of ours, geometric mean",
            float(np.exp(np.log(values).mean())),
            np.exp(logs.mean(axis=1)),
            1.05,
        ),
        bar(
            "time of the chosen algorithm / best of ours, 95th percentile",
            float(np.percentile(values, 95)),
            np.exp(np.percentile(logs, 95, axis=1)),
            1.3,
        ),
    ]
