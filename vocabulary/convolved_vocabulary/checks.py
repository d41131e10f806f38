"""Checks of parameters that layers share; each failure names the argument and what would do."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dtypes import as_array
from .errors import InvalidArgument
from .words import shown

__all__ = [
    "axis_boundaries",
    "axis_integers",
    "axis_pads",
    "finite_number",
    "frozen_array",
    "integer",
    "one_of",
    "parameter_array",
    "shape_of",
    "truth",
]

BOUNDARIES = ("zeros", "reflect", "symmetric", "edge", "wrap")
PADDINGS = ("valid", "same", "full", "causal")
_LARGEST = 1 << 40


def integer(argument: str, value: object, minimum: int, where: str = "") -> int:
    """Return `value` as an int of at least `minimum`; bools and fractions are refused.

    `where` is said after what came, such as " on axis 1".
    """
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]  # that is what it tests
    except TypeError:
        number = minimum - 1
    if number < minimum:
        raise InvalidArgument(argument, shown(value) + where, f"an integer of at least {minimum}")
    if number > _LARGEST:
        raise InvalidArgument(argument, shown(value) + where, "an integer of at most 2**40")
    return number


def finite_number(argument: str, value: object, *, minimum: float = -math.inf) -> float:
    """Return `value` as a finite float of at least `minimum`; bools and text are refused."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    number = math.nan
    if isinstance(value, Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    if not math.isfinite(number) or number < minimum:
        bound = "" if minimum == -math.inf else f" of at least {minimum:g}"
        raise InvalidArgument(argument, shown(value), f"a finite number{bound}")
    return number


def truth(argument: str, value: object) -> bool:
    """Return `value` if it is a bool: a word such as "no" would count as true."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise InvalidArgument(argument, shown(value), "True or False")


def one_of(argument: str, value: object, words: Sequence[str]) -> str:
    """Return `value` if it is one of `words`."""
    if isinstance(value, str) and value in words:
        return value
    raise InvalidArgument(argument, shown(value), f"one of {_listed(words)}")


def shape_of(argument: str, value: object) -> tuple[int, ...]:
    """Return a shape as ints."""
    lengths = _entries(value)
    if lengths is None:
        raise InvalidArgument(argument, shown(value), "the lengths of all axes, time last")
    return tuple(integer(argument, length, 0) for length in lengths)


def axis_integers(argument: str, value: object, rank: int, minimum: int) -> tuple[int, ...]:
    """One integer for every axis, or one an axis."""
    entries = _entries(value)
    if entries is None:
        return (integer(argument, value, minimum),) * rank
    if len(entries) != rank:
        each = f"an integer, or {rank}: one for each axis" if rank > 1 else "one integer"
        raise InvalidArgument(argument, shown(value), each)
    return tuple(
        integer(argument, entry, minimum, _on(axis, rank)) for axis, entry in enumerate(entries)
    )


def axis_pads(
    argument: str,
    value: object,
    kernel: Sequence[int],
    dilation: Sequence[int],
    no_modes: str = "",
) -> tuple[tuple[int, int], ...]:
    """Resolve padding to (before, after) on every axis; time is the last axis.

    `value` is a mode, an int, or one mode, int or (before, after) pair for each axis. For rank 1
    a bare (before, after) pair does, too. `no_modes` says why there are none, where it is so.
    """
    rank = len(kernel)
    each = "an integer or a (before, after) pair"
    if not no_modes:
        each = f"{_listed(PADDINGS)}, {each}"
    wanted = each if rank == 1 else f"{each}, or {rank} of these: one for each axis"
    entries = _entries(value)
    if entries is None:
        entries = [value] * rank
    elif rank == 1 and len(entries) == 2 and not any(_is_compound(v) for v in entries):
        entries = [entries]
    if len(entries) != rank:
        raise InvalidArgument(argument, shown(value), wanted)
    pads = []
    for axis, entry in enumerate(entries):
        where = _on(axis, rank) if entry is not value else ""
        if isinstance(entry, str):
            if no_modes:
                raise InvalidArgument(argument, shown(entry) + where, f"numbers: {no_modes}")
            if entry not in PADDINGS:
                raise InvalidArgument(argument, shown(entry) + where, wanted)
            pads.append(_resolved(entry, axis == rank - 1, dilation[axis] * (kernel[axis] - 1)))
            continue
        pair = _entries(entry)
        if (pair is None and not hasattr(entry, "__index__")) or len(pair or "pp") != 2:
            raise InvalidArgument(argument, shown(entry) + where, wanted)
        before, after = (entry, entry) if pair is None else pair
        pads.append((integer(argument, before, 0, where), integer(argument, after, 0, where)))
    return tuple(pads)


def axis_boundaries(argument: str, value: object, rank: int) -> tuple[str | float, ...]:
    """A boundary for every axis: a word of NumPy's pad modes or a finite number."""
    each = f"{_listed(BOUNDARIES)} or a finite number"
    entries = _entries(value)
    if entries is None:
        entries = [value] * rank
    if len(entries) != rank:
        wanted = each if rank == 1 else f"{each}, or {rank} of these: one for each axis"
        raise InvalidArgument(argument, shown(value), wanted)
    found: list[str | float] = []
    for axis, entry in enumerate(entries):
        if isinstance(entry, str) and entry in BOUNDARIES:
            found.append(entry)
            continue
        try:
            found.append(finite_number(argument, entry) or "zeros")
        except InvalidArgument:
            where = _on(axis, rank) if entry is not value else ""
            raise InvalidArgument(argument, shown(entry) + where, each) from None
    return tuple(found)


def parameter_array(argument: str, value: object) -> NDArray[Any]:
    """A native, C-ordered array of a supported dtype that nobody can change."""
    return frozen_array(as_array(argument, value))


def frozen_array(array: NDArray[Any]) -> NDArray[Any]:
    """The same array over bytes of its own: its writeable flag cannot be set again.

    An array that nobody can write to, down to the owner of its memory, is returned as it is.
    """
    owner: Any = array
    while isinstance(owner, np.ndarray) and not owner.flags.writeable:
        owner = owner.base
    if isinstance(owner, bytes | None) and array.flags.c_contiguous and array.flags.aligned:
        return array
    if not array.size:
        # `frombuffer` takes no empty buffers; of an empty array there is nothing to change.
        array = array.copy()
        array.flags.writeable = False
        return array
    return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)


def _entries(value: object) -> list[Any] | None:
    """The entries of a sequence or array; None for a single value, and text is one."""
    if isinstance(value, np.ndarray):
        return list(value.tolist()) if value.ndim else None
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return list(value)
    return None


def _is_compound(value: object) -> bool:
    return isinstance(value, str) or _entries(value) is not None


def _resolved(mode: str, is_time: bool, reach: int) -> tuple[int, int]:
    if mode == "causal":
        mode = "causal" if is_time else "same"
    return {
        "valid": (0, 0),
        "same": (reach // 2, reach - reach // 2),
        "full": (reach, reach),
        "causal": (reach, 0),
    }[mode]


def _on(axis: int, rank: int) -> str:
    return f" on axis {axis}" if rank > 1 else ""


def _listed(words: Sequence[str]) -> str:
    return ", ".join(map(repr, words))
