"""A hint to the processor that a number will be read soon: whatever it does, no result changes."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["emit_prefetch", "prefetch"]

_BYTE, _FLAG = ir.IntType(8), ir.IntType(32)


def emit_prefetch(builder: Any, pointer: Any, level: int) -> None:
    """Bring what lies at `pointer`, which may be outside of any array, to a level of the cache."""
    hint = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), _FLAG, _FLAG, _FLAG]),
        "llvm.prefetch.p0i8",
    )
    reading, closest, data = (ir.Constant(_FLAG, each) for each in (0, 4 - level, 1))
    place = builder.bitcast(pointer, _BYTE.as_pointer())
    builder.call(hint, [place, reading, closest, data])


@intrinsic
def prefetch(_typing: Any, x: Any, at: Any) -> Any:
    """Bring the line that holds x[at], in x or not, to the second level; in a kernel only."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        emit_prefetch(builder, builder.gep(data, [arguments[1]]), 2)
        return context.get_dummy_value()

    return types.void(x, types.int64), generate
