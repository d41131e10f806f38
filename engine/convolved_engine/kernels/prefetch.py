"""A hint to the processor that a number will be read soon: whatever it does, no result changes."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

__all__ = ["emit_prefetch"]

_BYTE, _FLAG = ir.IntType(8), ir.IntType(32)


def emit_prefetch(builder: Any, pointer: Any) -> None:
    """Emit code that asks for the line at `pointer`, which may lie outside of any array."""
    hint = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), _FLAG, _FLAG, _FLAG]),
        "llvm.prefetch.p0i8",
    )
    reading, closest, data = (ir.Constant(_FLAG, each) for each in (0, 3, 1))
    place = builder.bitcast(pointer, _BYTE.as_pointer())
    builder.call(hint, [place, reading, closest, data])
