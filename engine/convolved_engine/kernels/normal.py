"""The standard normal distribution function."""

from __future__ import annotations

import math
from typing import Any

from .compile import kernel

__all__ = ["distribution"]

_ROOT_HALF = math.sqrt(0.5)


@kernel
def distribution(x: Any, found: Any) -> None:
    """Fill `found` from x, both of one axis."""
    for i in range(x.size):
        found[i] = 0.5 * math.erfc(-x[i] * _ROOT_HALF)
