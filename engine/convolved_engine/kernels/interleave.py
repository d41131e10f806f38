"""The outputs of phases, put side by side where they belong."""

from __future__ import annotations

from typing import Any

import numpy as np

from .compile import kernel

__all__ = ["interleave"]

unsigned = np.uint64


@kernel
def _inside(axis: Any, phase: int) -> tuple[int, int, int]:
    """Where the first period of a phase goes, and from which to which it goes inside."""
    _, residue, step, periods, stride, cut, length = axis
    at = residue + phase * step - cut
    low = min(max(0, -(at // stride)), periods)
    return at, low, max(low, min(periods, -((at - length) // stride)))


@kernel
def interleave(found: Any, out: Any, axes: Any, first: int, last: int) -> None:
    """Fill out (numbers, depth, rows, columns) from found (numbers, phases of each axis, periods
    of each axis), both flat, for the numbers first..last.

    axes holds (phases, residue of the first phase, from one phase to the next, periods, stride,
    how many places are cut off before, places) of each axis.
    """
    z, r, c = axes
    plane, line = r[6] * c[6], c[6]
    # Both phases of a stride of 2 at once make vectors of the loop.
    paired = c[0] == 2 and c[4] == 2 and c[1] == 0 and c[2] == 1
    for number in range(first, last):
        for zp in range(z[0]):
            z_at, z_low, z_high = _inside(z, zp)
            for rp in range(r[0]):
                r_at, r_low, r_high = _inside(r, rp)
                for zq in range(z_low, z_high):
                    for rq in range(r_low, r_high):
                        to = number * z[6] * plane + (z_at + zq * z[4]) * plane
                        to += (r_at + rq * r[4]) * line
                        begin, end = 0, 0
                        for cp in range(c[0]):
                            at, low, high = _inside(c, cp)
                            source = ((number * z[0] + zp) * r[0] + rp) * c[0] + cp
                            source = ((source * z[3] + zq) * r[3] + rq) * c[3]
                            if paired and cp == 0:
                                _, other_low, other_high = _inside(c, 1)
                                begin, end = max(low, other_low), min(high, other_high)
                                apart = z[3] * r[3] * c[3]
                                for q in range(begin, end):
                                    here = to + at + 2 * q
                                    out[unsigned(here)] = found[unsigned(source + q)]
                                    out[unsigned(here + 1)] = found[unsigned(source + apart + q)]
                            if begin >= end:
                                begin = end = low
                            for q in range(low, begin):
                                out[unsigned(to + at + q * c[4])] = found[unsigned(source + q)]
                            for q in range(end, high):
                                out[unsigned(to + at + q * c[4])] = found[unsigned(source + q)]
