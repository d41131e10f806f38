"""Checks of parameters that layers share; each failure names the argument and what would do."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dtypes import as_array
from .errors import InvalidArgument

__all__ = [
    "axis_boundaries",
    "axis_integers",
    "axis_pads",
    "finite_number",
    "integer",
    "one_of",
    "parameter_array",
]

BOUNDARIES = ("zeros", "reflect", "symmetric", "edge", "wrap")
PADDINGS = ("valid", "same", "full", "causal")
_LARGEST = 1 << 40


def integer(argument: str, value: object, minimum: int) -> int:
    """Return `value` as an int of at least `minimum`; bools and fractions are refused."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]  # that is what it tests
    except TypeError:
        raise InvalidArgument(argument, repr(value), f"an integer of at least {minimum}") from None
    if not minimum <= number <= _LARGEST:
        raise InvalidArgument(argument, number, f"an integer from {minimum} to 2**40")
    return number


def finite_number(argument: str, value: object, *, minimum: float = -math.inf) -> float:
    """Return `value` as a finite float of at least `minimum`."""
    bound = "" if minimum == -math.inf else f" of at least {minimum:g}"
    try:
        number = float(value)  # type: ignore[arg-type]  # that is what it tests
    except (TypeError, ValueError):
        raise InvalidArgument(argument, repr(value), f"a finite number{bound}") from None
    if not math.isfinite(number) or number < minimum:
        raise InvalidArgument(argument, number, f"a finite number{bound}")
    return number


def one_of(argument: str, value: object, words: Sequence[str]) -> str:
    """Return `value` if it is one of `words`."""
    if isinstance(value, str) and value in words:
        return value
    raise InvalidArgument(argument, repr(value), "one of " + ", ".join(map(repr, words)))


def axis_integers(argument: str, value: object, rank: int, minimum: int) -> tuple[int, ...]:
    """One integer for every axis, or one an axis."""
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        if len(value) != rank:
            raise InvalidArgument(
                argument, f"{len(value)} values", f"one integer, or {rank}: one for each axis"
            )
        return tuple(integer(argument, each, minimum) for each in value)
    return (integer(argument, value, minimum),) * rank


def axis_pads(
    argument: str, value: object, kernel: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """Resolve padding to (before, after) on every axis; time is the last axis.

    `value` is a mode, an int, or one mode, int or (before, after) pair for each axis. For rank 1
    a bare (before, after) pair does, too.
    """
    rank = len(kernel)
    wanted = (
        f"one of {', '.join(map(repr, PADDINGS))}, an integer, or for each of {rank} axes "
        "a mode, an integer or a (before, after) pair"
    )
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, str) or not isinstance(value, Sequence):
        entries: Sequence[object] = (value,) * rank
    elif rank == 1 and len(value) == 2 and not any(isinstance(v, str | Sequence) for v in value):
        entries = (value,)
    elif len(value) == rank:
        entries = value
    else:
        raise InvalidArgument(argument, repr(value), wanted)
    pads = []
    for axis, entry in enumerate(entries):
        reach = dilation[axis] * (kernel[axis] - 1)
        if isinstance(entry, str):
            mode = one_of(argument, entry, PADDINGS)
            if mode == "causal":
                mode = "same" if axis < rank - 1 else mode
            pads.append(
                {
                    "valid": (0, 0),
                    "same": (reach // 2, reach - reach // 2),
                    "full": (reach, reach),
                    "causal": (reach, 0),
                }[mode]
            )
        elif isinstance(entry, Sequence):
            if len(entry) != 2:
                raise InvalidArgument(argument, repr(value), wanted)
            pads.append((integer(argument, entry[0], 0), integer(argument, entry[1], 0)))
        else:
            both = integer(argument, entry, 0)
            pads.append((both, both))
    return tuple(pads)


def axis_boundaries(argument: str, value: object, rank: int) -> tuple[str | float, ...]:
    """A boundary for every axis: a word of NumPy's pad modes or a finite number."""
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        if len(value) != rank:
            raise InvalidArgument(
                argument, f"{len(value)} values", f"one boundary, or {rank}: one for each axis"
            )
        entries: Sequence[object] = list(value)
    else:
        entries = (value,) * rank
    found: list[str | float] = []
    for entry in entries:
        if isinstance(entry, str):
            found.append(one_of(argument, entry, BOUNDARIES))
        else:
            found.append(finite_number(argument, entry) or "zeros")
    return tuple(found)


def parameter_array(argument: str, value: object) -> NDArray[Any]:
    """A read-only, C-ordered array that nobody else can change."""
    array = as_array(argument, value)
    if array.flags.writeable or not array.flags.c_contiguous:
        array = array.copy(order="C")
    array.flags.writeable = False
    return array
