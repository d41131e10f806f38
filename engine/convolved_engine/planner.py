"""Choose the algorithm for a problem by predicted time, and say why each other one lost.

Equal problems and equal machine constants give equal choices, in every process. Nothing is
measured and nothing is computed here.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from convolved_vocabulary.errors import InvalidArgument, ResourceExhausted
from convolved_vocabulary.plan import Candidate

from . import machine as machines
from . import registry
from .machine import Machine
from .problem import Problem
from .registry import Algorithm, Cost

__all__ = ["Choice", "plan"]


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
    cut_invariant: bool = False,
    machine: Machine | None = None,
) -> Choice:
    """Choose how to compute `problem`.

    Args:
        problem: what is to be computed.
        algorithm: the name of the one to use; None takes the fastest.
        memory_limit: the most bytes beyond input, output and weight; None is no limit.
        cut_invariant: admit only algorithms whose bits do not depend on how a signal is cut.
        machine: constants of the cost models; None takes this machine's.

    Raises:
        InvalidArgument: the algorithm asked for is unknown or cannot do it.
        ResourceExhausted: nothing that can do it stays below the memory limit.

    >>> problem = Problem.of((1, 1, 480000), (1, 1, 63), dtype="float32")
    >>> plan(problem).chosen.algorithm
    'direct'
    """
    if algorithm is not None:
        registry.algorithm(algorithm)
    return _plan(problem, algorithm, memory_limit, cut_invariant, machine or machines.current())


@functools.lru_cache(maxsize=4096)
def _plan(
    problem: Problem,
    wanted: str | None,
    memory_limit: int | None,
    cut_invariant: bool,
    machine: Machine,
) -> Choice:
    able: list[tuple[Algorithm, Cost]] = []
    unable: list[Candidate] = []
    for each in registry.algorithms():
        reason = each.supports(problem)
        if reason is None and cut_invariant and not each.cut_invariant:
            reason = "its last bits depend on where the signal is cut"
        if reason is None:
            able.append((each, each.cost(problem, machine)))
        elif each.name == wanted:
            raise InvalidArgument(
                "algorithm",
                repr(wanted),
                f"another for this problem: {reason}; or 'auto' to choose",
            )
        else:
            unable.append(Candidate(each.name, reason=reason))
    able.sort(key=lambda pair: pair[1].seconds)
    fitting = [
        pair
        for pair in able
        if wanted in (None, pair[0].name)
        and (memory_limit is None or pair[1].workspace_bytes <= memory_limit)
    ]
    if not fitting:
        least = min(c.workspace_bytes for a, c in able if wanted in (None, a.name))
        raise ResourceExhausted(
            f"memory_limit: got {memory_limit} bytes for {problem}; want at least {least}"
        )
    best, best_cost = fitting[0]
    rejected = []
    for each, cost in able:
        if each is best:
            continue
        if memory_limit is not None and cost.workspace_bytes > memory_limit:
            reason = f"its workspace exceeds the limit of {memory_limit} bytes"
        elif wanted is not None:
            reason = f"{wanted} was asked for"
        else:
            ratio = cost.seconds / best_cost.seconds
            reason = f"{ratio:.3g} times the time of {best.name}"
        rejected.append(_candidate(each, cost, reason))
    reason = "fastest" if wanted is None else "asked for"
    return Choice(
        problem=problem,
        algorithm=best,
        cost=best_cost,
        chosen=_candidate(best, best_cost, reason),
        rejected=(*rejected, *unable),
    )


def _candidate(each: Algorithm, cost: Cost, reason: str) -> Candidate:
    return Candidate(
        algorithm=each.name,
        parameters=tuple((key, str(value)) for key, value in cost.parameters.items()),
        predicted_seconds=cost.seconds,
        workspace_bytes=cost.workspace_bytes,
        relative_error=cost.relative_error,
        reason=reason,
    )
