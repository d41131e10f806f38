"""How one filter's outputs go over into another's: shares that sum to one in amplitude."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["mixed", "shares"]


def shares(curve: str, fade: int, first: int, last: int) -> NDArray[np.float64]:
    """The shares of the new filter in the outputs first..last-1 of a fade of `fade` outputs.

    With u = (m + 1/2) / fade for output m: u, or (1 - cos(pi u)) / 2.

    >>> shares("linear", 4, 0, 4)
    array([0.125, 0.375, 0.625, 0.875])
    """
    u = (np.arange(first, last) + 0.5) / fade
    return u if curve == "linear" else (1 - np.cos(np.pi * u)) / 2


def mixed(old: NDArray[Any], new: NDArray[Any], share: NDArray[np.float64]) -> NDArray[Any]:
    """(1 - share) * old + share * new along the last axis, in the dtype of both.

    Integers are rounded to the nearest.
    """
    dtype = old.dtype
    if dtype.kind in "biu":
        wide = np.dtype(np.longdouble)
    else:
        wide = np.result_type(dtype, np.float32)
    g = share.astype(np.empty(0, wide).real.dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        found = (1 - g) * old.astype(wide) + g * new.astype(wide)
        return np.asarray(np.rint(found) if dtype.kind in "biu" else found).astype(dtype)
