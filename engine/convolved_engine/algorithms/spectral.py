"""What algorithms in the frequency domain share: what they serve, how kernels are kept, and errors.

Error bound: a transform of n points errs by about u * log2(n) relative to the root mean square of
its result (N. Higham, Accuracy and Stability of Numerical Algorithms, theorem 24.2). Three
transforms are involved, and rounding errors spread evenly over a block, so that
|error| <= 8 * u * (log2(n) + sqrt(channels)) * sum|w| * max|x| leaves a wide margin; it assumes,
as all such bounds of practical size do, that roundings are not all aligned. It is a bound on the
norm: small outputs beside large ones have no digits of their own.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.machine import Machine
from convolved_engine.problem import Problem
from convolved_engine.registry import Algorithm, Cost, Parameters, Runnable

from .direct import Direct

__all__ = ["Spectral", "directly", "relative_error", "worth_trying"]

# So many are worth timing where times are measured.
_FASTEST = 3


class Spectral(Algorithm):
    """An algorithm whose weights are kept as spectra."""

    def supports(self, problem: Problem) -> str | None:
        """Floating dtypes with a bound on the norm only."""
        if problem.is_integer:
            return "a transform cannot keep integers exact"
        if problem.accuracy == "strict":
            return "a transform bounds no error by its own output's terms, as strict demands"
        return None

    def cost(self, problem: Problem, machine: Machine) -> Cost:
        """The fastest of the `costs`."""
        return self.costs(problem, machine)[0]

    def form(self, problem: Problem, parameters: Parameters) -> Hashable:
        """The parameters and what the weight means; batch and size may differ."""
        return (
            self.name,
            problem.groups,
            problem.stride,
            problem.dilation,
            problem.pads,
            problem.dtype,
            problem.flip,
            tuple(sorted(parameters.items())),
        )

    def prepare(
        self,
        problem: Problem,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        parameters: Parameters,
    ) -> Runnable:
        """The spectra of the kernels."""
        if not np.isfinite(weight).all():
            # A transform would spread it over every output.
            return Direct().prepare(problem, weight, bias, parameters)
        return self.prepare_finite(problem, weight, bias, parameters)

    @abstractmethod
    def prepare_finite(
        self,
        problem: Problem,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        parameters: Parameters,
    ) -> Runnable:
        """`prepare` for a weight that is finite."""


def relative_error(problem: Problem, points: int) -> float:
    """The bound stated above, for transforms of so many points."""
    unit = float(np.finfo(problem.dtype).eps) / 2
    return 8 * unit * (math.log2(points) + math.sqrt(problem.group_inputs))


def worth_trying(costs: Iterable[Cost]) -> tuple[Cost, ...]:
    """The fastest few first; then each that is sooner prepared than those before, or smaller."""
    every = sorted(costs, key=lambda cost: (cost.seconds, cost.preparing_seconds))
    found = every[:_FASTEST]
    for cost in every[_FASTEST:]:
        soonest = min(each.preparing_seconds for each in found)
        smallest = min(each.workspace_bytes for each in found)
        if cost.preparing_seconds < soonest or cost.workspace_bytes < smallest:
            found.append(cost)
    return tuple(found)


def directly(samples: NDArray[Any], weight: NDArray[Any], groups: int) -> NDArray[Any]:
    """The results of blocks (channels, batch, *block) by direct convolution."""
    x = np.ascontiguousarray(samples.swapaxes(0, 1))
    problem = Problem.of(x.shape, weight.shape, dtype=x.dtype, groups=groups)
    results = np.empty(problem.output_shape, x.dtype)
    Direct().prepare(problem, weight, None, {})(x, results, 1)
    return results.swapaxes(0, 1)
