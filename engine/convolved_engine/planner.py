"""Choose the algorithm for a problem by its time, and say why each other one lost.

The time is predicted: equal problems and equal machine constants give equal choices, in every
process. Where rigor is "measure" the plausible ones are timed instead, once for each problem in a
process (`convolved_engine.measuring`); where that may not be now, the prediction has to do until
then. What is chosen is kept, and may be asked for by any number of threads at once.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from convolved_vocabulary.errors import InvalidArgument, ResourceExhausted
from convolved_vocabulary.plan import Candidate

from . import machine as machines
from . import measuring, registry
from .machine import Machine
from .problem import Problem
from .registry import Algorithm, Cost

__all__ = ["RIGORS", "Choice", "Cuts", "default_rigor", "plan"]

Cuts = Literal["none", "grid", "any"]

RIGORS = ("estimate", "measure")
SETTING = "CONVOLVED_RIGOR"


@dataclass(frozen=True, slots=True)
class Choice:
    """How a problem is to be computed.

    Attributes:
        problem: what is computed.
        algorithm: what computes it.
        cost: the algorithm's prediction, with the parameters to run it with.
        chosen: the same for a Plan.
        rejected: the other candidates, best first, each with the reason why it lost.
    """

    problem: Problem
    algorithm: Algorithm
    cost: Cost
    chosen: Candidate
    rejected: tuple[Candidate, ...]


def plan(
    problem: Problem,
    *,
    algorithm: str | None = None,
    memory_limit: int | None = None,
    cuts: Cuts = "none",
    once: bool = False,
    rigor: str | None = None,
    machine: Machine | None = None,
) -> Choice:
    """Choose how to compute `problem`.

    Args:
        problem: what is to be computed.
        algorithm: the name of the one to use; None takes the fastest.
        memory_limit: the most bytes beyond input, output and weight; None is no limit.
        cuts: where the signal may be cut with no change of a bit: nowhere, on a grid that the
            algorithm states, or anywhere; other algorithms are not admitted.
        once: the weight is prepared for this run alone, so that the time for it counts.
        rigor: "estimate" or "measure"; None takes the setting.
        machine: constants of the cost models; None takes this machine's.

    Raises:
        InvalidArgument: the algorithm asked for is unknown or cannot do it.
        ResourceExhausted: nothing that can do it stays below the memory limit.

    >>> problem = Problem.of((1, 1, 480000), (1, 1, 5), dtype="float32")
    >>> plan(problem).chosen.algorithm
    'direct'
    """
    if algorithm is not None:
        registry.algorithm(algorithm)
    measure = (rigor or default_rigor()) == "measure"
    found = machine or machines.current()
    if measure:
        with contextlib.suppress(measuring.NotNow):
            return _plan(problem, algorithm, memory_limit, cuts, once, True, found)
    return _plan(problem, algorithm, memory_limit, cuts, once, False, found)


@functools.cache
def default_rigor() -> str:
    """`CONVOLVED_RIGOR`, else "estimate".

    Raises:
        InvalidArgument: the setting is neither of the two.
    """
    setting = os.environ.get(SETTING) or RIGORS[0]
    if setting not in RIGORS:
        raise InvalidArgument(SETTING, repr(setting), "'estimate' or 'measure'")
    return setting


@dataclass(frozen=True, slots=True)
class _Way:
    """An algorithm in its best manner, and the time that counts."""

    algorithm: Algorithm
    cost: Cost
    seconds: float


@functools.lru_cache(maxsize=4096)
def _plan(
    problem: Problem,
    wanted: str | None,
    memory_limit: int | None,
    cuts: Cuts,
    once: bool,
    measure: bool,
    machine: Machine,
) -> Choice:
    able: dict[Algorithm, Sequence[Cost]] = {}
    unable: dict[str, Candidate] = {}
    for each in registry.algorithms():
        reason = each.supports(problem)
        if reason is None and not _withstands(each, cuts):
            reason = "its last bits depend on where the signal is cut into blocks"
        if reason is None:
            able[each] = each.costs(problem, machine)
        else:
            unable[each.name] = Candidate(each.name, reason=reason)
    if wanted in unable:
        raise InvalidArgument(
            "algorithm",
            f"{wanted!r}, which will not do here: {unable[wanted].reason}",
            registry.choice(each.name for each in able),
        )
    fitting = {
        each: [
            cost for cost in costs if memory_limit is None or cost.workspace_bytes <= memory_limit
        ]
        for each, costs in able.items()
    }
    ways = _best(((each, cost) for each, costs in fitting.items() for cost in costs), once=once)
    eligible = [way for way in ways if wanted in (None, way.algorithm.name)]
    if not eligible:
        least = min(
            cost.workspace_bytes
            for each, costs in able.items()
            if wanted in (None, each.name)
            for cost in costs
        )
        raise ResourceExhausted(
            f"memory_limit: got {memory_limit} bytes for {problem}; want at least {least}"
        )
    if measure:
        given = [(way.algorithm, cost) for way in eligible for cost in fitting[way.algorithm]]
        timed = measuring.timed(problem, given, machine)
        eligible = _best(timed, once=once) or eligible
    best = eligible[0]
    rejected = [
        _candidate(way, _why_lost(way, best, wanted))
        for way in _ordered(eligible, ways)
        if way.algorithm is not best.algorithm
    ]
    too_large = [
        _Way(each, min(costs, key=lambda cost: cost.workspace_bytes), 0.0)
        for each, costs in able.items()
        if not fitting[each]
    ]
    reason = f"its workspace exceeds the limit of {memory_limit} bytes"
    return Choice(
        problem=problem,
        algorithm=best.algorithm,
        cost=best.cost,
        chosen=_candidate(best, _why_won(best, wanted)),
        rejected=(*rejected, *(_candidate(way, reason) for way in too_large), *unable.values()),
    )


def _withstands(algorithm: Algorithm, cuts: Cuts) -> bool:
    return cuts == "none" or algorithm.cut_invariant or (cuts == "grid" and algorithm.has_grid)


def _best(given: Iterable[tuple[Algorithm, Cost]], *, once: bool) -> list[_Way]:
    """The best manner of each algorithm, the fastest algorithm first."""
    best: dict[Algorithm, _Way] = {}
    for each, cost in given:
        way = _Way(each, cost, cost.seconds + (cost.preparing_seconds if once else 0.0))
        if each not in best or way.seconds < best[each].seconds:
            best[each] = way
    return sorted(best.values(), key=lambda way: way.seconds)


def _ordered(eligible: list[_Way], ways: list[_Way]) -> list[_Way]:
    """All ways, those that were eligible (and perhaps timed) first."""
    named = {way.algorithm for way in eligible}
    return [*eligible, *(way for way in ways if way.algorithm not in named)]


def _why_won(best: _Way, wanted: str | None) -> str:
    if wanted is not None:
        return "asked for"
    return "fastest as measured" if best.cost.measured else "fastest"


def _why_lost(way: _Way, best: _Way, wanted: str | None) -> str:
    if wanted is not None:
        return f"{wanted} was asked for"
    ratio = way.seconds / best.seconds
    if best.cost.measured and not way.cost.measured:
        return "not measured, as its prediction is far behind"
    measured = "measured " if best.cost.measured else ""
    return f"{ratio:.3g} times the {measured}time of {best.algorithm.name}"


def _candidate(way: _Way, reason: str) -> Candidate:
    cost = way.cost
    return Candidate(
        algorithm=way.algorithm.name,
        parameters=tuple((key, str(value)) for key, value in cost.parameters.items()),
        predicted_seconds=way.seconds or cost.seconds,
        workspace_bytes=cost.workspace_bytes,
        relative_error=cost.relative_error,
        reason=reason,
    )
