"""Rows of numbers copied by vectors, the last of which overlaps the one before.

Most rows of images are not much longer than a vector: there a loop that the compiler turns into
vectors does most of its work one by one, behind its last whole vectors. Masks are no way out:
stores that leave places alone are slow on half of the processors. These are intrinsics and no
kernels, because a call would take as long as a short row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["copy_row", "part_row"]

_BYTES = 64
_INT = ir.IntType(64)
_INDEX = ir.IntType(32)

Move = Callable[[Any, int], None]
"""Emits code that moves what belongs to so many numbers of a row from a number on."""


class _Row:
    """Emits code on an array that is read and one that is written.

    Args:
        context: of numba.
        builder: where the code goes.
        sig: of the intrinsic: x, x_at, out, places in out, the length of the row.
        args: its values.
    """

    def __init__(self, context: Any, builder: Any, sig: Any, args: Any) -> None:
        self.b = builder
        self.dtype = sig.args[0].dtype
        self.element = context.get_data_type(self.dtype)
        self.lanes = _BYTES * 8 // self.dtype.bitwidth
        self.x, self.out = (
            context.make_array(sig.args[number])(context, builder, args[number]).data
            for number in (0, 2)
        )
        self.x_at, self.places, self.n = args[1], args[3:-1], args[-1]

    def load(self, index: Any, count: int) -> Any:
        """A vector of x from `index` on."""
        loaded = self.b.load(self._pointer(self.x, index, count))
        loaded.align = self.dtype.bitwidth // 8
        return loaded

    def store(self, vector: Any, index: Any, count: int) -> None:
        """Put a vector to out[index] and on."""
        pointer = self._pointer(self.out, index, count)
        self.b.store(vector, pointer).align = self.dtype.bitwidth // 8

    def each(self, move: Move, least: int) -> None:
        """Move the whole row, by vectors of no fewer than `least` numbers and then one by one."""
        self._each(move, self.lanes, least)

    def _each(self, move: Move, count: int, least: int) -> None:
        b = self.b
        if count < least:
            with cgutils.for_range(b, self.n) as loop:
                move(loop.index, 1)
            return
        many = _INT(count)
        with b.if_else(b.icmp_signed(">=", self.n, many)) as (then, otherwise):
            with then:
                last = b.sub(self.n, many)
                if count == self.lanes:
                    with cgutils.for_range_slice(b, _INT(0), last, many) as (i, _):
                        move(i, count)
                else:
                    move(_INT(0), count)
                move(last, count)
            with otherwise:
                self._each(move, count // 2, least)

    def _pointer(self, base: Any, index: Any, count: int) -> Any:
        kind = ir.VectorType(self.element, count)
        return self.b.bitcast(self.b.gep(base, [index]), kind.as_pointer())


def _row_of(x: Any, out: Any, places: int, emit: Callable[[_Row], None]) -> Any:
    """What an intrinsic of a row with so many places in `out` returns."""
    if x.dtype != out.dtype:
        return None
    i64 = types.int64

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit(_Row(context, builder, sig, args))
        return context.get_dummy_value()

    return types.void(x, i64, out, *(i64,) * (places + 1)), generate


@intrinsic
def copy_row(_typing: Any, x: Any, x_at: Any, out: Any, o_at: Any, n: Any) -> Any:
    """out[o_at + i] = x[x_at + i] for i in range(n); in a kernel only."""
    del x_at, o_at, n

    def emit(row: _Row) -> None:
        def move(i: Any, count: int) -> None:
            row.store(row.load(row.b.add(row.x_at, i), count), row.b.add(row.places[0], i), count)

        row.each(move, row.lanes // 4)

    return _row_of(x, out, 1, emit)


@intrinsic
def part_row(_typing: Any, x: Any, x_at: Any, out: Any, even_at: Any, odd_at: Any, n: Any) -> Any:
    """Part x from x_at on: for i in range(n), 2 i goes to out[even_at + i], the next to odd_at."""
    del x_at, even_at, odd_at, n

    def emit(row: _Row) -> None:
        def move(i: Any, count: int) -> None:
            b = row.b
            first = b.add(row.x_at, b.add(i, i))
            one, two = row.load(first, count), row.load(b.add(first, _INT(count)), count)
            for odd, place in enumerate(row.places):
                picked = [2 * j + odd for j in range(count)]
                mask = ir.Constant(ir.VectorType(_INDEX, count), picked)
                row.store(b.shuffle_vector(one, two, mask), b.add(place, i), count)

        row.each(move, row.lanes // 2)

    return _row_of(x, out, 2, emit)
