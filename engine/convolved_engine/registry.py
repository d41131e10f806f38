"""The register of algorithms, and what an algorithm is.

An algorithm is one module in `convolved_engine.algorithms` that ends with
`register(ItsClass())`. From then on the planner considers it and every test and benchmark covers
it. It answers four questions about a `Problem`:

- `supports(problem)`: None if it can, else the reason in words, which the plan prints;
- `cost(problem, machine)`: predicted seconds, workspace, an error bound, and the parameters that
  it would run with; `costs` gives further ways to run it, where it has any;
- `form(problem, parameters)`: the key of the prepared weight; problems of equal form and equal
  weight share one `Runnable`;
- `prepare(problem, weight, bias, parameters)`: a `Runnable`, which computes.

A `Runnable` is called with x (batch, in_channels, *size) and out (batch, out_channels,
*output_size), both C-contiguous in the problem's dtype; out is overwritten. Batch and size may
differ from those of the problem that it was prepared for; what does not fit is refused. It may be
called by several threads at once. How many threads one call uses never changes a bit of the result.

The law of `cut_invariant` algorithms, on which streams rest: an output's bits depend on nothing
but the weights, the bias and its own receptive field; not on its position, the length of the
signal, or the parameters `threads` and batch. An algorithm that works on a fixed grid states its
`grid` instead: each block of `grid` outputs, counted from output 0, depends on the inputs that
the block reads and on nothing else.

Algorithms never import the planner.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from numpy.typing import NDArray

from convolved_engine.machine import Machine
from convolved_engine.problem import Problem
from convolved_vocabulary.errors import InvalidArgument

__all__ = [
    "Algorithm",
    "Cost",
    "Parameters",
    "Runnable",
    "algorithm",
    "algorithms",
    "choice",
    "register",
]

Parameters = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run is predicted to take.

    Attributes:
        seconds: of one run with a prepared weight.
        workspace_bytes: memory beyond input, output and weight; the prepared weight is in it.
        relative_error: bound on max|error| / (sum|w| * max|x| + |bias|); 0 where exact.
        parameters: what it would run with.
        preparing_seconds: of preparing the weight, where that is not little.
        measured: whether the seconds were measured and not predicted.
        can_measure: whether it takes the parameter `planning`, which lets it measure for itself.
    """

    seconds: float
    workspace_bytes: int
    relative_error: float
    parameters: Parameters = field(default_factory=dict)
    preparing_seconds: float = 0.0
    measured: bool = False
    can_measure: bool = False


class Runnable(ABC):
    """A prepared convolution: weights in the form that the algorithm reads.

    Args:
        problem: what it was prepared for.
        weight: (out_channels, in_channels / groups, *kernel).
        bias: (out_channels,) or None.

    Attributes:
        problem: what it was prepared for.
        nbytes: what it holds in memory.
        grid: outputs along the last axis that are computed as one block, counted from output 0;
            1 where every output stands alone.
    """

    nbytes: int
    grid: int = 1

    def __init__(self, problem: Problem, weight: NDArray[Any], bias: NDArray[Any] | None) -> None:
        # Kernels index memory without asking.
        if weight.shape != problem.weight_shape:
            raise InvalidArgument(
                "weight", f"shape {weight.shape}", f"shape {problem.weight_shape}"
            )
        if bias is not None and bias.shape != (problem.out_channels,):
            raise InvalidArgument("bias", f"shape {bias.shape}", f"shape {weight.shape[:1]}")
        self.problem = problem
        # Of the last input: most are as long as the one before.
        self._last = problem

    def __call__(self, x: NDArray[Any], out: NDArray[Any], threads: int | None = None) -> None:
        """Compute `out` from `x` with at most `threads` threads (None: the setting)."""
        problem = self._last
        if x.shape != problem.input_shape:
            problem = self._last = self.problem.with_input(x.shape)
        _check("x", x, problem.input_shape, problem)
        _check("out", out, problem.output_shape, problem)
        self.compute(problem, x, out, threads)

    @abstractmethod
    def compute(
        self, problem: Problem, x: NDArray[Any], out: NDArray[Any], threads: int | None
    ) -> None:
        """Compute `out`; x, out and problem have been checked to belong together."""


def _check(name: str, array: NDArray[Any], shape: tuple[int, ...], problem: Problem) -> None:
    if array.shape != shape:
        raise InvalidArgument(name, f"shape {array.shape}", f"shape {shape}")
    if array.dtype != problem.dtype:
        raise InvalidArgument(name, f"dtype {array.dtype}", f"dtype {problem.dtype}")
    if not array.flags.c_contiguous:
        raise InvalidArgument(name, "strides", "a C-contiguous array")


class Algorithm(ABC):
    """One way to compute convolutions.

    Attributes:
        name: the word by which users ask for it.
        cut_invariant: whether it keeps the law of the module's docstring.
        has_grid: whether its runnables state a grid instead.
    """

    name: ClassVar[str]
    cut_invariant: ClassVar[bool] = False
    has_grid: ClassVar[bool] = False

    @abstractmethod
    def supports(self, problem: Problem) -> str | None:
        """None if it can compute `problem`, else why not."""

    @abstractmethod
    def cost(self, problem: Problem, machine: Machine) -> Cost:
        """What `problem`, which it supports, would take on `machine`."""

    def costs(self, problem: Problem, machine: Machine) -> Sequence[Cost]:
        """Ways to compute `problem` of which none is better than another in every respect.

        They differ in time, in the time of preparing, and in workspace; the first is that of
        `cost`.
        """
        return (self.cost(problem, machine),)

    @abstractmethod
    def form(self, problem: Problem, parameters: Parameters) -> Hashable:
        """The key of the prepared weight."""

    @abstractmethod
    def prepare(
        self,
        problem: Problem,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        parameters: Parameters,
    ) -> Runnable:
        """Bring `weight` into the form that this algorithm reads."""


_ALGORITHMS: dict[str, Algorithm] = {}


def register(added: Algorithm) -> None:
    """Make an algorithm known to the planner, the tests and the benchmarks."""
    _ALGORITHMS[added.name] = added


def algorithms() -> tuple[Algorithm, ...]:
    """Every registered algorithm, in the order of registration."""
    importlib.import_module("convolved_engine.algorithms")
    return tuple(_ALGORITHMS.values())


def algorithm(name: str) -> Algorithm:
    """The algorithm of that name.

    >>> algorithm("direct").cut_invariant
    True
    """
    known = {each.name: each for each in algorithms()}
    if name not in known:
        raise InvalidArgument("algorithm", repr(name), choice(known))
    return known[name]


def choice(names: Iterable[str]) -> str:
    """What would do in the place of an algorithm that will not.

    >>> choice(["direct", "im2col"])
    "one of 'direct', 'im2col', or 'auto' to choose"
    """
    known = [repr(name) for name in names]
    several = "one of " if len(known) > 1 else ""
    return f"{several}{', '.join(known)}, or 'auto' to choose"
