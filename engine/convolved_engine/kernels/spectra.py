"""Sums of products of spectra, kept in vector registers.

A spectrum is cut into stretches of `vectors` vectors of bins; the stretches of consecutive spectra
follow one another, real parts before imaginary ones, so that a sum over many reads from end to
end.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.extending import intrinsic

from .vectors import INT, Code, intrinsic_code

__all__ = ["add_products"]


def _emit_products(code: Code, given: list[Any], literals: list[int]) -> None:
    x, x_at, h, h_at, count, re, im, resume = given
    vectors, lanes = literals
    b = code.b
    width = vectors * lanes

    resuming = b.append_basic_block("resuming")
    starting = b.append_basic_block("starting")
    entering = b.append_basic_block("entering")
    looping = b.append_basic_block("looping")
    leaving = b.append_basic_block("leaving")
    b.cbranch(b.icmp_signed("!=", resume, INT(0)), resuming, starting)
    keys = [(part, v) for part in (0, 1) for v in range(vectors)]
    places = (re, im)
    b.position_at_end(resuming)
    old = {(p, v): code.load(x, b.add(places[p], INT(v * lanes))) for p, v in keys}
    b.branch(entering)
    b.position_at_end(starting)
    b.branch(entering)
    b.position_at_end(entering)
    begun = {}
    for key in keys:
        begun[key] = b.phi(code.vector)
        begun[key].add_incoming(old[key], resuming)
        begun[key].add_incoming(code.constant(0.0), starting)
    b.branch(looping)
    b.position_at_end(looping)
    term = b.phi(INT)
    term.add_incoming(INT(0), entering)
    sums = {key: b.phi(code.vector) for key in keys}
    for key in keys:
        sums[key].add_incoming(begun[key], entering)
    step = b.mul(term, INT(2 * width))
    x_here, h_here = b.add(x_at, step), b.add(h_at, step)
    found = {}
    for v in range(vectors):
        xr, xi, hr, hi = (
            code.load(array, b.add(here, INT(part * width + v * lanes)))
            for array, here in ((x, x_here), (h, h_here))
            for part in (0, 1)
        )
        real = code.add(sums[0, v], code.multiply(xr, hr))
        found[0, v] = code.subtract(real, code.multiply(xi, hi))
        imaginary = code.add(sums[1, v], code.multiply(xr, hi))
        found[1, v] = code.add(imaginary, code.multiply(xi, hr))
    following = b.add(term, INT(1))
    term.add_incoming(following, looping)
    for key in keys:
        sums[key].add_incoming(found[key], looping)
    b.cbranch(b.icmp_signed("<", following, count), looping, leaving)
    b.position_at_end(leaving)
    for part, v in keys:
        code.store(found[part, v], x, b.add(places[part], INT(v * lanes)))


@intrinsic(prefer_literal=True)
def _add_products(
    _typing: Any,
    x: Any,
    x_at: Any,
    h: Any,
    h_at: Any,
    count: Any,
    re: Any,
    im: Any,
    resume: Any,
    vectors: Any,
    lanes: Any,
) -> Any:
    """Put the sum of the products of `count` >= 1 pairs of stretches, at x[x_at] and h[h_at] and
    on, to x[re] and x[im] and on, or add it to what is there, to `resume`.
    """
    if not all(isinstance(each, types.IntegerLiteral) for each in (vectors, lanes)):
        return None
    fixed = (x, x_at, h, h_at, count, re, im, resume)
    plain = (each if isinstance(each, types.Array) else types.int64 for each in fixed)
    return intrinsic_code(_emit_products, (*plain, vectors, lanes))


add_products: Any = _add_products
