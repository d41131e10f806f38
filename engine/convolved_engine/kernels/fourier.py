"""Complex Fourier transforms of powers of two, divided into pieces that can be done one by one.

A transform is a row of passes (Stockham's self-sorting form): each takes blocks of `radix`
numbers apart from one another, transforms them in registers and turns them by twiddle factors.
The first pass has as many numbers in a block as a vector has lanes and exchanges rows and
columns, so that every pass reads and writes whole vectors. A pass may be done in any pieces.
Between pieces it may ask for memory that is needed later.

Real and imaginary parts lie in two stretches of one array. To transform back is to transform with
the two exchanged.

Source: C. Van Loan, "Computational Frameworks for the Fast Fourier Transform" (1992), 1.7.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from numba.core import types
from numba.extending import intrinsic

from .compile import kernel, revision
from .prefetch import LINE
from .prefetch import prefetch as _prefetch
from .vectors import INT, Code, intrinsic_code

__all__ = ["passes"]

Pair = tuple[Any, Any]

_LATER_RADICES = (2, 4, 8, 16)


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


def _emit_cases(code: Code, key: Any, cases: Mapping[int, Callable[[], None]]) -> None:
    """What of the cases the integer `key`, which is one of them, tells at run time."""
    b = code.b
    leaving = b.append_basic_block("leaving")
    switch = b.switch(key, leaving)
    for value, emit in cases.items():
        block = b.append_basic_block(f"case_{value}")
        switch.add_case(INT(value), block)
        b.position_at_end(block)
        emit()
        b.branch(leaving)
    b.position_at_end(leaving)


def _emit_first(code: Code, given: list[Any], literals: list[int]) -> None:
    x, re, im, step, constants, twiddles, twist_re, twist_im, to_re, to_im, twisted = given
    (radix,) = literals
    b = code.b
    code.align_stack()

    def block(*, twisted: bool) -> None:
        z = []
        for j in range(radix):
            offset = b.mul(step, step.type(j))
            value = code.load(x, b.add(re, offset)), code.load(x, b.add(im, offset))
            if twisted:
                turn = (
                    code.load(constants, b.add(twist_re, offset)),
                    code.load(constants, b.add(twist_im, offset)),
                )
                value = code.rotate(value, turn)
            z.append(value)
        z = _small(code, z)
        for k in range(1, radix):
            at = b.add(twiddles, b.mul(step, step.type(2 * (k - 1))))
            turn = code.load(constants, at), code.load(constants, b.add(at, step))
            z[k] = code.rotate(z[k], turn)
        for place, part in ((to_re, 0), (to_im, 1)):
            for k, row in enumerate(code.transpose([value[part] for value in z])):
                code.store(row, x, b.add(place, place.type(k * radix)))

    cases = {0: partial(block, twisted=False), 1: partial(block, twisted=True)}
    _emit_cases(code, twisted, cases)


@intrinsic(prefer_literal=True)
def _first(
    _typing: Any,
    x: Any,
    re: Any,
    im: Any,
    step: Any,
    constants: Any,
    twiddles: Any,
    twist_re: Any,
    twist_im: Any,
    to_re: Any,
    to_im: Any,
    twisted: Any,
    lanes: Any,
) -> Any:
    """As many blocks of `lanes` numbers, `step` apart from one another, as a vector has lanes."""
    plain = (re, im, step, constants, twiddles, twist_re, twist_im, to_re, to_im, twisted)
    return _typed(_emit_first, (x, *plain), lanes)


def _emit_later(code: Code, given: list[Any], literals: list[int]) -> None:
    x, re, im, step, constants, twiddles, to_re, to_im, to_step, radix, turned = given
    b = code.b
    code.align_stack()

    def block(radix: int, *, turned: bool) -> None:
        z = []
        for j in range(radix):
            offset = b.mul(step, step.type(j))
            z.append((code.load(x, b.add(re, offset)), code.load(x, b.add(im, offset))))
        z = _small(code, z)
        for k in range(radix):
            value = z[k]
            if turned and k:
                at = b.add(twiddles, twiddles.type(2 * (k - 1)))
                turn = (
                    code.broadcast(constants, at),
                    code.broadcast(constants, b.add(at, at.type(1))),
                )
                value = code.rotate(value, turn)
            offset = b.mul(to_step, to_step.type(k))
            code.store(value[0], x, b.add(to_re, offset))
            code.store(value[1], x, b.add(to_im, offset))

    cases: dict[int, Callable[[], None]] = {}
    for each in _LATER_RADICES:
        cases[2 * each] = partial(block, each, turned=False)
        cases[2 * each + 1] = partial(block, each, turned=True)
    _emit_cases(code, b.add(b.mul(radix, INT(2)), turned), cases)


@intrinsic(prefer_literal=True)
def _later(
    _typing: Any,
    x: Any,
    re: Any,
    im: Any,
    step: Any,
    constants: Any,
    twiddles: Any,
    to_re: Any,
    to_im: Any,
    to_step: Any,
    radix: Any,
    turned: Any,
    lanes: Any,
) -> Any:
    """A vector of blocks of `radix` numbers, `step` apart from one another."""
    plain = (re, im, step, constants, twiddles, to_re, to_im, to_step, radix, turned)
    return _typed(_emit_later, (x, *plain), lanes)


def _typed(emit: Any, arguments: tuple[Any, ...], lanes: Any) -> Any:
    """Integers that happen to be literal are none of the constants; `lanes` is one."""
    if not isinstance(lanes, types.IntegerLiteral):
        return None
    plain = (each if isinstance(each, types.Array) else types.int64 for each in arguments)
    return intrinsic_code(emit, (*plain, lanes))


first_of_blocks: Any = _first
later_of_blocks: Any = _later
prefetch: Any = _prefetch


@cache
def passes(lanes: int) -> tuple[Any, Any]:
    """The kernels (first, later) for vectors of that length, from place to place in one array x.

    first(x, re, im, n, constants, twiddles, twist, to_re, to_im, begin, end): the pieces
    begin..end-1 of the first pass, of which there are n / lanes^2; twist is the place of the
    factors by which the input is turned first, -1 for none.

    later(x, re, im, n, s, radix, constants, twiddles, to_re, to_im, begin, end): the pieces of
    a pass over the s transforms of length n that are left, of which there are s n / (radix lanes).

    Both take two more: an address, and how many lines of the cache from there on each piece asks
    for, 0 for none.
    """
    parts_revision = revision("vectors", "prefetch")

    @kernel
    def first(
        x: Any,
        re: int,
        im: int,
        n: int,
        constants: Any,
        twiddles: int,
        twist: int,
        to_re: int,
        to_im: int,
        begin: int,
        end: int,
        ahead: int,
        lines: int,
    ) -> None:
        # Named here to be held by the closure.
        _ = parts_revision
        step = n // lanes
        twisted = 1 if twist >= 0 else 0
        for piece in range(begin, end):
            for line in range(lines):
                prefetch(ahead + line * LINE)
            ahead += lines * LINE
            p = piece * lanes
            to = p * lanes
            first_of_blocks(
                x,
                re + p,
                im + p,
                step,
                constants,
                twiddles + p,
                twist + p,
                twist + n + p,
                to_re + to,
                to_im + to,
                twisted,
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
        constants: Any,
        twiddles: int,
        to_re: int,
        to_im: int,
        begin: int,
        end: int,
        ahead: int,
        lines: int,
    ) -> None:
        _ = parts_revision
        across = s // lanes
        step = s * (n // radix)
        # In the last pass every factor is one.
        turned = 1 if n > radix else 0
        for piece in range(begin, end):
            for line in range(lines):
                prefetch(ahead + line * LINE)
            ahead += lines * LINE
            p, q = piece // across, (piece % across) * lanes
            at, to = q + s * p, q + s * radix * p
            later_of_blocks(
                x,
                re + at,
                im + at,
                step,
                constants,
                twiddles + 2 * (radix - 1) * p,
                to_re + to,
                to_im + to,
                s,
                radix,
                turned,
                lanes,
            )

    return first, later
