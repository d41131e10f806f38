"""Arrays as kernels read them: of one type, whoever else may write them.

Numba compiles a kernel anew for arrays that may not be written, such as those that came over the
wire, and for those that do not lie at a multiple of their items. That takes seconds, so kernels
see every input alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["to_read"]


def to_read(array: NDArray[Any], dtype: np.dtype[Any] | None = None) -> NDArray[Any]:
    """A flat view that may not be written; a copy of what is not aligned.

    Args:
        array: C-contiguous.
        dtype: as which its bytes are seen; None for its own.

    >>> to_read(np.ones((2, 3))).flags.writeable
    False
    """
    if not array.flags.aligned:
        array = array.copy()
    view = array.reshape(-1)
    if dtype is not None:
        view = view.view(dtype)
    view.flags.writeable = False
    return view
