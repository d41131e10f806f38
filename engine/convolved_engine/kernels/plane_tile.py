"""The third low-level kernel: a tile of outputs of one channel that reads one channel of input.

Such a tile is `rows` rows of outputs by `vectors` vectors of neighbors. Vectors that straddle two
lines of the cache are what a sum over few taps waits for, so each row of input is loaded only once,
by vectors side by side: what the taps of a row need is put together from two of them in registers,
and serves all rows of outputs that the row of input reaches. Loads leave out what lies beside the
input, and a row above or below it is read from where there are zeros; so no input is copied.

For that the kernel's size and stride must be known when this is compiled: there is code for each
of `KERNELS`. The law is that of `convolved_engine.kernels.tile`, with the same bits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .shapes import KERNELS, PLANE_TILES, REGISTERS, vectors_of_a_row
from .vectors import INT, Code

__all__ = ["accumulate_rows"]


@intrinsic(prefer_literal=True)
def accumulate_rows(
    _typing: Any,
    x: Any,
    x_at: Any,
    in_rows: Any,
    in_columns: Any,
    row_before: Any,
    column_before: Any,
    zeros: Any,
    weights: Any,
    w_at: Any,
    bias: Any,
    b_at: Any,
    out: Any,
    o_at: Any,
    first: Any,
    last: Any,
    out_columns: Any,
    spare: Any,
    kernel: Any,
    lanes: Any,
) -> Any:
    """Compute the rows first..last of a channel of out, tile by tile; in a kernel only.

    For row i and column j < out_columns, with all arrays flat and 1-D:
    out[o_at + i * out_columns + j] = bias[b_at] + sum over p and q of weights[w_at + p * side + q]
        * plane[i * stride + p - row_before, j * stride + q - column_before],
    plane being x[x_at:] as in_rows rows of in_columns, and 0 outside of them. (side, stride) is
    `KERNELS[kernel]`, which one being known at run time. zeros holds the zeros that a row may need,
    and spare has room for a row of a tile. `lanes` is a compile-time constant.
    """
    if not isinstance(lanes, types.IntegerLiteral):
        return None
    many = lanes.literal_value
    i64 = types.int64
    signature = types.void(
        *(x, i64, i64, i64, i64, i64, zeros, weights, i64, bias, i64),
        *(out, i64, i64, i64, i64, spare, i64, lanes),
    )
    tile = PLANE_TILES[REGISTERS[many * x.dtype.bitwidth // 8]]

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        given = [
            context.make_array(kind)(context, builder, value).data
            if isinstance(kind, types.Array)
            else value
            for kind, value in zip(sig.args, args, strict=True)
        ]
        code = Code(builder, context.get_data_type(sig.args[0].dtype), many)
        emitted = builder.append_basic_block("emitted")
        switch = builder.switch(given[17], emitted)
        for number, each in enumerate(KERNELS):
            switch.add_case(INT(number), builder.append_basic_block(f"kernel_{number}"))
            builder.position_at_end(switch.cases[-1][1])
            _emit_rows(code, given[:17], each, tile)
            builder.branch(emitted)
        builder.position_at_end(emitted)
        return context.get_dummy_value()

    return signature, generate


def _emit_rows(
    code: Code, given: list[Any], kernel: tuple[int, int], tile: tuple[int, int]
) -> None:
    """Tiles side by side, and below one another.

    The loops stand here, and not around the choice of the kernel, because what does not change in
    them would be kept for all kernels at once.
    """
    b = code.b
    x, x_at, in_rows, in_columns, row_before, column_before, zeros = given[:7]
    weights, w_at, bias, b_at, out, o_at, first, last, out_columns, spare = given[7:]
    (_, stride), (rows, vectors) = kernel, tile
    width = INT(vectors * code.lanes)

    def times_stride(place: Any, before: Any) -> Any:
        return b.sub(b.mul(place, INT(stride)), before)

    latest = b.sub(out_columns, width)
    latest = b.select(b.icmp_signed(">", latest, INT(0)), latest, INT(0))
    with cgutils.for_range_slice(b, first, last, INT(rows)) as (i, _):
        row = times_stride(i, row_before)
        read = b.add(x_at, b.mul(row, in_columns))
        written = b.add(o_at, b.mul(i, out_columns))
        with cgutils.for_range_slice(b, INT(0), out_columns, width) as (place, _):
            # The last one overlaps the one before, so that it is whole.
            j = b.select(b.icmp_signed("<", place, latest), place, latest)
            column = times_stride(j, column_before)
            corner = code.at(x, b.add(read, column))
            field = _Field(corner, row, column, in_rows, in_columns, zeros)
            corner = code.at(out, b.add(written, j))
            left = b.sub(last, i), b.sub(out_columns, j)
            _emit(
                code,
                kernel,
                tile,
                field,
                code.at(weights, w_at),
                code.broadcast(bias, b_at),
                _Place(corner, out_columns, *left, spare),
            )


class _Field(NamedTuple):
    """What a tile reads, from a corner that may lie outside of the input on."""

    corner: Any
    row: Any
    column: Any
    in_rows: Any
    in_columns: Any
    zeros: Any


class _Place(NamedTuple):
    """Where a tile goes, how many rows and columns are left there, and where others may go."""

    corner: Any
    pitch: Any
    rows: Any
    columns: Any
    spare: Any


def _emit(
    code: Code,
    kernel: tuple[int, int],
    tile: tuple[int, int],
    field: _Field,
    weights: Any,
    begin: Any,
    place: _Place,
) -> None:
    b, lanes = code.b, code.lanes
    (side, stride), (rows, vectors) = kernel, tile
    w = [[code.broadcast(weights, p * side + q) for q in range(side)] for p in range(side)]
    acc = {(i, v): begin for i in range(rows) for v in range(vectors)}
    within = [
        code.below(b.add(field.column, INT(n * lanes)), field.in_columns)
        for n in range(vectors_of_a_row(side, stride, vectors, lanes))
    ]

    for number in range((rows - 1) * stride + side):
        here = b.add(field.row, INT(number))
        # A negative one is a large one here.
        inside = b.icmp_unsigned("<", here, field.in_rows)
        line = code.at(field.corner, b.mul(INT(number), field.in_columns))
        line = b.select(inside, line, field.zeros)
        if number >= side - stride:
            # What the tile below will read besides; a CPU does not guess it of rows so short.
            ahead = code.at(field.corner, b.mul(INT(number + rows * stride), field.in_columns))
            for n in range(stride * vectors):
                code.prefetch(ahead, n * lanes)
        loaded = [code.load_some(mask, line, n * lanes) for n, mask in enumerate(within)]
        phases = [_parted(code, loaded, phase, stride) for phase in range(stride)]
        for q in range(side):
            for v in range(vectors):
                first, shift = divmod(v * lanes + q // stride, lanes)
                shifted = phases[q % stride][first]
                if shift:
                    picked = [shift + lane for lane in range(lanes)]
                    shifted = code.pick(shifted, phases[q % stride][first + 1], picked)
                for i in range(rows):
                    p = number - i * stride
                    if 0 <= p < side:
                        acc[i, v] = code.multiply_add(w[p][q], shifted, acc[i, v])

    # Without branches, between which sums would wait for one another.
    kept = [code.below(INT(v * lanes), place.columns) for v in range(vectors)]
    for i in range(rows):
        wanted = b.icmp_signed("<", INT(i), place.rows)
        target = b.select(wanted, code.at(place.corner, b.mul(place.pitch, INT(i))), place.spare)
        for v, mask in enumerate(kept):
            code.store_some(mask, acc[i, v], target, v * lanes)


def _parted(code: Code, loaded: list[Any], phase: int, stride: int) -> list[Any]:
    """Every stride-th number from `phase` on, of 1 or 2, in vectors side by side."""
    if stride == 1:
        return loaded
    pairs = zip(loaded[::2], [*loaded[1::2], loaded[-1]], strict=False)
    picked = [2 * lane + phase for lane in range(code.lanes)]
    return [code.pick(one, two, picked) for one, two in pairs]
