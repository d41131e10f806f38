"""How a convolution may be computed: the wishes that go with a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .checks import integer, one_of
from .dtypes import checked_dtype
from .errors import InvalidArgument
from .words import shown

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """Wishes that the planner keeps.

    Args:
        accuracy: "fast" bounds the error relative to the largest output that could be
            (normwise); "strict" bounds it at every sample relative to sum|w| |x| there
            (componentwise), which no FFT does.
        algorithm: the name of the algorithm to use, "auto" to choose by predicted time.
        output_dtype: the dtype of the result; None for the rules of the vocabulary.
        memory_limit_bytes: workspace beyond input and output; None for the default.
        rigor: "estimate" chooses by predicted times, "measure" by timing the plausible algorithms
            once for each problem, which takes a second or more; None for the setting of whatever
            computes.

    Raises:
        InvalidArgument: naming the argument that is wrong.

    >>> Options(accuracy="strict").accuracy
    'strict'
    """

    accuracy: str
    algorithm: str
    output_dtype: np.dtype[Any] | None
    memory_limit_bytes: int | None
    rigor: str | None

    def __init__(
        self,
        accuracy: str = "fast",
        algorithm: str = "auto",
        output_dtype: DTypeLike | None = None,
        memory_limit_bytes: int | None = None,
        rigor: str | None = None,
    ) -> None:
        if not isinstance(algorithm, str) or not algorithm:
            raise InvalidArgument("algorithm", shown(algorithm), "'auto' or an algorithm's name")
        dtype = None if output_dtype is None else checked_dtype("output_dtype", output_dtype)
        limit = memory_limit_bytes
        if limit is not None:
            limit = integer("memory_limit_bytes", limit, 1)
        object.__setattr__(self, "accuracy", one_of("accuracy", accuracy, ("fast", "strict")))
        object.__setattr__(self, "algorithm", algorithm)
        object.__setattr__(self, "output_dtype", dtype)
        object.__setattr__(self, "memory_limit_bytes", limit)
        if rigor is not None:
            rigor = one_of("rigor", rigor, ("estimate", "measure"))
        object.__setattr__(self, "rigor", rigor)
