"""Integers of 64 bits: whether their sums have room is seen from the samples that come."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary import IntegerOverflow

__all__ = ["check_room"]


def check_room(x: NDArray[Any], gain: int, constant: int) -> None:
    """Refuse samples whose weighted sums might leave 64 bits.

    Args:
        x: integers.
        gain: the largest sum|w| of an output.
        constant: the largest |bias|.
    """
    if not x.size:
        return
    peak = max(-int(x.min()), int(x.max()))
    bound = gain * peak + constant
    if bound > np.iinfo(np.int64).max:
        raise IntegerOverflow(
            "x",
            f"{x.dtype.name} samples up to {peak}, whose weighted sums may reach {bound}",
            "samples with sum|w| * max|x| below 2**63, or floating ones",
        )
