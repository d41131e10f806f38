"""Transposed convolution without stuffing zeros: its outputs fall into phases.

Output o reads input i by tap t where o + before = i * stride + dilation * t. Outputs of one phase,
the residue of o + before by the stride, read the same taps, every (stride / g)-th one, g being
the greatest common divisor of stride and dilation. So each phase is an ordinary convolution, and
phases that have as many taps and start at the same place are output channels of one. All outputs
whose o + before has the same quotient by the stride are a period.

Source: P. Vaidyanathan, Multirate Systems and Filter Banks (1993), section 4.3.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import threads as pool
from convolved_engine.kernels.reading import to_read
from convolved_vocabulary import ConvTranspose
from convolved_vocabulary.geometry import Spreading

__all__ = ["AxisPhases", "Span", "Together", "periods", "together"]

_MOVED: dict[int, np.dtype[Any]] = {4: np.dtype(np.int32), 8: np.dtype(np.int64)}
_CHUNK = 1 << 16


def periods(axis: Spreading, outputs: range) -> range:
    """The periods that some of the outputs belong to."""
    first = (outputs.start + axis.before) // axis.stride
    return range(first, -(-(outputs.stop + axis.before) // axis.stride))


@dataclass(frozen=True, slots=True)
class Span:
    """The stretch of one axis that a convolution reads.

    Attributes:
        inside: the samples that it reads, as a slice of those at hand.
        pads: how many places before and after these it reads as well, where there is nothing.
    """

    inside: slice
    pads: tuple[int, int]

    @property
    def samples(self) -> int:
        """How many samples are read; below 1 if none."""
        return int(self.inside.stop - self.inside.start)


@dataclass(frozen=True, slots=True)
class AxisPhases:
    """Phases of one axis that are computed alike: in period q, phase p is the sum over m of
    weight[first_tap + p + m * step] * x[q + offset - m * dilation].

    Attributes:
        axis: the geometry.
        residues: one for each phase; evenly spaced.
        first_tap: the first tap of the first phase.
        taps: how many each phase has.
        offset: see above.
    """

    axis: Spreading
    residues: range
    first_tap: int
    taps: int
    offset: int

    @property
    def step(self) -> int:
        """From one tap of a phase to its next."""
        return self.axis.stride // math.gcd(self.axis.stride, self.axis.dilation)

    @property
    def dilation(self) -> int:
        """From one input that a phase reads to its next."""
        return self.axis.dilation // math.gcd(self.axis.stride, self.axis.dilation)

    def tap_indices(self) -> NDArray[np.int64]:
        """(phases, taps)."""
        phases = np.arange(len(self.residues))[:, None]
        return self.first_tap + phases + np.arange(self.taps) * self.step

    def span(self, wanted: range, inputs: range) -> Span:
        """What is read for the periods `wanted` where the samples at hand are `inputs`."""
        reads = range(
            wanted.start + self.offset - (self.taps - 1) * self.dilation, wanted.stop + self.offset
        )
        begin, end = max(reads.start, inputs.start), min(reads.stop, inputs.stop)
        inside = slice(begin - inputs.start, end - inputs.start)
        return Span(inside, (begin - reads.start, reads.stop - end))


@dataclass(frozen=True, slots=True)
class Together:
    """Phases of all axes that one convolution computes, side by side as its output channels.

    Attributes:
        axes: the phases of each axis.
        weight: (out_channels * phases, in_channels / groups, *taps), to be convolved with.
        bias: (out_channels * phases,) or None.
    """

    axes: tuple[AxisPhases, ...]
    weight: NDArray[Any]
    bias: NDArray[Any] | None

    @property
    def phases(self) -> tuple[int, ...]:
        """How many along each axis."""
        return tuple(len(each.residues) for each in self.axes)

    def place(self, found: NDArray[Any], into: NDArray[Any], wanted: Sequence[range]) -> None:
        """Put what was computed where it belongs.

        Args:
            found: (batch, out_channels * phases, *periods), C-contiguous.
            into: (batch, out_channels, *outputs), C-contiguous; written to.
            wanted: which outputs these are, along each axis.
        """
        from convolved_engine.kernels.interleave import interleave

        described = [
            (
                len(each.residues),
                each.residues.start,
                each.residues.step,
                count,
                each.axis.stride,
                (outputs.start + each.axis.before) % each.axis.stride,
                len(outputs),
            )
            for each, count, outputs in zip(self.axes, found.shape[2:], wanted, strict=True)
        ]
        axes = (*((1, 0, 1, 1, 1, 0, 1),) * (3 - len(described)), *described)
        # Numbers are moved as they are, so that their size alone counts.
        moved: np.dtype[Any] = _MOVED.get(found.dtype.itemsize, found.dtype)
        flat, target = to_read(found, moved), into.reshape(-1).view(moved)

        def work(first: int, last: int) -> None:
            interleave(flat, target, axes, first, last)

        numbers = into.shape[0] * into.shape[1]
        size = max(1, into.size // max(1, numbers))
        pool.for_each_chunk(numbers, work, chunk=max(1, _CHUNK // size))


def together(
    layer: ConvTranspose, weight: NDArray[Any], bias: NDArray[Any] | None
) -> tuple[Together, ...]:
    """The convolutions that make up a transposed one; the largest first.

    Args:
        layer: its geometry and groups.
        weight: its weight in the dtype of computing.
        bias: its bias in the dtype of computing, or None.
    """
    grouped = weight.reshape(layer.groups, -1, *weight.shape[1:])
    found = []
    for axes in itertools.product(*(tuple(_axis_phases(axis)) for axis in layer.axes(layer.rank))):
        taps = grouped
        for number, each in enumerate(axes):
            along: Any = (*(slice(None),) * (3 + 2 * number), each.tap_indices())
            taps = taps[along]
        # (groups, in, out, phases, taps, ...) to (groups, out, phases..., in, taps...).
        order = (0, 2, *range(3, taps.ndim, 2), 1, *range(4, taps.ndim, 2))
        taps = taps.transpose(order)
        packed = np.ascontiguousarray(taps).reshape(-1, grouped.shape[1], *taps.shape[-len(axes) :])
        phases = math.prod(len(each.residues) for each in axes)
        found.append(Together(axes, packed, None if bias is None else np.repeat(bias, phases)))
    return tuple(sorted(found, key=lambda each: -each.weight.size))


def _axis_phases(axis: Spreading) -> Iterator[AxisPhases]:
    step = axis.stride // math.gcd(axis.stride, axis.dilation)

    def alike(tap: int) -> tuple[int, int]:
        return (axis.size - 1 - tap) // step + 1, -(axis.dilation * tap // axis.stride)

    for (taps, offset), group in itertools.groupby(range(min(step, axis.size)), alike):
        first, *others = group
        residue = axis.dilation * first % axis.stride
        last = residue + axis.dilation * len(others)
        yield AxisPhases(axis, range(residue, last + 1, axis.dilation), first, taps, offset)
