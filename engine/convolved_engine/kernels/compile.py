"""How kernels are compiled: without the GIL, and kept on disk between processes where possible."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

__all__ = ["kernel", "revision"]


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` at its first call; a closure over plain integers is cached on disk, too.

    No `fastmath`: a sum keeps its order, so that its bits do not depend on how loops are cut.
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:
        # No folder may be written, so that there is nowhere to keep compiled code.
        return numba.njit(nogil=True)(function)


def revision(*modules: str) -> int:
    """A number that changes with the source of other modules of this folder.

    The cache on disk notices changes in a kernel's own module only. A closure that holds this
    number is cached under it, and so compiled anew when a part that it includes has changed.
    """
    sources = (Path(__file__).with_name(f"{name}.py").read_bytes() for name in modules)
    return zlib.crc32(b"".join(sources))
