"""The numbers that transforms of one length read: radices, twiddle factors, and the twist.

A real block of 2n samples is transformed as n complex ones, z[k] = (x[k] + i x[k + n]) w^k with
w = exp(i pi / 2n): convolution with z^n = i stands for a real one of 2n samples that wraps with
its sign changed. So there are n bins for 2n samples, all alike.

Source: H. Nussbaumer, "Fast Fourier Transform and Convolution Algorithms" (1982), 3.6 and 4.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["radices", "tables_of"]

_GREATEST = 16


@cache
def radices(n: int, lanes: int) -> tuple[int, ...]:
    """How a transform of length n is divided; the first is the number of lanes.

    >>> radices(4096, 16), radices(1024, 16), radices(64, 8)
    ((16, 16, 16), (16, 8, 8), (8, 8))
    """
    bits = (n // lanes).bit_length() - 1
    count = -(-bits // 4)
    each = [bits // count + (number < bits % count) for number in range(count)] if count else []
    return (lanes, *(1 << b for b in each))


@cache
def tables_of(n: int, lanes: int, dtype: np.dtype[Any]) -> tuple[NDArray[Any], tuple[int, ...]]:
    """All factors of a transform in one array, the twist first, and where those of each pass lie.

    The first pass has them by k and then by block, real parts before imaginary ones; each later
    one by block and then by k, real and imaginary parts side by side.
    """
    found = list(_parts(np.arange(n) / (4 * n)))
    places, at = [], 2 * n
    length = n
    for number, radix in enumerate(radices(n, lanes)):
        blocks = length // radix
        turns = _parts(np.outer(np.arange(1, radix), -np.arange(blocks)) / length)
        if number == 0:
            factors = np.stack(turns, axis=1).ravel()
        else:
            factors = np.stack([part.T for part in turns], axis=-1).ravel()
        places.append(at)
        found.append(factors)
        at += factors.size
        length = blocks
    return np.concatenate(found).astype(dtype), tuple(places)


def _parts(turns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Real and imaginary parts of what turns by so many whole turns; faster than complex powers."""
    angles = 2 * np.pi * turns
    return np.cos(angles), np.sin(angles)
