"""Boundaries other than zeros: the signal is extended before it is convolved.

Zeros cost no copy: they stay with the problem, and algorithms never read them. The words are
those of `numpy.pad`, and so are the values, however far the padding reaches beyond the signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["extend", "fold", "remaining"]

Pads = tuple[tuple[int, int], ...]


def remaining(pads: Sequence[tuple[int, int]], boundary: Sequence[str | float]) -> Pads:
    """The zeros that `extend` leaves to the algorithm.

    A corner belongs to the last of its axes, as in `numpy.pad`; zeros before an axis padded by
    another number must therefore be written out.

    >>> remaining(((1, 1), (2, 2)), ("zeros", "edge"))
    ((1, 1), (0, 0))
    """
    left: list[tuple[int, int]] = []
    for axis, (pair, word) in enumerate(zip(pads, boundary, strict=True)):
        later = zip(pads[axis + 1 :], boundary[axis + 1 :], strict=True)
        covered = any(
            any(other) and not isinstance(value, str) and value != 0 for other, value in later
        )
        left.append(pair if word in ("zeros", 0) and not covered else (0, 0))
    return tuple(left)


def extend(
    x: NDArray[Any],
    pads: Sequence[tuple[int, int]],
    boundary: Sequence[str | float],
    left: Pads | None = None,
) -> NDArray[Any]:
    """Return x with padding on its last len(pads) axes, but for the zeros in `left`.

    Args:
        x: (..., *spatial).
        pads: samples before and after on each spatial axis.
        boundary: for each spatial axis "zeros", a number, "reflect", "symmetric", "edge" or
            "wrap".
        left: the zeros that are not written; None for what `remaining` says.

    Returns:
        x itself where nothing is to be added, else a new C-contiguous array of its dtype.

    >>> extend(np.arange(4.0), ((2, 5),), ("reflect",))
    array([2., 1., 0., 1., 2., 3., 2., 1., 0., 1., 2.])
    """
    left = remaining(pads, boundary) if left is None else left
    if left == pads:
        return x
    added = [(0, 0) if kept != (0, 0) else pair for kept, pair in zip(left, pads, strict=True)]
    if not any(map(any, added)):
        return x
    outer = x.ndim - len(pads)
    sizes = x.shape[outer:]
    out = np.empty(
        x.shape[:outer]
        + tuple(before + n + after for n, (before, after) in zip(sizes, added, strict=True)),
        x.dtype,
    )
    inner = [slice(before, before + n) for n, (before, _) in zip(sizes, added, strict=True)]
    out[(slice(None),) * outer + tuple(inner)] = x
    for axis, ((before, after), word) in enumerate(zip(added, boundary, strict=True)):
        n = sizes[axis]
        rows = np.moveaxis(
            out[(slice(None),) * (outer + axis + 1) + tuple(inner[axis + 1 :])], outer + axis, 0
        )
        for begin, end in ((0, before), (before + n, before + n + after)):
            if end == begin:
                continue
            if isinstance(word, str) and word != "zeros":
                rows[begin:end] = rows[before + _source(word, begin - before, end - before, n)]
            else:
                rows[begin:end] = 0 if word == "zeros" else word
    return out


def fold(
    extended: NDArray[Any],
    pads: Sequence[tuple[int, int]],
    boundary: Sequence[str | float],
    left: Pads | None = None,
) -> NDArray[Any]:
    """The adjoint of `extend`: what stands in the padding is added to where it came from.

    Args:
        extended: (..., *spatial) as `extend` returns it.
        pads: as for `extend`.
        boundary: as for `extend`.
        left: as for `extend`.

    Returns:
        an array of the shape that `extend` was given.

    >>> fold(np.arange(1.0, 6.0), ((1, 1),), ("edge",))
    array([3., 3., 9.])
    """
    left = remaining(pads, boundary) if left is None else left
    found, outer = extended, extended.ndim - len(pads)
    for axis, (pair, word) in reversed(list(enumerate(zip(pads, boundary, strict=True)))):
        if left[axis] != (0, 0) or not any(pair):
            continue
        rows = np.moveaxis(found, outer + axis, 0)
        before, n = pair[0], len(rows) - sum(pair)
        inner = rows[before : before + n].copy()
        if isinstance(word, str) and word != "zeros":
            np.add.at(inner, _source(word, -before, 0, n), rows[:before])
            np.add.at(inner, _source(word, n, n + pair[1], n), rows[before + n :])
        found = np.moveaxis(inner, 0, outer + axis)
    return found


def _source(word: str, begin: int, end: int, n: int) -> NDArray[np.int64]:
    """Which of n samples stand at the positions begin..end around them."""
    position = np.arange(begin, end)
    if word == "edge" or n == 1:
        return np.clip(position, 0, n - 1)
    if word == "wrap":
        return position % n
    if word == "symmetric":
        folded = position % (2 * n)
        return np.minimum(folded, 2 * n - 1 - folded)
    folded = position % (2 * n - 2)
    return np.minimum(folded, 2 * n - 2 - folded)
