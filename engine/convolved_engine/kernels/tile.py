"""The one low-level kernel: a tile of outputs kept in vector registers.

A tile is `rows` output channels by `vectors` vectors of `lanes` neighboring outputs. For each
term (one tap of one input channel) it loads `vectors` vectors of input, which all rows share, and
one weight for each row, and does rows * vectors multiply-adds on accumulators that never leave
the registers. Where a term's input lies is looked up in a table of offsets, so that dilation and
further axes cost nothing.

The law: each output is one chain of operations, acc = bias, then acc = acc + w * x for each term
in order, fused for floats and exact for integers. The shape of the tile does not enter, so that
tiles of all shapes give the same bits.

It must be an intrinsic: from loops the compiler keeps fewer accumulators in registers and
reaches about 60 % of the speed.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["accumulate"]

_INT = ir.IntType(64)
_INDEX = ir.IntType(32)


@intrinsic(prefer_literal=True)
def accumulate(
    _typing: Any,
    x: Any,
    x_at: Any,
    offsets: Any,
    first: Any,
    last: Any,
    weights: Any,
    w_at: Any,
    bias: Any,
    b_at: Any,
    out: Any,
    o_at: Any,
    o_step: Any,
    resume: Any,
    rows: Any,
    vectors: Any,
    lanes: Any,
) -> Any:
    """Compute one tile of out from the terms first..last; in a kernel only.

    For row r and column j of the tile, with all arrays flat and 1-D:
    out[o_at + r * o_step + j] = (out's own value if resume else bias[b_at + r])
        + sum over t of weights[w_at + t * rows + r] * x[x_at + offsets[t] + j].
    `rows`, `vectors` and `lanes` are compile-time constants.
    """
    shape = (rows, vectors, lanes)
    if not all(isinstance(each, types.IntegerLiteral) for each in shape):
        return None
    element = x.dtype
    i64 = types.int64
    signature = types.void(
        x, i64, offsets, i64, i64, weights, i64, bias, i64, out, i64, i64, types.boolean, *shape
    )
    counts = tuple(each.literal_value for each in shape)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        named = dict(zip(_ARGUMENTS, zip(sig.args, args, strict=True), strict=True))

        def data(name: str) -> Any:
            kind, value = named[name]
            return context.make_array(kind)(context, builder, value).data

        def scalar(name: str) -> Any:
            return named[name][1]

        _emit(
            context,
            builder,
            context.get_data_type(element),
            element.bitwidth // 8,
            data,
            scalar,
            counts,
        )
        return context.get_dummy_value()

    return signature, generate


_ARGUMENTS = (
    *("x", "x_at", "offsets", "first", "last", "weights", "w_at", "bias", "b_at"),
    *("out", "o_at", "o_step", "resume", "rows", "vectors", "lanes"),
)


def _emit(
    context: Any,
    b: Any,
    element: Any,
    alignment: int,
    data: Any,
    scalar: Any,
    counts: tuple[int, int, int],
) -> None:
    rows, vectors, lanes = counts
    vector = ir.VectorType(element, lanes)
    undefined = ir.Constant(vector, ir.Undefined)
    splat = ir.Constant(ir.VectorType(_INDEX, lanes), [0] * lanes)

    def load(pointer: Any) -> Any:
        loaded = b.load(b.bitcast(pointer, vector.as_pointer()))
        loaded.align = alignment
        return loaded

    def broadcast(pointer: Any) -> Any:
        single = b.insert_element(undefined, b.load(pointer), ir.Constant(_INDEX, 0))
        return b.shuffle_vector(single, undefined, splat)

    def multiply_add(w: Any, x: Any, acc: Any) -> Any:
        if isinstance(element, ir.IntType):
            return b.add(acc, b.mul(w, x))
        kind = "f32" if isinstance(element, ir.FloatType) else "f64"
        fma = cgutils.get_or_insert_function(
            b.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{lanes}{kind}"
        )
        return b.call(fma, [w, x, acc])

    def at(base: Any, index: Any) -> Any:
        return b.gep(base, [index])

    grid = [(r, v) for r in range(rows) for v in range(vectors)]
    x_base = at(data("x"), scalar("x_at"))
    w_base = at(data("weights"), scalar("w_at"))
    b_base = at(data("bias"), scalar("b_at"))
    o_base = at(data("out"), scalar("o_at"))
    offsets = data("offsets")
    targets = {
        (r, v): at(o_base, b.add(b.mul(scalar("o_step"), _INT(r)), _INT(v * lanes)))
        for r, v in grid
    }

    resuming = b.append_basic_block("resuming")
    starting = b.append_basic_block("starting")
    entering = b.append_basic_block("entering")
    looping = b.append_basic_block("looping")
    leaving = b.append_basic_block("leaving")
    b.cbranch(scalar("resume"), resuming, starting)

    b.position_at_end(resuming)
    old = {key: load(targets[key]) for key in grid}
    b.branch(entering)
    b.position_at_end(starting)
    biases = [broadcast(at(b_base, _INT(r))) for r in range(rows)]
    b.branch(entering)

    b.position_at_end(entering)
    initial = {}
    for r, v in grid:
        initial[r, v] = b.phi(vector)
        initial[r, v].add_incoming(old[r, v], resuming)
        initial[r, v].add_incoming(biases[r], starting)
    b.branch(looping)

    b.position_at_end(looping)
    term = b.phi(_INT)
    term.add_incoming(scalar("first"), entering)
    acc = {key: b.phi(vector) for key in grid}
    for key in grid:
        acc[key].add_incoming(initial[key], entering)
    x_here = at(x_base, b.load(at(offsets, term)))
    w_here = at(w_base, b.mul(term, _INT(rows)))
    inputs = [load(at(x_here, _INT(v * lanes))) for v in range(vectors)]
    updated = {}
    for r in range(rows):
        w = broadcast(at(w_here, _INT(r)))
        for v in range(vectors):
            updated[r, v] = multiply_add(w, inputs[v], acc[r, v])
    following = b.add(term, _INT(1))
    term.add_incoming(following, looping)
    for key in grid:
        acc[key].add_incoming(updated[key], looping)
    b.cbranch(b.icmp_signed("<", following, scalar("last")), looping, leaving)

    b.position_at_end(leaving)
    for key in grid:
        stored = b.store(updated[key], b.bitcast(targets[key], vector.as_pointer()))
        stored.align = alignment
