"""Complex Fourier transforms of powers of two, divided into pieces that can be done one by one.

A transform is a row of passes (Stockham's self-sorting form): each takes blocks of `radix`
numbers apart from one another, transforms them in registers and turns them by twiddle factors.
The first pass has as many numbers in a block as a vector has lanes and exchanges rows and
columns, so that every pass reads and writes whole vectors. A pass may be done in any pieces.

Real and imaginary parts lie in two arrays. To transform back is to transform with the two
exchanged.

Source: C. Van Loan, "Computational Frameworks for the Fast Fourier Transform" (1992), 1.7.
"""

from __future__ import annotations

import cmath
import math
from functools import cache
from typing import Any

from numba.core import types
from numba.extending import intrinsic

from .compile import kernel, revision
from .vectors import Code, intrinsic_code

__all__ = ["passes"]

Pair = tuple[Any, Any]


def _small(code: Code, z: list[Pair]) -> list[Pair]:
    """The transform of a few complex vectors, in order."""
    n = len(z)
    if n == 1:
        return z
    even, odd = _small(code, z[0::2]), _small(code, z[1::2])
    found: list[Any] = [None] * n
    for k in range(n // 2):
        turned = _turned(code, odd[k], cmath.exp(-2j * math.pi * k / n), k * 4 == n, k == 0)
        found[k] = (code.add(even[k][0], turned[0]), code.add(even[k][1], turned[1]))
        found[k + n // 2] = (
            code.subtract(even[k][0], turned[0]),
            code.subtract(even[k][1], turned[1]),
        )
    return found


def _turned(code: Code, z: Pair, w: complex, quarter: bool, not_at_all: bool) -> Pair:
    if not_at_all:
        return z
    if quarter:
        return z[1], code.subtract(code.constant(0.0), z[0])
    return code.rotate(z, (code.constant(w.real), code.constant(w.imag)))


def _emit_first(code: Code, given: list[Any], literals: list[int]) -> None:
    x, re, im, step, tables, twiddles, twist_re, twist_im, y, out_re, out_im = given
    twisted, radix = literals
    b = code.b
    z = []
    for j in range(radix):
        offset = b.mul(step, step.type(j))
        value = code.load(x, b.add(re, offset)), code.load(x, b.add(im, offset))
        if twisted:
            turn = (
                code.load(tables, b.add(twist_re, offset)),
                code.load(tables, b.add(twist_im, offset)),
            )
            value = code.rotate(value, turn)
        z.append(value)
    z = _small(code, z)
    for k in range(1, radix):
        at = b.add(twiddles, b.mul(step, step.type(2 * (k - 1))))
        z[k] = code.rotate(z[k], (code.load(tables, at), code.load(tables, b.add(at, step))))
    for place, part in ((out_re, 0), (out_im, 1)):
        for k, row in enumerate(code.transpose([value[part] for value in z])):
            code.store(row, y, b.add(place, place.type(k * radix)))


@intrinsic(prefer_literal=True)
def _first(
    _typing: Any,
    x: Any,
    re: Any,
    im: Any,
    step: Any,
    tables: Any,
    twiddles: Any,
    twist_re: Any,
    twist_im: Any,
    y: Any,
    out_re: Any,
    out_im: Any,
    twisted: Any,
    lanes: Any,
) -> Any:
    """As many blocks of `lanes` numbers, `step` apart from one another, as a vector has lanes."""
    arguments = (
        *(x, re, im, step, tables, twiddles, twist_re, twist_im, y, out_re, out_im),
        *(twisted, lanes),
    )
    if not all(isinstance(each, types.IntegerLiteral) for each in arguments[-2:]):
        return None
    return _typed(_emit_first, arguments, 2)


def _emit_later(code: Code, given: list[Any], literals: list[int]) -> None:
    x, re, im, step, tables, twiddles, y, out_re, out_im, out_step = given
    turned, radix, _ = literals
    b = code.b
    z = []
    for j in range(radix):
        offset = b.mul(step, step.type(j))
        z.append((code.load(x, b.add(re, offset)), code.load(x, b.add(im, offset))))
    z = _small(code, z)
    for k in range(radix):
        value = z[k]
        if turned and k:
            at = b.add(twiddles, twiddles.type(2 * (k - 1)))
            turn = code.broadcast(tables, at), code.broadcast(tables, b.add(at, at.type(1)))
            value = code.rotate(value, turn)
        offset = b.mul(out_step, out_step.type(k))
        code.store(value[0], y, b.add(out_re, offset))
        code.store(value[1], y, b.add(out_im, offset))


@intrinsic(prefer_literal=True)
def _later(
    _typing: Any,
    x: Any,
    re: Any,
    im: Any,
    step: Any,
    tables: Any,
    twiddles: Any,
    y: Any,
    out_re: Any,
    out_im: Any,
    out_step: Any,
    turned: Any,
    radix: Any,
    lanes: Any,
) -> Any:
    """A vector of blocks of `radix` numbers, `step` apart from one another."""
    arguments = (
        *(x, re, im, step, tables, twiddles, y, out_re, out_im, out_step),
        *(turned, radix, lanes),
    )
    if not all(isinstance(each, types.IntegerLiteral) for each in arguments[-3:]):
        return None
    return _typed(_emit_later, arguments, 3)


def _typed(emit: Any, arguments: tuple[Any, ...], literals: int) -> Any:
    """Integers that happen to be literal are none of the constants."""
    fixed = tuple(
        each if isinstance(each, types.Array) else types.int64 for each in arguments[:-literals]
    )
    return intrinsic_code(emit, (*fixed, *arguments[-literals:]))


first_of_blocks: Any = _first
later_of_blocks: Any = _later


@cache
def passes(lanes: int) -> tuple[Any, Any]:
    """The kernels (first, later) for vectors of that length.

    first(x, re, im, n, tables, twiddles, twist, y, out_re, out_im, begin, end): the pieces
    begin..end-1 of the first pass, of which there are n / lanes^2; twist is the place of the
    factors by which the input is turned first, -1 for none.

    later(x, re, im, n, s, radix, tables, twiddles, y, out_re, out_im, begin, end): the pieces of
    a pass over the s transforms of length n that are left, of which there are s n / (radix lanes).
    """
    parts_revision = revision("vectors")

    @kernel
    def first(
        x: Any,
        re: int,
        im: int,
        n: int,
        tables: Any,
        twiddles: int,
        twist: int,
        y: Any,
        out_re: int,
        out_im: int,
        begin: int,
        end: int,
    ) -> None:
        # Named here to be held by the closure.
        _ = parts_revision
        step = n // lanes
        for piece in range(begin, end):
            p = piece * lanes
            to = p * lanes
            if twist >= 0:
                first_of_blocks(
                    x,
                    re + p,
                    im + p,
                    step,
                    tables,
                    twiddles + p,
                    twist + p,
                    twist + n + p,
                    y,
                    out_re + to,
                    out_im + to,
                    1,
                    lanes,
                )
            else:
                first_of_blocks(
                    x,
                    re + p,
                    im + p,
                    step,
                    tables,
                    twiddles + p,
                    0,
                    0,
                    y,
                    out_re + to,
                    out_im + to,
                    0,
                    lanes,
                )

    @kernel
    def later(
        x: Any,
        re: int,
        im: int,
        n: int,
        s: int,
        radix: int,
        tables: Any,
        twiddles: int,
        y: Any,
        out_re: int,
        out_im: int,
        begin: int,
        end: int,
    ) -> None:
        _ = parts_revision
        across = s // lanes
        step = s * (n // radix)
        for piece in range(begin, end):
            p, q = piece // across, (piece % across) * lanes
            at, to = q + s * p, q + s * radix * p
            turn = twiddles + 2 * (radix - 1) * p
            if n == radix:
                if radix == 16:
                    later_of_blocks(
                        x,
                        re + at,
                        im + at,
                        step,
                        tables,
                        turn,
                        y,
                        out_re + to,
                        out_im + to,
                        s,
                        0,
                        16,
                        lanes,
                    )
                elif radix == 8:
                    later_of_blocks(
                        x,
                        re + at,
                        im + at,
                        step,
                        tables,
                        turn,
                        y,
                        out_re + to,
                        out_im + to,
                        s,
                        0,
                        8,
                        lanes,
                    )
                elif radix == 4:
                    later_of_blocks(
                        x,
                        re + at,
                        im + at,
                        step,
                        tables,
                        turn,
                        y,
                        out_re + to,
                        out_im + to,
                        s,
                        0,
                        4,
                        lanes,
                    )
                else:
                    later_of_blocks(
                        x,
                        re + at,
                        im + at,
                        step,
                        tables,
                        turn,
                        y,
                        out_re + to,
                        out_im + to,
                        s,
                        0,
                        2,
                        lanes,
                    )
            elif radix == 16:
                later_of_blocks(
                    x,
                    re + at,
                    im + at,
                    step,
                    tables,
                    turn,
                    y,
                    out_re + to,
                    out_im + to,
                    s,
                    1,
                    16,
                    lanes,
                )
            elif radix == 8:
                later_of_blocks(
                    x,
                    re + at,
                    im + at,
                    step,
                    tables,
                    turn,
                    y,
                    out_re + to,
                    out_im + to,
                    s,
                    1,
                    8,
                    lanes,
                )
            else:
                later_of_blocks(
                    x,
                    re + at,
                    im + at,
                    step,
                    tables,
                    turn,
                    y,
                    out_re + to,
                    out_im + to,
                    s,
                    1,
                    4,
                    lanes,
                )

    return first, later
