"""What intrinsics of this folder share: vectors of neighboring numbers, in LLVM's words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types

__all__ = ["INT", "Code", "intrinsic_code"]

INT = ir.IntType(64)
_INDEX = ir.IntType(32)
_CONTRACTED = ("contract",)


class Code:
    """Emits code for vectors of `lanes` numbers; products and sums may be fused.

    Args:
        builder: where the code goes.
        element: the LLVM type of a number.
        lanes: how many lie in a vector.
    """

    def __init__(self, builder: Any, element: Any, lanes: int) -> None:
        self.b, self.element, self.lanes = builder, element, lanes
        self.vector = ir.VectorType(element, lanes)
        self._alignment = 4 if isinstance(element, ir.FloatType) else 8

    def at(self, base: Any, index: Any) -> Any:
        """The address of base[index]."""
        return self.b.gep(base, [index if not isinstance(index, int) else INT(index)])

    def load(self, base: Any, index: Any) -> Any:
        """A vector from base[index] on."""
        pointer = self.b.bitcast(self.at(base, index), self.vector.as_pointer())
        loaded = self.b.load(pointer)
        loaded.align = self._alignment
        return loaded

    def store(self, vector: Any, base: Any, index: Any) -> None:
        """Put a vector to base[index] and on."""
        pointer = self.b.bitcast(self.at(base, index), self.vector.as_pointer())
        self.b.store(vector, pointer).align = self._alignment

    def broadcast(self, base: Any, index: Any) -> Any:
        """A vector full of base[index]."""
        return self._splat(self.b.load(self.at(base, index)))

    def constant(self, number: float) -> Any:
        """A vector full of a number."""
        return ir.Constant(self.vector, [ir.Constant(self.element, number)] * self.lanes)

    def add(self, a: Any, b: Any) -> Any:
        """A + b."""
        return self.b.fadd(a, b, flags=_CONTRACTED)

    def subtract(self, a: Any, b: Any) -> Any:
        """A - b."""
        return self.b.fsub(a, b, flags=_CONTRACTED)

    def multiply(self, a: Any, b: Any) -> Any:
        """A * b."""
        return self.b.fmul(a, b, flags=_CONTRACTED)

    def rotate(self, z: tuple[Any, Any], w: tuple[Any, Any]) -> tuple[Any, Any]:
        """The product of two complex vectors."""
        real = self.subtract(self.multiply(z[0], w[0]), self.multiply(z[1], w[1]))
        return real, self.add(self.multiply(z[0], w[1]), self.multiply(z[1], w[0]))

    def transpose(self, rows: Sequence[Any]) -> list[Any]:
        """As many vectors as they have lanes, with rows and columns exchanged."""
        found, half = list(rows), self.lanes // 2
        while half:
            for i in range(self.lanes):
                if not i & half:
                    low = [n + (self.lanes if n & half else 0) for n in range(self.lanes)]
                    low = [n ^ half if n >= self.lanes else n for n in low]
                    high = [n ^ half if not n & half else n + self.lanes for n in range(self.lanes)]
                    a, b = found[i], found[i | half]
                    found[i] = self._shuffle(a, b, low)
                    found[i | half] = self._shuffle(a, b, high)
            half //= 2
        return found

    def _shuffle(self, a: Any, b: Any, picked: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(_INDEX, self.lanes), picked)
        return self.b.shuffle_vector(a, b, mask)

    def _splat(self, number: Any) -> Any:
        undefined = ir.Constant(self.vector, ir.Undefined)
        single = self.b.insert_element(undefined, number, ir.Constant(_INDEX, 0))
        mask = ir.Constant(ir.VectorType(_INDEX, self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(single, undefined, mask)


def intrinsic_code(
    emit: Callable[[Code, list[Any], list[int]], None], arguments: Sequence[Any]
) -> Any:
    """What an intrinsic returns whose last arguments are literals, `lanes` the very last.

    Args:
        emit: writes the code, from the data of arrays and the values of integers, and literals.
        arguments: their types: arrays of one dtype, integers, then literals. None is returned
            where what should be literal is not, for numba to try again.
    """
    literals = [each for each in arguments if isinstance(each, types.IntegerLiteral)]
    fixed = arguments[: len(arguments) - len(literals)]
    signature = types.void(
        *(each if isinstance(each, types.Array) else types.int64 for each in fixed), *literals
    )
    dtype = next(each.dtype for each in fixed if isinstance(each, types.Array))
    values = [each.literal_value for each in literals]

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        given = []
        for kind, value in zip(sig.args[: len(fixed)], args, strict=False):
            if isinstance(kind, types.Array):
                value = context.make_array(kind)(context, builder, value).data
            given.append(value)
        emit(Code(builder, context.get_data_type(dtype), values[-1]), given, values)
        return context.get_dummy_value()

    return signature, generate
