"""How a plain function is computed: its weights are not kept.

Small calls by the recipe of their geometry, all others by a pipeline of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from numpy.typing import NDArray

from convolved_engine.functions.recipes import Telling, recipe_for
from convolved_engine.pipeline import pipeline_for
from convolved_vocabulary import Options, translate

__all__ = ["call", "compute"]


def call(telling: Telling, arrays: Sequence[object], *arguments: object) -> NDArray[Any]:
    """The result of a call of a plain function.

    Args:
        telling: tells it in the vocabulary.
        arrays: the signal, the kernel, and a bias or None where there may be one.
        arguments: the others.
    """
    recipe = recipe_for(telling, arrays, arguments)
    if recipe is None:
        return compute(telling(*arrays, *arguments))
    return recipe.run(*cast("tuple[NDArray[Any], ...]", arrays))


def compute(told: translate.Call) -> NDArray[Any]:
    """The result of a call."""
    options = Options(algorithm=told.algorithm)
    pipeline = pipeline_for(told.filter, told.signal.dtype, options, keep=False)
    return told.result(pipeline.run(told.signal))
