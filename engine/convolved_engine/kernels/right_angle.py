"""Overlap-save of real signals along one axis: there, times the kernel, and back, block by block.

A block of 2n samples is transformed as n complex numbers, z[k] = (x[k] + i x[k + n]) w^k with
w = exp(i pi / 2n); see `convolved_engine.streaming.transform`. What wraps around changes its sign,
but falls upon outputs that are thrown away in any case. The product with the spectrum of the
weight is taken where the first pass of the transform back reads it.

With a stride s that divides n the product is folded before it is transformed back: the spectrum of
every s-th number is a sum over bins that lie n / s apart,
Y'[k] = (Y[k] + Y[k + n / s] + ... + Y[k + (s - 1) n / s]) / s,
so that the transform back has n / s points. Source: A. Oppenheim, R. Schafer, Discrete-Time Signal
Processing, section 4.6.1.

Memory is slower than the arithmetic where a block reads and writes it at once. So transforms ask
for it, a few lines at a time: on the way there for where the outputs go, on the way back for the
samples of the next block. A long signal then takes hardly longer than one in the cache.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .compile import kernel, revision
from .dealing import take as _take
from .fourier import passes
from .prefetch import LINE
from .prefetch import address_of as _address_of

__all__ = ["right_angle"]

take: Any = _take
address_of: Any = _address_of

# A signed index might count from the end; asking that of each one keeps loops from vectors.
unsigned = np.uint64


@kernel
def _stage(
    x: Any, space: Any, at: int, first: int, step: int, low: int, high: int, length: int
) -> None:
    """Put every step-th sample from x[first] on to at + low .. at + high, zeros around them."""
    for k in range(low):
        space[unsigned(at + k)] = 0
    if step == 1:
        for k in range(low, high):
            space[unsigned(at + k)] = x[unsigned(first + k)]
    else:
        for k in range(low, high):
            space[unsigned(at + k)] = x[unsigned(first + k * step)]
    for k in range(high, length):
        space[unsigned(at + k)] = 0


@kernel
def _unfold(
    space: Any, at: int, constants: Any, twist: int, n: int, bias: Any, y: Any, to: int, count: int
) -> None:
    """Turn the result of a transform back, its imaginary part first, into `count` outputs."""
    for k in range(min(count, n)):
        y[unsigned(to + k)] = bias + (
            space[unsigned(at + n + k)] * constants[unsigned(twist + k)]
            + space[unsigned(at + k)] * constants[unsigned(twist + n + k)]
        )
    for k in range(count - n):
        y[unsigned(to + n + k)] = bias + (
            space[unsigned(at + k)] * constants[unsigned(twist + k)]
            - space[unsigned(at + n + k)] * constants[unsigned(twist + n + k)]
        )


@kernel
def _add_products(space: Any, x: int, constants: Any, h: int, n: int, to: int, folded: int) -> None:
    """Add the products of a spectrum with a conjugate one, folded, to what there is."""
    for part in range(n // folded):
        at, turn = x + part * folded, h + part * folded
        for k in range(folded):
            space[unsigned(to + k)] += (
                space[unsigned(at + k)] * constants[unsigned(turn + k)]
                + space[unsigned(at + n + k)] * constants[unsigned(turn + n + k)]
            )
        for k in range(folded):
            space[unsigned(to + folded + k)] += (
                space[unsigned(at + n + k)] * constants[unsigned(turn + k)]
                - space[unsigned(at + k)] * constants[unsigned(turn + n + k)]
            )


@cache
def right_angle(lanes: int) -> tuple[Any, Any]:
    """The kernels (transform, convolve) for vectors of that many numbers.

    transform(space, re, im, constants, plan, at, twist, target, ahead, size): the transform of n
    numbers, real parts from place `re` of `space` on and imaginary ones from `im` on, to `target`
    and target + n. What begins at plan[at] are n, the number of passes, and radix and place of the
    factors of each. `twist` is the place of what the numbers are multiplied by first; -1 for
    nothing. It works at the begin of `space`, where 4n numbers are lost. Meanwhile it asks for
    `size` bytes from the address `ahead` on.

    convolve(x, y, constants, plan, phases, ends, strange, counter, space, g): blocks as the counter
    deals them out; those whose outputs are not finite are marked in `strange`. See
    `convolved_engine.algorithms.right_angle_layout` for the rest.
    """
    first, later = passes(lanes)
    parts_revision = revision("vectors", "prefetch", "fourier")

    @kernel
    def transform(
        space: Any,
        re: int,
        im: int,
        constants: Any,
        plan: Any,
        at: int,
        twist: int,
        target: int,
        ahead: int,
        size: int,
    ) -> None:
        # Named here to be held by the closure.
        _ = parts_revision
        n, count = plan[at], plan[at + 1]
        here, there = 0, 2 * n
        pieces = n // (lanes * lanes)
        # Of each pass.
        lines = size // (LINE * count)
        turn, to, each = plan[at + 3], here, lines // pieces
        first(space, re, im, n, constants, turn, twist, to, to + n, 0, pieces, ahead, each)
        s, left = lanes, n // lanes
        for number in range(1, count):
            ahead += lines * LINE
            radix, turn = plan[at + 2 + 2 * number], plan[at + 3 + 2 * number]
            to = target if number == count - 1 else there
            pieces = n // (radix * lanes)
            each = lines // pieces
            later(
                space,
                here,
                here + n,
                left,
                s,
                radix,
                constants,
                turn,
                to,
                to + n,
                0,
                pieces,
                ahead,
                each,
            )
            s, left = s * radix, left // radix
            here, there = to, here

    @kernel
    def convolve(
        x: Any,
        y: Any,
        constants: Any,
        plan: Any,
        phases: Any,
        ends: Any,
        strange: Any,
        counter: Any,
        space: Any,
        g: Any,
    ) -> None:
        n, folded = g.points, g.folded
        left = g.stride // (n // folded)
        plain = g.group_inputs == 1 and n == folded
        x_base, y_base = address_of(x), address_of(y)
        # Of the samples that a block reads and the one before did not, and of its outputs.
        result = g.asks * g.kept * y.itemsize
        fresh = g.asks * g.kept * g.stride * x.itemsize
        last = number = 0
        while True:
            if number >= last:
                number = take(counter, g.chunk)
                last = min(number + g.chunk, g.items)
                if number >= g.items:
                    break
            item = number
            number += 1
            block, rest = item % g.blocks, item // g.blocks
            group, signal = rest % g.groups, rest // g.groups
            low, high = 0, ends.size - 1
            while low < high:
                middle = (low + high) // 2
                if ends[middle] <= block:
                    low = middle + 1
                else:
                    high = middle
            phase = low
            if phase > 0:
                block -= ends[phase - 1]
            outputs, out_first, out_step = phases[phase, 0], phases[phase, 1], phases[phase, 2]
            start, length, dilation = phases[phase, 3], phases[phase, 4], phases[phase, 5]
            begin = phases[phase, 6] + block * g.kept * g.stride
            low = min(max(0, -begin), g.span)
            high = max(low, min(g.span, length - begin))
            count = min(g.kept, outputs - block * g.kept)
            finite = True
            # First all inputs are transformed, then each output is transformed back.
            for step in range(g.group_inputs + g.group_outputs):
                i, o = step, step - g.group_inputs
                row = group * g.group_outputs + o
                if o < 0:
                    line = ((signal * g.groups + group) * g.group_inputs + i) * g.size
                    at = line + start + begin * dilation
                    _stage(x, space, g.staged_at, at, dilation, low, high, 2 * n)
                    re, im, way, twist = g.staged_at, g.staged_at + n, g.there_at, g.twist_at
                    target = g.spectra_at + i * 2 * n
                    goal = (signal * g.groups + group) * g.group_outputs + i
                    ahead = goal * g.out_size + out_first + block * g.kept
                    ahead = y_base + ahead * y.itemsize
                    size = result if i < g.group_outputs and out_step == 1 else 0
                else:
                    # Imaginary parts take the place of real ones: so it is transformed back.
                    re, im, way, target = g.spectra_at + n, g.spectra_at, g.back_at, g.staged_at
                    twist = g.weights_at + row * g.group_inputs * 2 * n
                    if not plain:
                        re, im = g.sums_at + folded, g.sums_at
                        for k in range(2 * folded):
                            space[unsigned(im + k)] = 0
                        for i in range(g.group_inputs):
                            x_at, h_at = g.spectra_at + i * 2 * n, twist + i * 2 * n
                            _add_products(space, x_at, constants, h_at, n, im, folded)
                        twist = -1
                    line = ((signal * g.groups + group) * g.group_inputs + o) * g.size
                    ahead = x_base + (line + start + begin + g.span) * x.itemsize
                    size = fresh if o < g.group_inputs and dilation == 1 else 0
                transform(space, re, im, constants, plan, way, twist, target, ahead, size)
                if o < 0:
                    continue
                for k in range(2):
                    finite &= space[target + k] - space[target + k] == 0
                    finite &= space[target + folded + k] - space[target + folded + k] == 0
                bias = constants[g.bias_at + row]
                to = (signal * g.groups * g.group_outputs + row) * g.out_size
                to += out_first + block * g.kept * out_step
                if left == 1 and out_step == 1:
                    _unfold(space, target, constants, g.untwist_at, folded, bias, y, to, count)
                else:
                    # Over what the passes have left behind.
                    every = (count - 1) * left + 1
                    _unfold(space, target, constants, g.untwist_at, folded, bias, space, 0, every)
                    for k in range(count):
                        y[unsigned(to + k * out_step)] = space[unsigned(k * left)]
            if not finite:
                strange[item] = 1

    return transform, convolve
