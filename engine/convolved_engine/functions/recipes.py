"""What small calls of a plain function mean, remembered by their geometry.

To tell a call in the vocabulary takes longer than to convolve short arrays. For real floating
arrays, what the telling finds follows from shapes, dtype and arguments alone: a filter of one
layer, the shapes to bring the arrays to, and the planner's choice. So it is found once, from
arrays whose entries are numbered, in which can be seen where each entry goes. The weights are
prepared anew in each call.

The law: with a recipe and without, a call gives the same bits, and the same errors: whatever is
not wholly plain has no recipe and is told anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.operations.convolution import Convolution
from convolved_engine.pipeline import Pipeline
from convolved_engine.planner import Choice
from convolved_vocabulary import ConvolvedError, Options
from convolved_vocabulary.translate import Call

__all__ = ["Recipe", "Telling", "recipe_for"]

Telling = Callable[..., Call]
"""A function of `convolved_vocabulary.translate`."""

_MOST_SAMPLES = 1 << 15
_MOST_WEIGHTS = 1 << 12
# Arrays are numbered below 2^24, up to which float32 holds whole numbers.
_BEGINS = (0, 1 << 20, 1 << 21)
_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))

Shapes = tuple[tuple[int, ...] | None, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to compute calls of one geometry.

    Attributes:
        choice: of the planner.
        order: which entry of the kernel each entry of the weight is; None where they agree.
        result_shape: of what the caller gets.
    """

    choice: Choice
    order: NDArray[np.intp] | None
    result_shape: tuple[int, ...]

    def run(
        self, x: NDArray[Any], kernel: NDArray[Any], bias: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Compute a call of this geometry."""
        choice = self.choice
        problem = choice.problem
        weight = kernel if self.order is None else kernel.reshape(-1)[self.order]
        runnable = choice.algorithm.prepare(
            problem, weight.reshape(problem.weight_shape), bias, choice.cost.parameters
        )
        out = np.empty(problem.output_shape, problem.dtype)
        runnable(x.reshape(problem.input_shape), out)
        return out.reshape(self.result_shape)


def recipe_for(
    telling: Telling, arrays: Sequence[object], arguments: Sequence[object]
) -> Recipe | None:
    """The recipe of a call, if it has one.

    Args:
        telling: tells the call.
        arrays: its signal, its kernel, and its bias or None, as they came.
        arguments: the others, as they came.
    """
    x, kernel = arrays[0], arrays[1]
    if not (type(x) is type(kernel) is np.ndarray):
        return None
    if x.size > _MOST_SAMPLES or kernel.size > _MOST_WEIGHTS:
        return None
    shapes: list[tuple[int, ...] | None] = []
    for array in arrays:
        if array is None:
            shapes.append(None)
            continue
        if not (type(array) is np.ndarray and array.dtype == x.dtype and array.flags.c_contiguous):
            return None
        shapes.append(array.shape)
    for argument in arguments:
        # A cache takes True for 1 and 1.0 for 1; lists it does not take.
        if type(argument) not in (int, str):
            return None
    return _recipe(telling, x.dtype, tuple(shapes), tuple(arguments))


@lru_cache(maxsize=1024)
def _recipe(
    telling: Telling, dtype: np.dtype[Any], shapes: Shapes, arguments: tuple[object, ...]
) -> Recipe | None:
    if dtype not in _DTYPES:
        return None
    numbered = [
        None if shape is None else _numbered(shape, dtype, begin)
        for shape, begin in zip(shapes, _BEGINS, strict=False)
    ]
    try:
        call = telling(*numbered, *arguments)
        found = _seen(call, numbered, dtype)
    except ConvolvedError:
        # It is said again of the arrays themselves.
        return None
    return found


def _seen(
    call: Call, numbered: Sequence[NDArray[Any] | None], dtype: np.dtype[Any]
) -> Recipe | None:
    """The recipe of a call of numbered arrays, where one can be seen."""
    options = Options(algorithm=call.algorithm)
    operations = Pipeline(call.filter, call.signal.dtype, options).operations
    if len(operations) != 1 or not isinstance(operations[0], Convolution):
        return None
    layer, choice = operations[0].layer, operations[0].plain_choice(call.signal)
    if choice is None or call.filter.per_channel or choice.problem.dtype != dtype:
        return None
    x, kernel, bias = (*numbered, None)[:3]
    assert x is not None
    assert kernel is not None
    if not _same(call.signal, x) or (bias is not None and not _same(layer.bias, bias)):
        return None
    order = layer.weight.reshape(-1).astype(np.intp) - _BEGINS[1]
    if order.size != kernel.size or order.min() < 0 or order.max() >= kernel.size:
        return None
    output = _numbered(choice.problem.output_shape, np.dtype(np.float64), 0)
    result = call.result(output)
    if not isinstance(result, np.ndarray) or not _same(result, output):
        return None
    same = bool((order == np.arange(order.size)).all())
    return Recipe(choice, None if same else order, result.shape)


def _numbered(shape: tuple[int, ...], dtype: np.dtype[Any], begin: int) -> NDArray[Any]:
    return np.arange(begin, begin + math.prod(shape), dtype=dtype).reshape(shape)


def _same(found: NDArray[Any] | None, numbered: NDArray[Any]) -> bool:
    """Whether all entries lie in the same order."""
    return found is not None and np.array_equal(found.reshape(-1), numbered.reshape(-1))
