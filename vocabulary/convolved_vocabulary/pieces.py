"""Exact sums of integers whose products leave 64 bits: convolved in pieces, joined with carries.

Each number is cut into digits of 16 bits, the last of which keeps the sign. The digits of the
samples are channels, and output channel k of one ordinary filter is the sum over i + j = k of
digit i of the samples by digit j of the weights. So whoever computes needs no wider integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layers import Conv

__all__ = ["cut_filter", "cut_signal", "digits_needed", "joined", "values"]

BITS = 16
_MASK = (1 << BITS) - 1
# Digits of one 64-bit word.
_WORD = 64 // BITS


def digits_needed(array: NDArray[Any]) -> int:
    """How many digits the numbers of an array of integers have.

    >>> digits_needed(np.array([0, 65535])), digits_needed(np.array([-(1 << 40)]))
    (1, 3)
    """
    low, high = int(array.min()), int(array.max())
    bits = high.bit_length() if low >= 0 else max(high, ~low).bit_length() + 1
    return max(1, -(-bits // BITS))


def cut_signal(x: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Return (batch, channels, *spatial) as (batch, channels * count, *spatial)."""
    digits = _digits(x, count, axis=2)
    return digits.reshape(x.shape[0], -1, *x.shape[2:])


def cut_filter(layer: Conv, count: int, taken: int) -> Conv:
    """The layer for the digits of a signal.

    Args:
        layer: a Conv of one input channel for each group, without a bias.
        count: digits of the samples.
        taken: digits of the weights.

    Returns:
        a Conv from `count` channels for each channel to count + taken - 1 for each output.
    """
    digits = _digits(layer.weight, taken, axis=1)
    outputs, kernel = len(layer.weight), layer.kernel
    weight = np.zeros((outputs, count + taken - 1, count, *kernel), np.int64)
    for i in range(count):
        for j in range(taken):
            weight[:, i + j, i] = digits[:, j, 0]
    return Conv(
        weight.reshape(-1, count, *kernel),
        stride=layer.stride,
        padding=layer.pads,
        dilation=layer.dilation,
        groups=layer.groups,
        boundary=layer.boundary,
        flip=layer.flip,
    )


def joined(sums: NDArray[np.int64], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """Put the sums of digits together.

    Args:
        sums: (digits, ...), each below 2**62.
        dtype: of the result.

    Returns:
        (...) of `dtype`, or None if some number does not fit it.
    """
    word = np.zeros(sums.shape[1:], np.uint64)
    carry = np.zeros(sums.shape[1:], np.int64)
    missing = max(0, _WORD + 1 - len(sums))
    whole: Sequence[NDArray[np.int64]] = [*sums, *[np.zeros_like(carry)] * missing]
    # What lies above one word must be the sign alone: all of it zeros, or all of it ones.
    zeros, ones = np.ones(carry.shape, bool), np.ones(carry.shape, bool)
    for number, part in enumerate(whole):
        total = part + carry
        last = number == len(whole) - 1
        digit = total if last else total & _MASK
        carry = total >> BITS
        if number < _WORD:
            word |= digit.astype(np.uint64) << np.uint64(number * BITS)
        else:
            zeros &= digit == 0
            ones &= digit == (-1 if last else _MASK)
    if dtype == np.uint64:
        return word if zeros.all() else None
    found = word.view(np.int64)
    if not ((zeros & (found >= 0)) | (ones & (found < 0))).all():
        return None
    if dtype != np.bool_:
        limits = np.iinfo(dtype)
        if found.size and (found.min() < limits.min or found.max() > limits.max):
            return None
    return found.astype(dtype)


def values(sums: NDArray[np.int64]) -> NDArray[Any]:
    """The same numbers, as Python's integers."""
    found = np.zeros(sums.shape[1:], object)
    for number, part in enumerate(sums):
        found += part.astype(object) << (number * BITS)
    return found


def _digits(x: NDArray[Any], count: int, axis: int) -> NDArray[np.int64]:
    x = x.astype(np.uint64 if x.dtype == np.uint64 else np.int64, copy=False)
    last = x >> x.dtype.type((count - 1) * BITS)
    low = [(x >> x.dtype.type(i * BITS)) & x.dtype.type(_MASK) for i in range(count - 1)]
    return np.stack([*low, last], axis=axis).astype(np.int64)
