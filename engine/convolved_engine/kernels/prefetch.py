"""How kernels ask for memory before they need it, so that it arrives while they compute.

Asking is a hint: it changes nothing but time, and addresses that belong to nobody do no harm.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["LINE", "address_of", "emit_prefetch", "prefetch"]

LINE = 64
"""Bytes of a line of the cache; where lines are longer, some are asked for twice."""

_ADDRESS = ir.IntType(64)
_BYTE = ir.IntType(8).as_pointer()
_FLAG = ir.IntType(32)
# Data to read, into the caches of all levels. Who writes soon asks alike: nobody else has it.
_READ, _NEAREST, _DATA = _FLAG(0), _FLAG(3), _FLAG(1)


def emit_prefetch(builder: Any, pointer: Any) -> None:
    """Emit code that asks for the line at `pointer`."""
    kinds = [_BYTE, _FLAG, _FLAG, _FLAG]
    hint = builder.module.declare_intrinsic(
        "llvm.prefetch", [_BYTE], ir.FunctionType(ir.VoidType(), kinds)
    )
    builder.call(hint, [builder.bitcast(pointer, _BYTE), _READ, _NEAREST, _DATA])


@intrinsic
def address_of(_typing: Any, array: Any) -> Any:
    """Where the numbers of an array begin, as an int64; in a kernel only."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, _ADDRESS)

    return types.int64(array), generate


@intrinsic
def prefetch(_typing: Any, address: Any) -> Any:
    """Ask for the line at an address, and do not wait; in a kernel only."""
    del address

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del signature
        emit_prefetch(builder, builder.inttoptr(arguments[0], _BYTE))
        return context.get_dummy_value()

    return types.void(types.int64), generate
