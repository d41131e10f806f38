"""Trials: one way to compute a problem, run with made-up data to see how long it takes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .problem import Problem
from .registry import Algorithm, Parameters

__all__ = ["Trial"]


class Trial:
    """A prepared algorithm with data of the right shapes.

    Args:
        problem: what is computed.
        algorithm: what computes it.
        parameters: with which it runs.
        beside: another trial of the same problem, to take the data from.
    """

    def __init__(
        self,
        problem: Problem,
        algorithm: Algorithm,
        parameters: Parameters,
        beside: Trial | None = None,
    ) -> None:
        if beside is None:
            random = np.random.default_rng(0)
            self._weight = _noise(random, problem.weight_shape, problem.dtype)
            self._x = _noise(random, problem.input_shape, problem.dtype)
            self._out = np.empty(problem.output_shape, problem.dtype)
        else:
            self._weight, self._x, self._out = beside._weight, beside._x, beside._out
        self._runnable = algorithm.prepare(problem, self._weight, None, parameters)
        # Compiles what must be, plans transforms, and touches the memory.
        self.seconds()

    def seconds(self, threads: int | None = None) -> float:
        """The time of one run with at most `threads` threads; None takes the setting."""
        begun = time.perf_counter()
        self._runnable(self._x, self._out, threads)
        return time.perf_counter() - begun


def _noise(
    random: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    if dtype.kind == "i":
        return random.integers(-9, 10, shape).astype(dtype)
    found = random.standard_normal(shape, np.float32).astype(dtype)
    if dtype.kind == "c":
        found += 1j * random.standard_normal(shape, np.float32).astype(dtype)
    return found
