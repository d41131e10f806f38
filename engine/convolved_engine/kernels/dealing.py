"""How threads inside kernels take their next work: by one atomic addition to a shared counter.

They need the GIL for it no more than for the work itself, so that small chunks cost next to
nothing and no thread waits for another one to hand the GIL over.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

__all__ = ["take"]


@intrinsic
def take(_typing: Any, counter: Any, step: Any) -> Any:
    """Add `step` to counter[0], an int64, and return what was there before; in a kernel only."""
    if not (isinstance(counter, types.Array) and counter.dtype == types.int64):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", data, arguments[1], "monotonic")

    return types.int64(counter, types.int64), generate
