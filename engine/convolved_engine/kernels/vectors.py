"""What intrinsics of this folder share: vectors of neighboring numbers, in LLVM's words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from .prefetch import emit_prefetch

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

    def align_stack(self) -> None:
        """Let the function keep vectors that find no register where they lie in one cache line.

        LLVM leaves the stack as the caller had it; then most of such vectors straddle two lines,
        which makes transforms a fifth slower.
        """
        attributes = self.b.function.attributes
        attributes.alignstack = self.lanes * self._alignment
        # Inlined, it would lose the alignment; and llvmlite does not write it where it is alone.
        attributes.add("noinline")

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

    def below(self, first: Any, limit: Any) -> Any:
        """Which of the integers from `first` on lie in 0..limit, as a mask for a vector."""
        lanes = ir.Constant(ir.VectorType(_INDEX, self.lanes), list(range(self.lanes)))
        numbers = self.b.add(self._splat_index(first), lanes)
        return self.b.icmp_unsigned("<", numbers, self._splat_index(limit))

    def load_some(self, mask: Any, base: Any, index: Any) -> Any:
        """A vector from base[index] on, with zeros, which are not read, outside of the mask."""
        pointer = self.b.bitcast(self.at(base, index), self.vector.as_pointer())
        arguments = [pointer, _INDEX(self._alignment), mask, self.constant(0.0)]
        return self.b.call(self._known("masked.load", self.vector, arguments), arguments)

    def prefetch(self, base: Any, index: Any) -> None:
        """Have base[index] in the first-level cache soon."""
        emit_prefetch(self.b, self.at(base, index))

    def store_some(self, mask: Any, vector: Any, base: Any, index: Any) -> None:
        """Put what is in the mask of a vector to base[index] and on."""
        pointer = self.b.bitcast(self.at(base, index), self.vector.as_pointer())
        arguments = [vector, pointer, _INDEX(self._alignment), mask]
        self.b.call(self._known("masked.store", ir.VoidType(), arguments), arguments)

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

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """A * b + c, rounded once."""
        return self.b.call(self._known("fma", self.vector, [a, b, c], ""), [a, b, c])

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
                    found[i] = self.pick(a, b, low)
                    found[i | half] = self.pick(a, b, high)
            half //= 2
        return found

    def pick(self, a: Any, b: Any, picked: list[int]) -> Any:
        """The numbers at these places of two vectors, of which one follows the other."""
        mask = ir.Constant(ir.VectorType(_INDEX, self.lanes), picked)
        return self.b.shuffle_vector(a, b, mask)

    def _splat(self, number: Any) -> Any:
        return self._repeated(number, self.vector)

    def _splat_index(self, number: Any) -> Any:
        return self._repeated(self.b.trunc(number, _INDEX), ir.VectorType(_INDEX, self.lanes))

    def _repeated(self, number: Any, vector: Any) -> Any:
        undefined = ir.Constant(vector, ir.Undefined)
        single = self.b.insert_element(undefined, number, ir.Constant(_INDEX, 0))
        mask = ir.Constant(ir.VectorType(_INDEX, self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(single, undefined, mask)

    def _known(self, name: str, result: Any, arguments: list[Any], place: str = ".p0") -> Any:
        """The function of LLVM of that name for such vectors."""
        kind = "f32" if isinstance(self.element, ir.FloatType) else "f64"
        return self._function(f"{name}.v{self.lanes}{kind}{place}", result, arguments)

    def _function(self, name: str, result: Any, arguments: list[Any]) -> Any:
        kind = ir.FunctionType(result, [each.type for each in arguments])
        return cgutils.get_or_insert_function(self.b.module, kind, f"llvm.{name}")


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
