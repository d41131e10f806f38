"""Partitioned convolution: one call takes samples in and gives as many out.

Everything that is not the direct head is done at the boundaries of a grid of `base` samples; see
`units`. What is computed when follows from the position alone, never from how samples come.

All that changes is in one array of numbers, `state`; `constants` holds taps, spectra and factors;
`plan` the integers: where what lies, and the units. `convolved_engine.streaming.program` lays
them out.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple as _to_fixed_tuple

from .compile import kernel, revision
from .partition_layout import VECTORS, Layout
from .tile import accumulate as _accumulate
from .units import working

__all__ = ["add_products", "advancing"]

accumulate: Any = _accumulate
to_fixed_tuple: Any = _to_fixed_tuple
unsigned = np.uint64

_FIELDS = len(Layout._fields)


@cache
def advancing(lanes: int) -> Any:
    """The kernel for vectors of that many numbers; see `advance` in it."""
    width = VECTORS * lanes
    work = working(lanes)
    parts_revision = revision("tile", "shapes", "partition_layout", "prefetch")

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
        # Named here to be held by the closure.
        _ = parts_revision
        g = Layout(*to_fixed_tuple(plan[:_FIELDS], _FIELDS))
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
