"""Regret: the time of the algorithm that the planner chooses, over that of the best of ours.

The law: the best one is found on the odd rounds and both are scored on the even ones, so that no
algorithm is called the best for the rounds in which it had luck. Each problem has its time, and
there are as many rounds as fit into it.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np

from benchmarks.results import Bar, Measurement
from benchmarks.rounds import interleave
from convolved_engine import machine, planner, registry
from convolved_engine.problem import Problem
from convolved_engine.registry import Algorithm, Cost
from convolved_engine.timing import Trial

from .problems import Effort, drawn

__all__ = ["MEASURE", "measure"]

MEASURE = "regret"

# A way that is predicted to take so many times the chosen one's time is not run: predictions would
# have to err by that.
_IMPLAUSIBLE = 12.0
# A way that takes so many times the fastest one's time at first is not run again.
_HOPELESS = 2.5
_FEWEST_PAIRS = 2
_DRAWS = 2000


def measure(effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Score the planner's choices, with one thread and with as many as there are."""
    counts = sorted({1, machine.current().threads})
    scores = [_one(problem, counts, effort) for problem in drawn(effort.problems)]
    measurements: list[Measurement] = []
    bars: list[Bar] = []
    for threads in counts:
        found = [each[threads] for each in scores]
        regrets = [ratio for ratio, _ in found]
        case = f"{len(found)} problems, {threads} thread{'s' * (threads > 1)}"
        chosen = ", ".join(f"{name} {count}" for name, count in _counted(n for _, n in found))
        measurements.append(Measurement(MEASURE, case, "planner", "", tuple(regrets), chosen))
        bars += _bars(regrets, case)
    return measurements, bars


def _one(problem: Problem, counts: Sequence[int], effort: Effort) -> dict[int, tuple[float, str]]:
    """By the number of threads: the regret for a problem, and the name of what was chosen."""
    trials: dict[tuple[str, str], Trial] = {}
    found: dict[int, tuple[float, str]] = {}
    for threads in counts:
        ways = _ways(problem, threads)
        chosen = next(iter(ways)).name
        racing = {}
        for each, cost in ways.items():
            key = each.name, str(cost.parameters)
            if key not in trials:
                trials[key] = Trial(problem, each, cost.parameters)
            racing[each.name] = partial(_visit, trials[key], threads, effort.visit)
        first = {name: visit() for name, visit in racing.items()}
        least = min(first.values())
        racing = {
            name: visit
            for name, visit in racing.items()
            if name == chosen or first[name] <= _HOPELESS * least
        }
        odd, even = _race(racing, effort)
        found[threads] = even[chosen] / even[min(odd, key=odd.__getitem__)], chosen
    return found


def _ways(problem: Problem, threads: int) -> dict[Algorithm, Cost]:
    """The plausible algorithms as the planner would run them, the chosen one first."""
    constants = dataclasses.replace(machine.current(), threads=threads)
    best = planner.plan(problem, machine=constants)
    ways = {best.algorithm: best.cost}
    for each in registry.algorithms():
        if each is not best.algorithm and each.supports(problem) is None:
            cost = planner.plan(problem, algorithm=each.name, machine=constants).cost
            if cost.seconds <= _IMPLAUSIBLE * best.cost.seconds:
                ways[each] = cost
    return ways


def _race(
    racing: Mapping[str, Callable[[], float]], effort: Effort
) -> tuple[dict[str, float], dict[str, float]]:
    """The medians of the odd rounds and of the even ones, as many pairs as there is time for."""
    odd: dict[str, list[float]] = {name: [] for name in racing}
    even: dict[str, list[float]] = {name: [] for name in racing}
    end = time.monotonic() + effort.seconds
    for pair in range(effort.pairs):
        if pair >= _FEWEST_PAIRS and time.monotonic() >= end:
            break
        for name, (one, other) in interleave(racing, 2, seed=pair).items():
            odd[name].append(one)
            even[name].append(other)
    return (
        {name: statistics.median(times) for name, times in odd.items()},
        {name: statistics.median(times) for name, times in even.items()},
    )


def _visit(trial: Trial, threads: int, seconds: float) -> float:
    """The least time of the runs: what disturbs one of them says nothing of the algorithm."""
    least = spent = trial.seconds(threads)
    while spent < seconds:
        again = trial.seconds(threads)
        least, spent = min(least, again), spent + again
    return least


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
