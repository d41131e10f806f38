"""What direct convolution and matrix products share: weights as real rows, and their error bound.

A complex convolution is a real one of twice the channels, whose rows are (re, -im) and (im, re).

Error bound: n multiply-adds round at most n times after the first product, in any order, fused or
not, hence |error| <= gamma(n) * sum|w||x| with gamma(n) = n * u / (1 - n * u) (N. Higham, Accuracy
and Stability of Numerical Algorithms, section 3.1), n counting the bias too. A complex sum is two
real ones of twice the terms; together they add a factor of sqrt(2).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.problem import Problem

__all__ = ["error_bound", "kernel_for_correlation", "real_dtype", "real_rows"]

_REVERSED = (slice(None, None, -1),) * 3


def real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the parts of a complex dtype; any other as it is."""
    if dtype.kind != "c":
        return dtype
    return np.dtype(np.float32 if dtype.itemsize == 8 else np.float64)


def kernel_for_correlation(problem: Problem, weight: NDArray[Any]) -> NDArray[Any]:
    """The weight in the problem's dtype, reversed if the problem flips it."""
    weight = np.asarray(weight, problem.dtype)
    return (
        weight[(slice(None), slice(None), *_REVERSED[: problem.rank])] if problem.flip else weight
    )


def real_rows(problem: Problem, weight: NDArray[Any]) -> NDArray[Any]:
    """Real rows (groups, rows of a group, terms): a complex row becomes two of twice the terms."""
    groups, outputs, inputs = problem.groups, problem.group_outputs, problem.group_inputs
    if not problem.is_complex:
        return weight.reshape(groups, outputs, -1)
    grouped = weight.reshape(groups, outputs, inputs, -1)
    split = np.empty((groups, outputs, 2, inputs, 2, grouped.shape[-1]), real_dtype(problem.dtype))
    split[:, :, 0, :, 0] = split[:, :, 1, :, 1] = grouped.real
    split[:, :, 0, :, 1] = -grouped.imag
    split[:, :, 1, :, 0] = grouped.imag
    return split.reshape(groups, outputs * 2, -1)


def error_bound(problem: Problem) -> float:
    """The bound stated above; 0 for integers."""
    if problem.is_integer:
        return 0.0
    unit = float(np.finfo(problem.dtype).eps) / 2
    terms = problem.terms * (2 if problem.is_complex else 1) + problem.has_bias
    bound = terms * unit / (1 - min(0.5, terms * unit))
    return bound * (math.sqrt(2) if problem.is_complex else 1)
