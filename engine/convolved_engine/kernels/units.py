"""What partitioned convolution does at the boundaries of its grid.

At each boundary so many units are due, pieces of transforms, of products and of transforms back,
which the program tells; see `convolved_engine.streaming.program`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .compile import kernel, revision
from .fourier import passes
from .partition_layout import (
    BACK_FIRST,
    BACK_LATER,
    FIRST,
    KEEP,
    LATER,
    LEVEL,
    PRODUCTS,
    UNIT,
    VECTORS,
)
from .spectra import add_products

__all__ = ["working"]

unsigned = np.uint64


@cache
def working(lanes: int) -> Any:
    """The kernel for vectors of that many numbers; see `work` in it."""
    width = VECTORS * lanes
    first, later = passes(lanes)
    narrow_first, narrow_later = passes(max(4, lanes // 2))
    parts_revision = revision("vectors", "prefetch", "fourier", "spectra", "partition_layout")

    @kernel
    def keep(
        state: Any, re: int, im: int, to: int, chunk: int, step: int, begin: int, end: int
    ) -> None:
        """Put the chunks begin..end-1 of a spectrum into a ring, `step` apart from one another."""
        for number in range(begin, end):
            target, source = to + number * step, number * chunk
            for k in range(chunk):
                state[unsigned(target + k)] = state[unsigned(re + source + k)]
            for k in range(chunk):
                state[unsigned(target + chunk + k)] = state[unsigned(im + source + k)]

    @kernel
    def multiply(
        state: Any,
        ring: int,
        constants: Any,
        spectra: int,
        count: int,
        slot: int,
        resume: int,
        re: int,
        im: int,
    ) -> None:
        """One chunk of the spectra in a ring, the newest in `slot`, with those of partitions."""
        run = 2 * width
        add_products(
            state,
            ring + slot * run,
            constants,
            spectra,
            count - slot,
            re,
            im,
            resume,
            VECTORS,
            lanes,
        )
        if slot > 0:
            rest = spectra + (count - slot) * run
            add_products(state, ring, constants, rest, slot, re, im, 1, VECTORS, lanes)

    @kernel
    def add(
        state: Any,
        constants: Any,
        re: int,
        im: int,
        twist: int,
        n: int,
        to: int,
        begin: int,
        end: int,
    ) -> None:
        """Add the imaginary part of a result that is turned back to what is ahead."""
        for k in range(begin, end):
            state[unsigned(to + k)] += (
                state[unsigned(im + k)] * constants[unsigned(twist + k)]
                - state[unsigned(re + k)] * constants[unsigned(twist + n + k)]
            )

    @kernel
    def work(state: Any, constants: Any, plan: Any, g: Any, time: int, skip: int) -> None:
        """The units that are due at the boundary `time`; outputs before `skip` are not wanted."""
        # Named here to be held by the closure.
        _ = parts_revision
        run = 2 * width
        for number in range(g.levels):
            at = g.level_at + number * LEVEL
            length, delay, count = plan[at], plan[at + 1], plan[at + 2]
            begun = time - time % length
            step = (time - begun) // g.base
            result = begun + (delay - 1) * length
            # Nothing that is wanted will ever read this block, or this result.
            if result + count * length <= skip:
                continue
            idle = result + length <= skip
            ends = plan[at + 4]
            unit = 0 if step == 0 else plan[ends + step - 1]
            last = plan[ends + step]
            chunks, ring, spectra, wide = plan[at + 6], plan[at + 7], plan[at + 8], plan[at + 9]
            twist = plan[at + 10]
            slot = (-(begun // length)) % count
            while unit < last:
                u = plan[at + 5] + unit * UNIT
                unit += 1
                kind, row, begin, end = plan[u], plan[u + 1], plan[u + 2], plan[u + 3]
                re, im, to_re, to_im = plan[u + 4], plan[u + 5], plan[u + 6], plan[u + 7]
                n, s, radix, turn = plan[u + 8], plan[u + 9], plan[u + 10], plan[u + 11]
                if idle and kind >= PRODUCTS:
                    continue
                if kind in (FIRST, BACK_FIRST):
                    turned = -1
                    if kind == FIRST:
                        line = g.past_at + row * g.past
                        re = line + (begun - 2 * length) % g.past_length
                        im = line + (begun - length) % g.past_length
                        turned = twist
                    given = (state, re, im, n, constants, turn, turned, to_re, to_im, begin, end)
                    if wide == 1:
                        first(*given, 0, 0)
                    else:
                        narrow_first(*given, 0, 0)
                elif kind in (LATER, BACK_LATER):
                    passed = (state, re, im, n, s, radix, constants, turn, to_re, to_im, begin, end)
                    if wide == 1:
                        later(*passed, 0, 0)
                    else:
                        narrow_later(*passed, 0, 0)
                elif kind == KEEP:
                    outer, i = row // g.group_inputs, row % g.group_inputs
                    to = ((outer * chunks * g.group_inputs + i) * count + slot) * run
                    apart = g.group_inputs * count * run
                    keep(state, re, im, ring + to, width, apart, begin, end)
                elif kind == PRODUCTS:
                    outer, o = row // g.group_outputs, row % g.group_outputs
                    group = outer % g.groups
                    for chunk in range(begin, end):
                        x_at = (outer * chunks + chunk) * g.group_inputs
                        h_at = ((group * g.group_outputs + o) * chunks + chunk) * g.group_inputs
                        to = chunk * width
                        for i in range(g.group_inputs):
                            x = ring + (x_at + i) * count * run
                            h = spectra + (h_at + i) * count * run
                            multiply(state, x, constants, h, count, slot, i, to_re + to, to_im + to)
                else:
                    target = g.ahead_at + row * g.ahead + result % g.ahead_length
                    place, until = begin * width, end * width
                    add(state, constants, re, im, twist, length, target, place, until)

    return work
