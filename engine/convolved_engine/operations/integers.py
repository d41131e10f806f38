"""Integers of 64 bits: whether their sums have room is seen from the samples that come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary import IntegerOverflow, SignalType
from convolved_vocabulary.layers.linear import largest_sum

__all__ = ["check_room", "sums_of"]


def sums_of(
    signal: SignalType, output: SignalType, weight: NDArray[Any], axes: tuple[int, ...]
) -> int | None:
    """The largest sum|w| over `axes` where samples must be checked by it, else None."""
    if not (signal.is_integer and output.is_integer and signal.magnitude is None):
        return None
    return largest_sum(weight, axes)


def check_room(
    x: NDArray[Any],
    gain: int | None,
    bias: NDArray[Any] | None,
    boundary: Sequence[str | float] = (),
) -> None:
    """Refuse samples whose weighted sums might leave 64 bits.

    Args:
        x: integers.
        gain: what `sums_of` gives.
        bias: integers that are added.
        boundary: what stands in the padding, where it is a number.
    """
    if gain is None or not x.size:
        return
    padded = (abs(int(value)) for value in boundary if not isinstance(value, str))
    peak = max(-int(x.min()), int(x.max()), *padded)
    bound = gain * peak + largest_sum(bias, ())
    if bound > np.iinfo(np.int64).max:
        raise IntegerOverflow(
            "x",
            f"{x.dtype.name} samples up to {peak}, whose weighted sums may reach {bound}",
            "samples with sum|w| * max|x| below 2**63, or floating ones",
        )
