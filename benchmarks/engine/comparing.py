"""Cases side by side: each contender in its fastest manner, in rounds, bounded by time.

The law: whatever takes part has first been found right against the definition in double
precision. Who is far behind is timed a few times instead of in every round, and says so by the
number of its values; the fastest peer and ours meet in every round.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import partial

from benchmarks.results import Measurement
from benchmarks.rounds import interleave

from .cases import Case
from .field import Field, Solver

__all__ = ["FULL", "OURS", "QUICK", "Effort", "compare", "measure_name"]

OURS = "convolved"

# Relative to the greatest output; transforms of 2^20 samples stay an order below.
_GREATEST_ERRORS = {"float32": 3e-5, "float64": 1e-12}


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        visit: seconds for which a contender is called at each of its turns.
        seconds: of all rounds of a case.
        rounds: at least and at most.
        tuning: turns from which a contender's fastest manner is found.
        behind: peers that take so many times as long as the fastest one are not met in rounds.
    """

    visit: float
    seconds: float
    rounds: tuple[int, int]
    tuning: int
    behind: float


FULL = Effort(visit=0.015, seconds=2.0, rounds=(7, 21), tuning=3, behind=2.0)
QUICK = Effort(visit=0.0, seconds=0.0, rounds=(2, 2), tuning=1, behind=2.0)


def measure_name(threads: int) -> str:
    """What the time of cases is called in results."""
    return f"time, {threads} thread" + "s" * (threads > 1)


def compare(field: Field, case: Case, effort: Effort) -> tuple[list[Measurement], dict[str, str]]:
    """Measure one case; also the reasons of those that have no part in it."""
    begun = time.monotonic()
    solvers, reasons = field.prepare(case)
    for solver in solvers:
        if not solver.error < _GREATEST_ERRORS[case.dtype]:
            raise RuntimeError(
                f"{case.name}: {solver.contender}, {solver.manner} is wrong by {solver.error:.1e}"
            )
    tried = _tune(solvers, effort)
    best: dict[str, Solver] = {}
    for solver in sorted(solvers, key=lambda each: min(tried[each])):
        best.setdefault(solver.contender, solver)
    met = _met(best, tried, effort)
    cost = sum(max(effort.visit, 2 * min(tried[solver])) for solver in met)
    least, most = effort.rounds
    rounds = max(least, min(most, int(effort.seconds / cost) if cost else least))
    found = {solver: tuple(values) for solver, values in tried.items()}
    found.update(
        interleave({solver: partial(solver.visit, effort.visit) for solver in met}, rounds)
    )
    spent = time.monotonic() - begun
    print(f"engine: {case.name}: {rounds} rounds, {spent:.1f} s", file=sys.stderr, flush=True)
    measure = measure_name(field.threads)
    measurements = [
        Measurement(measure, case.name, name, "s", found[solver], solver.manner)
        for name, solver in sorted(best.items(), key=lambda item: _place(item[0]))
    ]
    return measurements, reasons


def _tune(solvers: list[Solver], effort: Effort) -> dict[Solver, list[float]]:
    """A few times of each manner; of those that are far behind, their first call alone."""
    fastest = min(solver.first for solver in solvers)
    tried = {solver: [solver.first] for solver in solvers}
    near = [solver for solver in solvers if solver.first <= max(10 * fastest, 1e-3)]
    visits = {solver: partial(solver.visit, effort.visit / 3) for solver in near}
    tried.update(
        {solver: list(values) for solver, values in interleave(visits, effort.tuning).items()}
    )
    return tried


def _met(best: dict[str, Solver], tried: dict[Solver, list[float]], effort: Effort) -> list[Solver]:
    """Ours, the peers near the fastest peer, and what of our algorithms is near ours."""
    times = {name: min(tried[solver]) for name, solver in best.items()}
    ours = [name for name in times if name.startswith(f"{OURS}, ")]
    peers = [name for name in times if name != OURS and name not in ours]
    fastest = min((times[name] for name in peers), default=0.0)
    plain = min((times[name] for name in peers if name != "torch packed"), default=0.0)
    names = [OURS]
    names += [
        name for name in peers if times[name] <= effort.behind * fastest or times[name] <= plain
    ]
    names += [name for name in ours if times[name] <= effort.behind * times[OURS]]
    return [best[name] for name in names]


def _place(name: str) -> tuple[int, str]:
    order = (OURS, "torch", "torch packed", "SciPy", "julius")
    return (order.index(name) if name in order else len(order), name)
