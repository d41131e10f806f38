"""The one low-level kernel: a tile of outputs kept in vector registers.

A tile is `rows` output channels by `vectors` vectors of `lanes` neighboring outputs. For each
term (one tap of one input channel) it loads `vectors` vectors of input, which all rows share, and
one weight for each row, and does rows * vectors multiply-adds on accumulators that never leave
the registers. Where a term's input lies is looked up in a table of offsets, so that dilation and
further axes cost nothing.

The law: each output is one chain of operations, acc = bias, then acc = acc + w * x for each term
in order, fused for floats and exact for integers. The shape of the tile does not enter, so that
tiles of all shapes give the same bits.

Tiles side by side prefetch for one another: the processor does not foresee reads that jump from
channel to channel, and where the input lies beyond the caches it would wait for each.

It must be an intrinsic: from loops the compiler keeps fewer accumulators in registers and
reaches about 60 % of the speed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .prefetch import emit_prefetch
from .shapes import REGISTERS, SHAPES

__all__ = ["accumulate", "accumulate_many"]

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
    counts = tuple(each.literal_value for each in shape)

    def emit(b: Any, element: Any, given: dict[str, Any]) -> None:
        nowhere = {"ahead": 0, "ahead_from": _INT(0), "ahead_step": _INT(0)}
        _emit(b, element, given | nowhere, counts)

    i64 = types.int64
    return _typed(
        (*_PLACES, "rows", "vectors", "lanes"),
        (
            *(x, i64, offsets, i64, i64, weights, i64, bias, i64, out, i64, i64),
            *(types.boolean, *shape),
        ),
        emit,
    )


_PLACES = (
    *("x", "x_at", "offsets", "first", "last", "weights", "w_at"),
    *("bias", "b_at", "out", "o_at", "o_step", "resume"),
)
_BOUNDS = ("w_step", "begin", "end", "last_column", "begin_block", "end_block", "last_row")


@intrinsic(prefer_literal=True)
def accumulate_many(
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
    w_step: Any,
    begin: Any,
    end: Any,
    last_column: Any,
    begin_block: Any,
    end_block: Any,
    last_row: Any,
    rows: Any,
    vectors: Any,
    lanes: Any,
) -> Any:
    """Compute tiles side by side, of blocks of rows; in a kernel only.

    For tile in range(begin, end), at column j = min(tile * vectors * lanes, last_column), and block
    in range(begin_block, end_block), at row r = min(block * rows, last_row), `accumulate` with
    x_at + j, w_at + block * w_step, b_at + r and o_at + r * o_step + j. The shape of the tiles is
    one of `SHAPES`, which one being known at run time: there is code for each.
    """
    if not isinstance(lanes, types.IntegerLiteral):
        return None
    many = lanes.literal_value
    shapes = SHAPES[REGISTERS[many * x.dtype.bitwidth // 8]]
    key = max(vectors for each in shapes.values() for vectors in each) + 1

    def emit(b: Any, element: Any, given: dict[str, Any]) -> None:
        emitted = b.append_basic_block("emitted")
        switch = b.switch(b.add(b.mul(given["rows"], _INT(key)), given["vectors"]), emitted)
        for rows, each in shapes.items():
            for vectors in each:
                tiles = b.append_basic_block(f"tiles_{rows}_{vectors}")
                switch.add_case(_INT(rows * key + vectors), tiles)
                b.position_at_end(tiles)
                _emit_many(b, element, given, (rows, vectors, many))
                b.branch(emitted)
        b.position_at_end(emitted)

    i64 = types.int64
    return _typed(
        (*_PLACES, *_BOUNDS, "rows", "vectors", "lanes"),
        (
            *(x, i64, offsets, i64, i64, weights, i64, bias, i64, out, i64, i64),
            *(types.boolean, *(i64,) * (len(_BOUNDS) + 2), lanes),
        ),
        emit,
    )


def _emit_many(b: Any, element: Any, given: dict[str, Any], counts: tuple[int, int, int]) -> None:
    rows, vectors, lanes = counts

    def place(number: Any, size: int, last: str) -> Any:
        found = b.mul(number, _INT(size))
        return b.select(b.icmp_signed("<", found, given[last]), found, given[last])

    one = _INT(1)
    pace = b.udiv(_INT(1 << 32), b.sub(given["end_block"], given["begin_block"]))
    with cgutils.for_range_slice(b, given["begin"], given["end"], one) as (tile, _):
        j = place(tile, vectors * lanes, "last_column")
        with cgutils.for_range_slice(b, given["begin_block"], given["end_block"], one) as (
            block,
            _,
        ):
            r = place(block, rows, "last_row")
            here = {
                "x_at": j,
                "w_at": b.mul(block, given["w_step"]),
                "b_at": r,
                "o_at": b.add(b.mul(r, given["o_step"]), j),
            }
            moved = {name: b.add(given[name], step) for name, step in here.items()}
            # What the next tile reads comes nearer while this one is summed, each block of rows
            # asking for its share: as a fraction of 2 ** 32, the terms follow one another slower.
            passed = b.mul(b.sub(block, given["begin_block"]), b.sub(given["last"], given["first"]))
            begun = b.add(b.shl(given["first"], _INT(32)), b.mul(passed, pace))
            ahead = {"ahead": vectors * lanes, "ahead_from": begun, "ahead_step": pace}
            _emit(b, element, given | moved | ahead, counts)


def _typed(
    names: tuple[str, ...],
    kinds: tuple[Any, ...],
    emit: Callable[[Any, Any, dict[str, Any]], None],
) -> Any:
    """What the intrinsics return: `emit` gets the builder, the type of a number and arguments."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        given = {
            name: context.make_array(kind)(context, builder, value).data
            if isinstance(kind, types.Array)
            else value
            for name, kind, value in zip(names, sig.args, args, strict=True)
        }
        emit(builder, context.get_data_type(kinds[0].dtype), given)
        return context.get_dummy_value()

    return types.void(*kinds), generate


def _emit(b: Any, element: Any, given: dict[str, Any], counts: tuple[int, int, int]) -> None:
    rows, vectors, lanes = counts
    alignment = 4 if isinstance(element, ir.FloatType) or element == _INDEX else 8
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

    # In each cycle two multiply-adds and two loads begin, and those of x straddle two lines.
    sums_leave_room = rows * vectors >= rows + 3 * vectors
    grid = [(r, v) for r in range(rows) for v in range(vectors)]
    x_base = at(given["x"], given["x_at"])
    w_base = at(given["weights"], given["w_at"])
    b_base = at(given["bias"], given["b_at"])
    o_base = at(given["out"], given["o_at"])
    offsets = given["offsets"]
    targets = {
        (r, v): at(o_base, b.add(b.mul(given["o_step"], _INT(r)), _INT(v * lanes))) for r, v in grid
    }

    resuming = b.append_basic_block("resuming")
    starting = b.append_basic_block("starting")
    entering = b.append_basic_block("entering")
    looping = b.append_basic_block("looping")
    leaving = b.append_basic_block("leaving")
    b.cbranch(given["resume"], resuming, starting)

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
    term.add_incoming(given["first"], entering)
    acc = {key: b.phi(vector) for key in grid}
    for key in grid:
        acc[key].add_incoming(initial[key], entering)
    if sums_leave_room:
        place = b.phi(_INT)
    x_here = at(x_base, b.load(at(offsets, term)))
    w_here = at(w_base, b.mul(term, _INT(rows)))
    inputs = [load(at(x_here, _INT(v * lanes))) for v in range(vectors)]
    if sums_leave_room:
        next_place = b.add(place, given["ahead_step"])
        place.add_incoming(given["ahead_from"], entering)
        place.add_incoming(next_place, looping)
        following = at(x_base, b.load(at(offsets, b.lshr(place, _INT(32)))))
        for v in range(vectors):
            emit_prefetch(b, at(following, _INT(given["ahead"] + v * lanes)))
    updated = {}
    for r in range(rows):
        w = broadcast(at(w_here, _INT(r)))
        for v in range(vectors):
            updated[r, v] = multiply_add(w, inputs[v], acc[r, v])
    next_term = b.add(term, _INT(1))
    term.add_incoming(next_term, looping)
    for key in grid:
        acc[key].add_incoming(updated[key], looping)
    b.cbranch(b.icmp_signed("<", next_term, given["last"]), looping, leaving)

    b.position_at_end(leaving)
    for key in grid:
        stored = b.store(updated[key], b.bitcast(targets[key], vector.as_pointer()))
        stored.align = alignment
