"""How kernels are compiled: without the GIL, and kept on disk between processes where possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

__all__ = ["kernel"]


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` at its first call; a closure over plain integers is cached on disk, too.

    No `fastmath`: a sum keeps its order, so that its bits do not depend on how loops are cut.
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:
        # No folder may be written, so that there is nowhere to keep compiled code.
        return numba.njit(nogil=True)(function)
