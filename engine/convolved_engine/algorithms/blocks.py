"""The blocks of overlap-save: which samples each one reads and which outputs it gives.

Along every axis a dilated problem falls into phases, each an undilated problem on every d-th
sample. A `PhaseAxis` is one of them. Within a phase, blocks lie on a grid counted from output 0:
block b gives the outputs b * kept to (b + 1) * kept, and reads nothing but what these outputs
read; beyond that stand zeros, lest its bits depend on later samples.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from convolved_engine.problem import Problem

__all__ = ["BlockGrid", "PhaseAxis", "phases"]


@dataclass(frozen=True, slots=True)
class PhaseAxis:
    """One phase of one axis as an undilated problem.

    Attributes:
        count: its outputs.
        first: where its output 0 stands among all outputs.
        step: from one of its outputs to the next.
        start: the first sample of its view of the signal, which takes every `dilation`-th.
        length: the samples in that view.
        dilation: of the problem.
        offset: where in the view the window of its output 0 begins; may be negative.
        stride: samples of the view from one output's window to the next.
    """

    count: int
    first: int
    step: int
    start: int
    length: int
    dilation: int
    offset: int
    stride: int


def phases(problem: Problem) -> Iterator[tuple[PhaseAxis, ...]]:
    """Every combination of the phases of the axes; together they give each output once."""
    return itertools.product(*(tuple(_phases_of(problem, a)) for a in range(problem.rank)))


def _phases_of(problem: Problem, axis: int) -> Iterator[PhaseAxis]:
    stride, dilation = problem.stride[axis], problem.dilation[axis]
    n, outputs = problem.size[axis], problem.output_size[axis]
    before = problem.pads[axis][0]
    common = math.gcd(stride, dilation)
    for phase in range(0, min(dilation, (outputs - 1) * stride + 1), common):
        # Among outputs of stride 1, phase + dilation * m is kept where the stride divides it.
        skip = next(m for m in itertools.count() if (phase + dilation * m) % stride == 0)
        first, step = (phase + dilation * skip) // stride, dilation // common
        count = -(-(outputs - first) // step)
        if count < 1:
            continue
        start = (phase - before) % dilation
        yield PhaseAxis(
            count=count,
            first=first,
            step=step,
            start=start,
            length=max(0, -(-(n - start) // dilation)),
            dilation=dilation,
            offset=(phase - before) // dilation + skip,
            stride=stride // common,
        )


class BlockGrid:
    """The grid of blocks of `block` samples, taken `batch` at a time along the last axis.

    Attributes:
        block: samples of a block along each axis.
        batch: blocks along the last axis in one transform.
        kept: outputs of a block along each axis.
        outputs: outputs of the whole problem along the last axis in one batch of all phases.
    """

    def __init__(self, problem: Problem, block: tuple[int, ...], batch: int) -> None:
        common = [math.gcd(s, d) for s, d in zip(problem.stride, problem.dilation, strict=True)]
        strides = [s // c for s, c in zip(problem.stride, common, strict=True)]
        self.block, self.batch = block, batch
        self.kept = tuple(
            (n - k) // s + 1 for n, k, s in zip(block, problem.kernel, strides, strict=True)
        )
        self.outputs = batch * self.kept[-1] * (problem.dilation[-1] // common[-1])
        self._span = tuple(
            (kept - 1) * s + k
            for kept, s, k in zip(self.kept, strides, problem.kernel, strict=True)
        )

    def shape(self, phase: tuple[PhaseAxis, ...]) -> tuple[int, ...]:
        """How many blocks each axis has; on the last axis, batches of blocks."""
        counts = [-(-axis.count // kept) for axis, kept in zip(phase, self.kept, strict=True)]
        return (*counts[:-1], -(-counts[-1] // self.batch))

    def gather(
        self,
        inputs: NDArray[Any],
        samples: NDArray[Any],
        phase: tuple[PhaseAxis, ...],
        place: tuple[int, ...],
    ) -> None:
        """Fill samples (channels, batch, *block) with what the blocks at `place` read.

        `inputs` is (channels, *size); rows of `samples` beyond its channels are left alone.
        """
        view = inputs[(slice(None), *(slice(a.start, None, a.dilation) for a in phase))]
        begins = [
            axis.offset + first * axis.stride
            for axis, first in zip(phase, self._firsts(place), strict=True)
        ]
        channels, last, span = len(inputs), phase[-1], self._span[-1]
        inside: list[slice] = []
        within: list[slice] = []
        for axis, begin, reach in zip(phase[:-1], begins[:-1], self._span[:-1], strict=True):
            low, high = _clip(begin, reach, axis.length)
            inside.append(slice(low, high))
            within.append(slice(low - begin, high - begin))
        lines = view[(slice(None), *inside)]
        # Blocks from low on and before high lie inside the signal on the last axis.
        begin, hop = begins[-1], self.kept[-1] * last.stride
        low = min(self.batch, max(0, -(begin // hop)))
        high = min(self.batch, max(low, (last.length - span - begin) // hop + 1))
        filled = high - low == self.batch and span == self.block[-1]
        if not filled or lines.shape[1:-1] != self.block[:-1]:
            samples[:channels] = 0
        if high > low:
            field = lines[..., begin + low * hop :]
            blocks = as_strided(
                field,
                (channels, high - low, *lines.shape[1:-1], span),
                (field.strides[0], hop * field.strides[-1], *field.strides[1:]),
                writeable=False,
            )
            samples[(slice(channels), slice(low, high), *within, slice(span))] = blocks
        for number in (*range(low), *range(high, self.batch)):
            start = begin + number * hop
            first, end = _clip(start, span, last.length)
            target = (slice(channels), number, *within, slice(first - start, end - start))
            samples[target] = lines[..., first:end]

    def scatter(
        self,
        results: NDArray[Any],
        out: NDArray[Any],
        phase: tuple[PhaseAxis, ...],
        place: tuple[int, ...],
    ) -> None:
        """Write what is kept of results (channels, batch, *block) into out (channels, *outputs)."""
        firsts = self._firsts(place)
        source: list[slice] = []
        target: list[slice] = []
        for axis, kept, first in zip(phase[:-1], self.kept[:-1], firsts[:-1], strict=True):
            count = min(kept, axis.count - first)
            source.append(slice(0, (count - 1) * axis.stride + 1, axis.stride))
            begin = axis.first + first * axis.step
            target.append(slice(begin, begin + (count - 1) * axis.step + 1, axis.step))
        last, kept = phase[-1], self.kept[-1]
        begin = last.first + firsts[-1] * last.step
        lines = out[(slice(None), *target, slice(begin, None, last.step))]
        left = last.count - firsts[-1]
        whole = min(self.batch, left // kept)
        if whole:
            blocks = as_strided(
                lines,
                (len(lines), whole, *lines.shape[1:-1], kept),
                (lines.strides[0], kept * lines.strides[-1], *lines.strides[1:]),
            )
            taken = slice(0, (kept - 1) * last.stride + 1, last.stride)
            blocks[...] = results[(slice(None), slice(whole), *source, taken)]
        rest = left - whole * kept
        if whole < self.batch and rest > 0:
            taken = slice(0, (rest - 1) * last.stride + 1, last.stride)
            block = results[:, whole]
            lines[..., whole * kept :] = block[(slice(None), *source, taken)]

    def _firsts(self, place: tuple[int, ...]) -> tuple[int, ...]:
        """The number, within its phase, of the first output of the blocks at `place`."""
        firsts = [number * kept for number, kept in zip(place, self.kept, strict=True)]
        return (*firsts[:-1], firsts[-1] * self.batch)


def _clip(begin: int, span: int, length: int) -> tuple[int, int]:
    """The part of begin .. begin + span that lies in 0 .. length; maybe empty."""
    low = min(max(begin, 0), length)
    return low, max(low, min(begin + span, length))
