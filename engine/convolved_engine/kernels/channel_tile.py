"""The other low-level kernel: a tile of outputs whose vectors lie across channels.

Such a tile is `places` outputs, anywhere in the signal, by `vectors` vectors of neighboring output
channels. For each term it loads the weights of these channels, and for each output one number of
input, which all channels share. So it does not matter how outputs lie: neither short rows nor
strides waste anything, as they do where vectors hold neighboring outputs. The price is that what
comes out must be transposed.

The law is that of `convolved_engine.kernels.tile`, with the same bits.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .vectors import Code

__all__ = ["accumulate_channels", "transpose"]

_INT = ir.IntType(64)


@intrinsic(prefer_literal=True)
def accumulate_channels(
    _typing: Any,
    x: Any,
    x_at: Any,
    where: Any,
    first_place: Any,
    offsets: Any,
    first: Any,
    last: Any,
    weights: Any,
    w_at: Any,
    bias: Any,
    b_at: Any,
    out: Any,
    o_at: Any,
    resume: Any,
    places: Any,
    vectors: Any,
    lanes: Any,
) -> Any:
    """Compute one tile of out from the terms first..last; in a kernel only.

    With width = vectors * lanes, for output p and channel c of the tile, all arrays flat and 1-D:
    out[o_at + p * width + c] = (out's own value if resume else bias[b_at + c])
        + sum over t of weights[w_at + t * width + c]
        * x[x_at + where[first_place + p] + offsets[t]].
    `places`, `vectors` and `lanes` are compile-time constants.
    """
    shape = (places, vectors, lanes)
    if not all(isinstance(each, types.IntegerLiteral) for each in shape):
        return None
    i64 = types.int64
    signature = types.void(
        *(x, i64, where, i64, offsets, i64, i64, weights, i64, bias, i64, out, i64),
        *(types.boolean, *shape),
    )
    counts = tuple(each.literal_value for each in shape)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        given = _data(context, builder, sig, args)
        element = context.get_data_type(sig.args[0].dtype)
        _emit(Code(builder, element, counts[2]), *given[:14], *counts[:2])
        return context.get_dummy_value()

    return signature, generate


def _emit(
    code: Code,
    x: Any,
    x_at: Any,
    where: Any,
    first_place: Any,
    offsets: Any,
    first: Any,
    last: Any,
    weights: Any,
    w_at: Any,
    bias: Any,
    b_at: Any,
    out: Any,
    o_at: Any,
    resume: Any,
    places: int,
    vectors: int,
) -> None:
    b, lanes = code.b, code.lanes
    kind = "f32" if isinstance(code.element, ir.FloatType) else "f64"
    fma = cgutils.get_or_insert_function(
        b.module, ir.FunctionType(code.vector, [code.vector] * 3), f"llvm.fma.v{lanes}{kind}"
    )
    grid = [(p, v) for p in range(places) for v in range(vectors)]
    x_base, w_base, o_base = code.at(x, x_at), code.at(weights, w_at), code.at(out, o_at)
    read = [
        code.at(x_base, b.load(code.at(where, b.add(first_place, _INT(p))))) for p in range(places)
    ]
    # Every output begins with the same bias, or each with what it has.
    begin = b.select(resume, o_base, code.at(bias, b_at))
    step = b.select(resume, _INT(vectors * lanes), _INT(0))
    initial = {
        (p, v): code.load(begin, b.add(b.mul(step, _INT(p)), _INT(v * lanes))) for p, v in grid
    }
    entering = b.block
    looping = b.append_basic_block("looping")
    leaving = b.append_basic_block("leaving")
    b.branch(looping)

    b.position_at_end(looping)
    term = b.phi(_INT)
    term.add_incoming(first, entering)
    acc = {key: b.phi(code.vector) for key in grid}
    for key in grid:
        acc[key].add_incoming(initial[key], entering)
    offset = b.load(code.at(offsets, term))
    w_here = code.at(w_base, b.mul(term, _INT(vectors * lanes)))
    w = [code.load(w_here, v * lanes) for v in range(vectors)]
    updated = {}
    for p in range(places):
        shared = code.broadcast(read[p], offset)
        for v in range(vectors):
            updated[p, v] = b.call(fma, [w[v], shared, acc[p, v]])
    following = b.add(term, _INT(1))
    term.add_incoming(following, looping)
    for key in grid:
        acc[key].add_incoming(updated[key], looping)
    b.cbranch(b.icmp_signed("<", following, last), looping, leaving)

    b.position_at_end(leaving)
    for p, v in grid:
        code.store(updated[p, v], o_base, (p * vectors + v) * lanes)


@intrinsic(prefer_literal=True)
def transpose(
    _typing: Any, x: Any, x_at: Any, x_step: Any, out: Any, o_at: Any, o_step: Any, lanes: Any
) -> Any:
    """out[o_at + i * o_step + j] = x[x_at + j * x_step + i] for i and j below lanes."""
    if not isinstance(lanes, types.IntegerLiteral):
        return None
    i64 = types.int64
    signature = types.void(x, i64, i64, out, i64, i64, lanes)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source, x_at, x_step, target, o_at, o_step, _ = _data(context, builder, sig, args)
        element = context.get_data_type(sig.args[0].dtype)
        code = Code(builder, element, sig.args[-1].literal_value)
        x_base, o_base = code.at(source, x_at), code.at(target, o_at)
        rows = [code.load(x_base, builder.mul(x_step, _INT(j))) for j in range(code.lanes)]
        for i, column in enumerate(code.transpose(rows)):
            code.store(column, o_base, builder.mul(o_step, _INT(i)))
        return context.get_dummy_value()

    return signature, generate


def _data(context: Any, builder: Any, sig: Any, args: Any) -> list[Any]:
    """The arguments, of arrays the addresses of their data."""
    return [
        context.make_array(kind)(context, builder, value).data
        if isinstance(kind, types.Array)
        else value
        for kind, value in zip(sig.args, args, strict=True)
    ]
