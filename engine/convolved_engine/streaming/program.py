"""The program of a partitioned stream: what lies where, and what is done at which boundary.

Made once for a response and a number of signals side by side; see `kernels.units`, which
runs it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.kernels.partition_layout import (
    ADD,
    BACK_FIRST,
    BACK_LATER,
    FIRST,
    KEEP,
    LATER,
    LEVEL,
    PRODUCTS,
    VECTORS,
    Layout,
)
from convolved_engine.streaming.scheme import Level, Scheme, nanoseconds
from convolved_engine.streaming.transform import radices, tables_of

__all__ = ["Program", "Rows", "factors_of", "lanes_for", "program_for"]

# Nanoseconds for one number in each kind of unit, by which units are dealt out; of products for
# one pair of spectra.
_NANOSECONDS = (0.35, 0.3, 0.1, 0.15, 0.35, 0.3, 0.15)
_UNIT = 15.0

# The part of a block's usual time by which one transform may prolong it.
_SHARE = 0.5

# Bytes of a line of the cache: rows begin there.
_LINE = 64


@dataclass(frozen=True, slots=True)
class Rows:
    """How many signals and channels there are.

    Attributes:
        batch: signals side by side.
        groups: of channels.
        group_inputs: channels of a group.
        group_outputs: channels that a group gives.
    """

    batch: int
    groups: int
    group_inputs: int
    group_outputs: int

    @property
    def inputs(self) -> int:
        """All channels of all signals."""
        return self.batch * self.groups * self.group_inputs

    @property
    def outputs(self) -> int:
        """All channels that come out."""
        return self.batch * self.groups * self.group_outputs


@dataclass(frozen=True)
class Program:
    """What a stream reads and never changes, but for the constants.

    Attributes:
        plan: integers: the layout, levels, units, where the units of each boundary end, and the
            offsets of taps.
        numbers: how many numbers the state has.
        loads: for each level the nanoseconds that its boundaries are predicted to take.
    """

    plan: NDArray[np.int64]
    numbers: int
    loads: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, slots=True)
class _Unit:
    kind: int
    row: int
    pieces: int
    places: tuple[int, ...]
    cost: float


_Piece = tuple[_Unit, int, int]


def lanes_for(vector_bytes: int, dtype: np.dtype[Any]) -> int:
    """How many numbers of that dtype the kernels take at a time."""
    return max(4, vector_bytes // dtype.itemsize)


def _transposed(length: int, lanes: int) -> int:
    """The lanes of a transform: its first pass needs their square."""
    return lanes if lanes * lanes <= length else max(4, lanes // 2)


def factors_of(
    scheme: Scheme, lanes: int, dtype: np.dtype[Any], begin: int
) -> tuple[list[NDArray[Any]], list[tuple[int, tuple[int, ...]]]]:
    """The factors of every level's transforms, and where they lie when the first is at `begin`."""
    tables, places = [], []
    for level in scheme.levels:
        table, passes = tables_of(level.length, _transposed(level.length, lanes), dtype)
        places.append((begin, tuple(begin + at for at in passes)))
        tables.append(table)
        begin += table.size
    return tables, places


def program_for(
    scheme: Scheme,
    rows: Rows,
    lanes: int,
    dtype: np.dtype[Any],
    factors: list[tuple[int, tuple[int, ...]]],
    spectra: list[int],
    head_taps: int,
    bias_at: int,
    block: int,
) -> Program:
    """Lay everything out.

    Args:
        scheme: the partitions.
        rows: the channels.
        lanes: numbers of a vector.
        dtype: of the numbers.
        factors: where those of each level lie among the constants.
        spectra: where those of each level lie.
        head_taps: taps of the head, which come first among the constants.
        bias_at: where the bias of each channel lies.
        block: samples that come at a time.
    """
    width = VECTORS * lanes
    longest = scheme.levels[-1].length if scheme.levels else scheme.base // 2
    numbers = 0

    def place(count: int) -> int:
        nonlocal numbers
        begin, step = numbers, _LINE // dtype.itemsize
        numbers += -(-count // step) * step
        return begin

    # Signals that lie a power of two apart would compete for the same lines of the cache.
    apart = _LINE // dtype.itemsize
    line, past, ahead = 2 * scheme.base + width, 4 * longest + apart, 2 * longest + apart
    lines_at = place(rows.inputs * line)
    past_at, ahead_at = place(rows.inputs * past), place(rows.outputs * ahead)
    tile_at = place(scheme.base + width)
    at_once = _SHARE * block * rows.batch * rows.groups
    at_once *= nanoseconds(scheme, rows.group_inputs, rows.group_outputs)
    levels: list[int] = []
    units: list[int] = []
    ends: list[int] = []
    loads = []
    for level, (twist, turns), spectrum in zip(scheme.levels, factors, spectra, strict=True):
        transposed = _transposed(level.length, lanes)
        scratch = place(4 * level.length)
        ring = place(2 * level.length * level.partitions * rows.inputs)
        steps = 1 if level.delay == 1 else level.length // scheme.base
        stages = _units(level, rows, lanes, transposed, scratch, turns)
        cut = _cut(stages, steps, at_once)
        levels += (level.length, level.delay, level.partitions, steps, len(ends))
        levels += (len(units), level.length // width, ring, spectrum)
        levels += (int(transposed == lanes), twist)
        dealt, load = _dealt(cut, steps)
        ends += dealt
        loads.append(load)
        for unit, begin, end in itertools.chain.from_iterable(cut):
            units += (unit.kind, unit.row, begin, end, *unit.places)
    terms = rows.group_inputs * head_taps
    offsets = [i * line - tap for i in range(rows.group_inputs) for tap in range(head_taps)]
    level_at = len(Layout._fields)
    units_at = level_at + len(levels)
    ends_at = units_at + len(units)
    offsets_at = ends_at + len(ends)
    for number in range(len(scheme.levels)):
        levels[number * LEVEL + 4] += ends_at
        levels[number * LEVEL + 5] += units_at
    layout = Layout(
        base=scheme.base,
        batch=rows.batch,
        groups=rows.groups,
        group_inputs=rows.group_inputs,
        group_outputs=rows.group_outputs,
        levels=len(scheme.levels),
        level_at=level_at,
        offsets_at=offsets_at,
        terms=terms,
        line=line,
        lines_at=lines_at,
        past=past,
        past_length=4 * longest,
        past_at=past_at,
        ahead=ahead,
        ahead_length=2 * longest,
        ahead_at=ahead_at,
        tile_at=tile_at,
        head_at=0,
        bias_at=bias_at,
    )
    plan = np.array([*layout, *levels, *units, *ends, *offsets], np.int64)
    return Program(plan, numbers, tuple(loads))


def _units(
    level: Level,
    rows: Rows,
    lanes: int,
    transposed: int,
    scratch: int,
    turns: tuple[int, ...],
) -> list[list[_Unit]]:
    """The work of a level on one block in stages: what belongs to one transform, and products."""
    n, width = level.length, VECTORS * lanes
    each = radices(n, transposed)

    def transform(row: int, *, back: bool) -> tuple[list[_Unit], int]:
        """One of them, and where its result lies."""
        source, target = scratch, scratch + 2 * n
        if back:
            # Parts exchanged, here and in the results of all passes.
            places = (source + n, source, target, target + n, n, 0, 0, turns[0])
        else:
            places = (0, 0, target, target + n, n, 0, 0, turns[0])
        pieces = n // transposed**2
        cost = _NANOSECONDS[FIRST] * transposed**2
        made = [_Unit(BACK_FIRST if back else FIRST, row, pieces, places, cost)]
        s, left = transposed, n // transposed
        for radix, turn in zip(each[1:], turns[1:], strict=True):
            source, target = target, source
            places = (source, source + n, target, target + n, left, s, radix, turn)
            cost = _NANOSECONDS[LATER] * radix * transposed
            kind = BACK_LATER if back else LATER
            made.append(_Unit(kind, row, n // (radix * transposed), places, cost))
            s, left = s * radix, left // radix
        return made, target

    stages = []
    for row in range(rows.inputs):
        made, result = transform(row, back=False)
        places = (result, result + n, 0, 0, 0, 0, 0, 0)
        cost = _NANOSECONDS[KEEP] * 2 * width
        stages.append([*made, _Unit(KEEP, row, n // width, places, cost)])
    for row in range(rows.outputs):
        places = (0, 0, scratch, scratch + n, 0, 0, 0, 0)
        pairs = rows.group_inputs * level.partitions
        cost = _NANOSECONDS[PRODUCTS] * pairs * width
        stages.append([_Unit(PRODUCTS, row, n // width, places, cost)])
        made, result = transform(row, back=True)
        # The imaginary part comes first, as it went in.
        places = (result + n, result, 0, 0, 0, 0, 0, 0)
        cost = _NANOSECONDS[ADD] * width
        stages.append([*made, _Unit(ADD, row, n // width, places, cost)])
    return stages


def _cut(stages: list[list[_Unit]], steps: int, at_once: float) -> list[list[_Piece]]:
    """Divide the work into what one boundary does without a break.

    A transform that takes at most `at_once` nanoseconds is left whole, for what it works on would
    have to come from memory again; nothing else takes longer than half of what falls to a boundary.
    """
    total = sum(unit.cost * unit.pieces for stage in stages for unit in stage)
    most = total / steps / 2
    found: list[list[_Piece]] = []
    for stage in stages:
        whole = [(unit, 0, unit.pieces) for unit in stage]
        if steps == 1 or (len(stage) > 1 and sum(map(_cost, whole)) <= at_once):
            found.append(whole)
            continue
        for unit in stage:
            step = max(1, int(most / unit.cost))
            found += [
                [(unit, begin, min(unit.pieces, begin + step))]
                for begin in range(0, unit.pieces, step)
            ]
    return found


def _cost(piece: _Piece) -> float:
    unit, begin, end = piece
    return _UNIT + unit.cost * (end - begin)


def _dealt(cut: list[list[_Piece]], steps: int) -> tuple[list[int], NDArray[np.float64]]:
    """After how many units each boundary ends, so that all take equally long, and how long."""
    reached = np.cumsum([sum(map(_cost, pieces)) for pieces in cut])
    count = np.cumsum([len(pieces) for pieces in cut])
    goals = reached[-1] * np.arange(1, steps) / steps
    ends = np.array([*np.searchsorted(reached, goals, side="right"), len(cut)])
    loads = np.diff(np.concatenate(([0.0], reached))[ends], prepend=0.0)
    return np.concatenate(([0], count))[ends].tolist(), loads
