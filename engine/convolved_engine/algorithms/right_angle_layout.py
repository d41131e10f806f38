"""What the kernels of right-angle overlap-save read beside samples: what lies where, and phases."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convolved_engine.problem import Problem
from convolved_engine.streaming.partitioned import aligned
from convolved_engine.streaming.transform import radices, tables_of

from .blocks import PhaseAxis

__all__ = ["Constants", "Layout", "Work", "blocks_dealt", "constants_for", "folds", "work_for"]

_LINE = 64
# Samples that are transformed, there or back, in what is dealt at a time.
_CHUNK_SAMPLES = 1 << 16
# Samples and outputs of so many bytes may well be in a core's own cache, where asking for them
# ahead only takes time.
_NEAR_BYTES = 1 << 20


class Layout(NamedTuple):
    """The numbers that the kernels read: counts of elements, or places in their arrays.

    Attributes:
        points: complex numbers of a transform, half of the samples of a block.
        folded: those of a transform back.
        groups: of channels.
        group_inputs: channels of a group.
        group_outputs: channels that a group gives.
        size: samples of a signal.
        out_size: outputs of a signal.
        stride: samples of a phase from one output to the next.
        span: samples that the outputs of a block read.
        kept: outputs of a block.
        blocks: of one group of one signal, in all phases.
        items: blocks of all.
        chunk: blocks that are dealt at a time.
        asks: 1 where a block asks for its memory ahead, else 0.
        staged_at: in the workspace, the samples of a block.
        sums_at: in the workspace, products.
        spectra_at: in the workspace, spectra of the channels of a block.
        there_at: in the plan, the passes of a transform.
        back_at: in the plan, those of one back.
        twist_at: in the constants, what samples are turned by.
        untwist_at: in the constants, what outputs are turned by.
        bias_at: in the constants.
        weights_at: in the constants, the spectra of the weight.
    """

    points: int
    folded: int
    groups: int
    group_inputs: int
    group_outputs: int
    size: int
    out_size: int
    stride: int
    span: int
    kept: int
    blocks: int
    items: int
    chunk: int
    asks: int
    staged_at: int
    sums_at: int
    spectra_at: int
    there_at: int
    back_at: int
    twist_at: int
    untwist_at: int
    bias_at: int
    weights_at: int


class Work(NamedTuple):
    """What signals of one shape need.

    Attributes:
        layout: see there.
        phases: of the problem.
        rows: the same in integers, a row for each: `count`, `first`, `step`, `start`, `length`,
            `dilation` and `offset`.
        ends: how many blocks there are up to the end of each phase.
        numbers: of a workspace.
    """

    layout: Layout
    phases: tuple[PhaseAxis, ...]
    rows: NDArray[np.int64]
    ends: NDArray[np.int64]
    numbers: int


class Constants(NamedTuple):
    """What all signals share.

    Attributes:
        numbers: factors, bias, and room for the spectra of the weight.
        plan: the passes of transforms.
        places: the last fields of a layout.
    """

    numbers: NDArray[Any]
    plan: NDArray[np.int64]
    places: dict[str, int]


def folds(stride: int, points: int, lanes: int) -> int:
    """Into how many parts a spectrum is cut, which are added up: all equal, none too short.

    >>> folds(4, 1024, 16), folds(6, 1024, 16), folds(8, 1024, 16)
    (4, 2, 4)
    """
    return math.gcd(stride, points // (lanes * lanes))


def blocks_dealt(block: int, transforms: int) -> int:
    """Blocks of so many samples, with so many transforms each, dealt to a thread at a time."""
    return max(1, _CHUNK_SAMPLES // (block * transforms))


def work_for(
    problem: Problem,
    phases: tuple[PhaseAxis, ...],
    kept: int,
    lengths: tuple[int, int],
    places: dict[str, int],
) -> Work:
    """Lay out the work on signals of one shape.

    Args:
        problem: of these signals.
        phases: of the problem.
        kept: outputs of a block.
        lengths: points of a transform, and of one back.
        places: of the constants.
    """
    points, folded = lengths
    stride = phases[0].stride
    ends = np.cumsum([-(-axis.count // kept) for axis in phases])
    blocks = int(ends[-1])
    staged_at = 4 * points
    sums_at = staged_at + 2 * points
    plain = problem.group_inputs == 1 and folded == points
    spectra_at = sums_at + (0 if plain else 2 * folded)
    layout = Layout(
        points=points,
        folded=folded,
        groups=problem.groups,
        group_inputs=problem.group_inputs,
        group_outputs=problem.group_outputs,
        size=problem.size[0],
        out_size=problem.output_size[0],
        stride=stride,
        span=(kept - 1) * stride + problem.kernel[0],
        kept=kept,
        blocks=blocks,
        items=blocks * problem.groups * problem.batch,
        chunk=blocks_dealt(2 * points, problem.group_inputs + problem.group_outputs),
        asks=int(problem.input_bytes + problem.output_bytes > _NEAR_BYTES),
        staged_at=staged_at,
        sums_at=sums_at,
        spectra_at=spectra_at,
        **places,
    )
    rows = [
        (each.count, each.first, each.step, each.start, each.length, each.dilation, each.offset)
        for each in phases
    ]
    numbers = spectra_at + 2 * points * problem.group_inputs
    return Work(layout, phases, np.array(rows, np.int64), ends.astype(np.int64), numbers)


def constants_for(
    lengths: tuple[int, int], lanes: int, bias: NDArray[Any], kernels: int
) -> Constants:
    """Lay out the constants.

    Args:
        lengths: points of a transform, and of one back.
        lanes: numbers of a vector.
        bias: (out_channels,).
        kernels: how many spectra there will be.
    """
    plan: list[int] = []
    parts: list[tuple[int, NDArray[Any]]] = []
    where: dict[int, tuple[int, int]] = {}
    end = 0

    def place(part: NDArray[Any]) -> int:
        nonlocal end
        begin, step = end, _LINE // part.dtype.itemsize
        parts.append((begin, part))
        end += -(-part.size // step) * step
        return begin

    for n in dict.fromkeys(lengths):
        table, turns = tables_of(n, lanes, bias.dtype)
        begin, each = place(table), radices(n, lanes)
        where[n] = len(plan), begin
        plan += (n, len(each))
        for radix, turn in zip(each, turns, strict=True):
            plan += (radix, begin + turn)
    (there_at, twist_at), (back_at, untwist_at) = (where[n] for n in lengths)
    bias_at = place(bias)
    numbers = aligned(end + 2 * lengths[0] * kernels, bias.dtype)
    for begin, part in parts:
        numbers[begin : begin + part.size] = part
    places = {
        "there_at": there_at,
        "back_at": back_at,
        "twist_at": twist_at,
        "untwist_at": untwist_at,
        "bias_at": bias_at,
        "weights_at": end,
    }
    return Constants(numbers, np.array(plan, np.int64), places)
