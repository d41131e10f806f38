"""The constants of this machine, measured: what `convolved calibrate` does.

Problems that each lean on other constants are computed by every algorithm on one thread, as the
planner would let them. Then the logarithms of the constants are moved, by the method of Gauss and
Newton, until predictions come as near to the measured times as they can. What the measuring says
little about stays where it is built in: each constant is tied to that value as if one observation
of it had been made (a ridge; A. Hoerl, R. Kennard, Ridge regression, Technometrics 12, 1970).
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import registry
from .machine import Machine
from .problem import Problem
from .timing import Trial

__all__ = ["Timing", "calibrated", "deviation", "measure", "problems"]

# A prediction may be wrong by this factor, as the model is simple; a constant by that one.
_MODEL_FACTOR, _CONSTANT_FACTOR = 1.25, 2.0
_SWEEPS = 4
_STEP = 0.02
# A way that is predicted to take so many times the best one's time says nothing worth its time.
_PLAUSIBLE = 30.0
_ROUNDS = 5
_SHORTEST_SECONDS = 3e-4


@dataclass(frozen=True)
class Timing:
    """What one algorithm took for one problem on one thread."""

    algorithm: str
    problem: Problem
    seconds: float


def problems() -> tuple[Problem, ...]:
    """What is computed; each is there for the constants that it leans on."""

    def one(
        shape: tuple[int, ...], weight: tuple[int, ...], dtype: str = "float32", **more: Any
    ) -> Problem:
        return Problem.of(shape, weight, dtype=dtype, **more)

    return (
        one((1, 1, 1000), (1, 1, 15)),
        one((1, 1, 20_000), (1, 1, 7)),
        one((1, 1, 480_000), (1, 1, 63)),
        one((1, 1, 480_000), (1, 1, 255)),
        one((1, 1, 480_000), (1, 1, 1023)),
        one((1, 1, 480_000), (1, 1, 8191)),
        one((1, 1, 960_000), (1, 1, 48_000)),
        one((1, 1, 4_000_000), (1, 1, 3)),
        one((1, 2, 240_000), (2, 1, 12_000), groups=2),
        one((1, 1, 100_000), (32, 1, 512)),
        one((1, 16, 50_000), (16, 16, 511)),
        one((1, 3, 60_000), (2, 3, 400)),
        one((8, 64, 2000), (64, 64, 3), pads=((1, 1),)),
        one((1, 128, 4000), (128, 128, 1)),
        one((4, 64, 4000), (64, 1, 31), groups=64, pads=((15, 15),)),
        one((1, 1, 160_000), (128, 1, 10), stride=(5,)),
        one((1, 32, 64, 100), (64, 32, 3, 3), pads=((1, 1), (1, 1))),
        one((1, 1, 256, 500), (16, 1, 3, 3), pads=((1, 1), (1, 1))),
        one((1, 1, 513, 1000), (1, 1, 7, 7), pads=((3, 3), (3, 3))),
        one((1, 1, 513, 1000), (1, 1, 31, 31), pads=((15, 15), (15, 15))),
        one((64, 4, 16, 16), (8, 4, 3, 3)),
        one((1, 4, 100, 200), (4, 4, 15, 15), dilation=(2, 2)),
        one((1, 8, 16, 32, 32), (8, 8, 3, 3, 3)),
        one((1, 1, 48, 64, 64), (1, 1, 9, 9, 9)),
        one((1, 1, 200_000), (1, 1, 400), dtype="float64"),
        one((1, 1, 200_000), (1, 1, 200), dtype="complex64"),
    )


def measure(
    machine: Machine,
    seconds: float,
    advance: Callable[[int, int], None] | None = None,
) -> Iterator[Timing]:
    """Time what is plausible of every problem, until all is done or `seconds` are over.

    Args:
        machine: by whose constants the parameters are chosen.
        seconds: for all of it; the last problem begun is finished.
        advance: told how many problems are done, of how many.
    """
    end = time.monotonic() + seconds
    alone = dataclasses.replace(machine, threads=1)
    given = problems()
    for number, problem in enumerate(given):
        if time.monotonic() >= end:
            return
        costs = {
            each: each.cost(problem, alone)
            for each in registry.algorithms()
            if each.supports(problem) is None
        }
        least = min(cost.seconds for cost in costs.values())
        for each, cost in costs.items():
            if cost.seconds <= _PLAUSIBLE * max(least, _SHORTEST_SECONDS):
                trial = Trial(problem, each, cost.parameters)
                times = [trial.seconds(threads=1) for _ in range(_ROUNDS)]
                yield Timing(each.name, problem, sorted(times)[_ROUNDS // 2])
        if advance is not None:
            advance(number + 1, len(given))


def calibrated(machine: Machine, timings: Sequence[Timing]) -> Machine:
    """The constants that predict `timings` best, without straying from `machine` for nothing."""
    fields = dataclasses.asdict(machine)
    names = [name for name, value in fields.items() if isinstance(value, float)]
    start = np.log([getattr(machine, name) for name in names])
    moved = np.zeros(len(names))
    tie = (math.log(_MODEL_FACTOR) / math.log(_CONSTANT_FACTOR)) ** 2

    def at(logs: NDArray[np.float64]) -> Machine:
        values = zip(names, np.exp(start + logs).tolist(), strict=True)
        return _with(machine, threads=1, **dict(values))

    for _ in range(_SWEEPS):
        errors = _errors(at(moved), timings)
        slopes = np.empty((len(timings), len(names)))
        for index in range(len(names)):
            nudged = moved.copy()
            nudged[index] += _STEP
            slopes[:, index] = (_errors(at(nudged), timings) - errors) / _STEP
        # A timing that a disturbance spoiled must not pull more than the others together.
        weights = 1 / np.maximum(1.0, abs(errors) / (2 * math.log(_MODEL_FACTOR)))
        normal = slopes.T @ (weights[:, None] * slopes) + tie * np.eye(len(names))
        step = np.linalg.solve(normal, -(slopes.T @ (weights * errors) + tie * moved))
        moved += np.clip(step, -1.0, 1.0)
    found = at(moved)
    return _with(machine, **{name: float(f"{getattr(found, name):.3g}") for name in names})


def deviation(machine: Machine, timings: Sequence[Timing]) -> float:
    """The factor by which predictions are typically wrong: 1 is never."""
    alone = dataclasses.replace(machine, threads=1)
    return float(np.exp(np.median(abs(_errors(alone, timings)))))


def _errors(machine: Machine, timings: Sequence[Timing]) -> NDArray[np.float64]:
    """Logarithms of predicted by measured time."""
    return np.array(
        [
            math.log(registry.algorithm(t.algorithm).cost(t.problem, machine).seconds / t.seconds)
            for t in timings
        ]
    )


def _with(machine: Machine, **values: Any) -> Machine:
    return dataclasses.replace(machine, **values)
