"""What of an array is kept in the golden file: some entries, and the norms of all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["digest", "tolerance"]

_ENTRIES = 8


def digest(array: NDArray[Any]) -> NDArray[Any]:
    """At most 8 entries, evenly spread, then the sum and the root of the sum of squares of all.

    Complex numbers count as two real ones. The precision is that of the array.
    """
    real = np.float32 if array.dtype in (np.float32, np.complex64) else np.float64
    wide = np.complex128 if array.dtype.kind == "c" else np.float64
    flat = np.ascontiguousarray(array.reshape(-1), wide).view(np.float64)
    step = -(-flat.size // _ENTRIES)
    norms = np.array([flat.sum(), np.sqrt((flat * flat).sum())])
    return np.concatenate([flat[::step], norms]).astype(real)


def tolerance(array: NDArray[Any]) -> float:
    """How far two computations of an array may be apart in any number of the digest."""
    unit = 2e-5 if array.dtype in (np.float32, np.complex64) else 1e-11
    largest = float(abs(array).max(initial=0.0))
    return unit * max(1.0, largest) * max(1.0, float(np.sqrt(array.size)))
