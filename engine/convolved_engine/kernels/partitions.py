"""Partitioned convolution: one call takes samples in and gives as many out.

Everything that is not the direct head is done at the boundaries of a grid of `base` samples, as
a program of units says: pieces of transforms, of products and of transforms back, so many at each
boundary. What is computed when follows from the position alone, never from how samples come.

All that changes is in one array of numbers, `state`; `constants` holds taps, spectra and factors;
`plan` the integers: where what lies, and the units. `convolved_engine.streaming.program` lays
them out.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from .compile import kernel, revision
from .fourier import passes
from .partition_layout import LEVEL, UNIT, VECTORS, Layout
from .tile import accumulate as _accumulate
from .vectors import INT, Code, intrinsic_code

__all__ = ["add_products", "advancing"]

accumulate: Any = _accumulate
unsigned = np.uint64


def _emit_products(code: Code, given: list[Any], literals: list[int]) -> None:
    x, x_at, h, h_at, count, y, re, im, resume = given
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
    old = {(p, v): code.load(y, b.add(places[p], INT(v * lanes))) for p, v in keys}
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
        code.store(found[part, v], y, b.add(places[part], INT(v * lanes)))


@intrinsic(prefer_literal=True)
def _products(
    _typing: Any,
    x: Any,
    x_at: Any,
    h: Any,
    h_at: Any,
    count: Any,
    y: Any,
    re: Any,
    im: Any,
    resume: Any,
    vectors: Any,
    lanes: Any,
) -> Any:
    """Add the products of `count` >= 1 pairs of spectra, `vectors` vectors of bins of each."""
    fixed = (x, x_at, h, h_at, count, y, re, im, resume)
    if not all(isinstance(each, types.IntegerLiteral) for each in (vectors, lanes)):
        return None
    plain = tuple(each if isinstance(each, types.Array) else types.int64 for each in fixed)
    return intrinsic_code(_emit_products, (*plain, vectors, lanes))


products: Any = _products


@cache
def advancing(lanes: int) -> Any:
    """The kernel for vectors of that many numbers; see `advance` in it."""
    width = VECTORS * lanes
    half = max(4, lanes // 2)
    first, later = passes(lanes)
    narrow_first, narrow_later = passes(half)
    parts_revision = revision("vectors", "fourier", "tile", "partition_layout")

    @kernel
    def work(state: Any, constants: Any, plan: Any, g: Any, time: int, skip: int) -> None:
        """The units that are due at the boundary `time`; outputs before `skip` are not wanted."""
        # Named here to be held by the closure.
        _ = parts_revision
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
            run = 2 * width
            while unit < last:
                u = plan[at + 5] + unit * UNIT
                unit += 1
                kind, row, begin, end = plan[u], plan[u + 1], plan[u + 2], plan[u + 3]
                re, im, to_re, to_im = plan[u + 4], plan[u + 5], plan[u + 6], plan[u + 7]
                n, s, radix, turn = plan[u + 8], plan[u + 9], plan[u + 10], plan[u + 11]
                if idle and kind >= 3:
                    continue
                if kind == 0 or kind == 4:
                    turned = -1
                    if kind == 0:
                        line = g.past_at + row * g.past
                        re = line + (begun - 2 * length) % g.past_length
                        im = line + (begun - length) % g.past_length
                        turned = twist
                    if wide == 1:
                        first(
                            state,
                            re,
                            im,
                            n,
                            constants,
                            turn,
                            turned,
                            state,
                            to_re,
                            to_im,
                            begin,
                            end,
                        )
                    else:
                        narrow_first(
                            state,
                            re,
                            im,
                            n,
                            constants,
                            turn,
                            turned,
                            state,
                            to_re,
                            to_im,
                            begin,
                            end,
                        )
                elif kind == 1 or kind == 5:
                    if wide == 1:
                        later(
                            state,
                            re,
                            im,
                            n,
                            s,
                            radix,
                            constants,
                            turn,
                            state,
                            to_re,
                            to_im,
                            begin,
                            end,
                        )
                    else:
                        narrow_later(
                            state,
                            re,
                            im,
                            n,
                            s,
                            radix,
                            constants,
                            turn,
                            state,
                            to_re,
                            to_im,
                            begin,
                            end,
                        )
                elif kind == 2:
                    outer, i = row // g.group_inputs, row % g.group_inputs
                    for chunk in range(begin, end):
                        to = ((outer * chunks + chunk) * g.group_inputs + i) * count + slot
                        to = ring + to * run
                        source = chunk * width
                        for k in range(width):
                            state[unsigned(to + k)] = state[unsigned(re + source + k)]
                        for k in range(width):
                            state[unsigned(to + width + k)] = state[unsigned(im + source + k)]
                elif kind == 3:
                    outer, o = row // g.group_outputs, row % g.group_outputs
                    group = outer % g.groups
                    for chunk in range(begin, end):
                        x_at = (outer * chunks + chunk) * g.group_inputs
                        h_at = ((group * g.group_outputs + o) * chunks + chunk) * g.group_inputs
                        for i in range(g.group_inputs):
                            x = ring + (x_at + i) * count * run
                            h = spectra + (h_at + i) * count * run
                            to = chunk * width
                            products(
                                state,
                                x + slot * run,
                                constants,
                                h,
                                count - slot,
                                state,
                                to_re + to,
                                to_im + to,
                                i,
                                VECTORS,
                                lanes,
                            )
                            if slot > 0:
                                products(
                                    state,
                                    x,
                                    constants,
                                    h + (count - slot) * run,
                                    slot,
                                    state,
                                    to_re + to,
                                    to_im + to,
                                    1,
                                    VECTORS,
                                    lanes,
                                )
                else:
                    target = g.ahead_at + row * g.ahead + result % g.ahead_length
                    for k in range(begin * width, end * width):
                        state[unsigned(target + k)] += (
                            state[unsigned(im + k)] * constants[unsigned(twist + k)]
                            - state[unsigned(re + k)] * constants[unsigned(twist + length + k)]
                        )

    @kernel
    def advance(
        x: Any,
        out: Any,
        done: int,
        samples: int,
        state: Any,
        constants: Any,
        plan: Any,
        counters: Any,
    ) -> int:
        """Go on from sample `done` of x (rows, n) to `samples`, and write out (rows, samples).

        counters: the time, whether a boundary waits to be worked at, and the first time of which
        the output is wanted. Returns -1 when done; else a boundary where x has not been finite,
        reached after that many samples: call again after having put zeros there.
        """
        g = Layout(
            plan[0],
            plan[1],
            plan[2],
            plan[3],
            plan[4],
            plan[5],
            plan[6],
            plan[7],
            plan[8],
            plan[9],
            plan[10],
            plan[11],
            plan[12],
            plan[13],
            plan[14],
            plan[15],
            plan[16],
            plan[17],
            plan[18],
            plan[19],
        )
        base, rows = g.base, g.batch * g.groups
        time, waits, skip = counters[0], counters[1], counters[2]
        while True:
            if waits == 1 and g.levels > 0:
                place = (time - base) % g.past_length
                wild = False
                for row in range(rows * g.group_inputs):
                    at = g.past_at + row * g.past + place
                    for k in range(base):
                        number = state[unsigned(at + k)]
                        wild |= number - number != 0
                if wild:
                    counters[0], counters[1] = time, 1
                    return done
                work(state, constants, plan, g, time, skip)
            waits = 0
            if done == samples:
                break
            place = time % base
            count = min(samples - done, base - place)
            for row in range(rows * g.group_inputs):
                line = g.lines_at + row * g.line + base + place
                past = g.past_at + row * g.past + time % g.past_length
                for k in range(count):
                    state[unsigned(line + k)] = x[row, unsigned(done + k)]
                for k in range(count):
                    state[unsigned(past + k)] = x[row, unsigned(done + k)]
            ahead = time % g.ahead_length
            for row in range(rows * g.group_outputs):
                outer, o = row // g.group_outputs, row % g.group_outputs
                channel = (outer % g.groups) * g.group_outputs + o
                waiting = g.ahead_at + row * g.ahead + ahead
                if time + count > skip:
                    source = g.lines_at + outer * g.group_inputs * g.line + base + place
                    for tile in range(0, count, width):
                        accumulate(
                            state,
                            source + tile,
                            plan[g.offsets_at : g.offsets_at + g.terms],
                            0,
                            g.terms,
                            constants,
                            g.head_at + channel * g.terms,
                            constants,
                            g.bias_at + channel,
                            state,
                            g.tile_at + tile,
                            0,
                            False,
                            1,
                            VECTORS,
                            lanes,
                        )
                    for k in range(count):
                        out[row, unsigned(done + k)] = (
                            state[unsigned(g.tile_at + k)] + state[unsigned(waiting + k)]
                        )
                for k in range(count):
                    state[unsigned(waiting + k)] = 0
            time += count
            done += count
            if time % base == 0:
                waits = 1
                for row in range(rows * g.group_inputs):
                    line = g.lines_at + row * g.line
                    for k in range(base):
                        state[unsigned(line + k)] = state[unsigned(line + base + k)]
        counters[0], counters[1] = time, waits
        return -1

    return advance


@kernel
def add_products(
    out: Any, begin: int, places: Any, values: Any, responses: Any, nearest: int
) -> None:
    """Add single samples' products, from tap `nearest` on, to out (rows, n), from time `begin`.

    places holds the time, the first row of out and the channel of the input within its group of
    each sample; responses (groups, outputs, inputs, taps) and the group stands fourth.
    """
    taps = responses.shape[3]
    for number in range(len(values)):
        time, row, channel, group = places[number]
        first = max(nearest, begin - time)
        last = min(taps, begin + out.shape[1] - time)
        for o in range(responses.shape[1]):
            for tap in range(first, last):
                out[row + o, time + tap - begin] += (
                    values[number] * responses[group, o, channel, tap]
                )
