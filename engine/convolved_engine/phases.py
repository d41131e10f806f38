"""Transposed convolution without stuffing zeros: its outputs fall into phases.

Output o reads input i by tap t where o + before = i * stride + dilation * t. Outputs of one phase,
the residue of o + before by the stride, read the same taps, every (stride / g)-th one, g being
the greatest common divisor of stride and dilation. So each phase is an ordinary convolution, and
phases that have as many taps and start at the same place are output channels of one.

Source: P. Vaidyanathan, Multirate Systems and Filter Banks (1993), section 4.3.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary import ConvTranspose
from convolved_vocabulary.geometry import Spreading

__all__ = ["AxisPhases", "Span", "Together", "together"]


@dataclass(frozen=True, slots=True)
class AxisPhases:
    """Phases of one axis that are computed alike: output residue + stride * q is the sum over m of
    weight[first_tap + m * step] * x[q + offset - m * dilation].

    Attributes:
        axis: the geometry.
        residues: one for each phase.
        first_taps: one for each phase.
        taps: how many each has.
        offset: see above; the same for all.
    """

    axis: Spreading
    residues: tuple[int, ...]
    first_taps: tuple[int, ...]
    taps: int
    offset: int

    @property
    def step(self) -> int:
        """From one tap of a phase to its next."""
        return self.axis.stride // math.gcd(self.axis.stride, self.axis.dilation)

    @property
    def dilation(self) -> int:
        """From one input to the next that a phase reads."""
        return self.axis.dilation // math.gcd(self.axis.stride, self.axis.dilation)

    def tap_indices(self) -> NDArray[np.int64]:
        """(phases, taps)."""
        return np.array(self.first_taps)[:, None] + np.arange(self.taps) * self.step

    def own(self, residue: int, outputs: range) -> range:
        """The q of those among `outputs` that have this residue."""
        low = -(-(outputs.start + self.axis.before - residue) // self.axis.stride)
        high = -(-(outputs.stop + self.axis.before - residue) // self.axis.stride)
        return range(low, high)

    def span(self, outputs: range, inputs: range) -> Span:
        """What is computed together to have all of `outputs` from a stretch of inputs."""
        own = [self.own(residue, outputs) for residue in self.residues]
        low, high = min(each.start for each in own), max(each.stop for each in own)
        reads = range(low + self.offset - (self.taps - 1) * self.dilation, high + self.offset)
        begin, end = max(reads.start, inputs.start), min(reads.stop, inputs.stop)
        inside = slice(begin - inputs.start, end - inputs.start)
        return Span(range(low, high), inside, (begin - reads.start, reads.stop - end))


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one axis of a convolution that serves several phases.

    Attributes:
        outputs: the q that are computed.
        inside: the samples that they read, as a slice of the stretch at hand.
        pads: how many places before and after these are read as well, where there is nothing.
    """

    outputs: range
    inside: slice
    pads: tuple[int, int]

    @property
    def samples(self) -> int:
        """How many samples are read."""
        return int(self.inside.stop - self.inside.start)

    @property
    def is_empty(self) -> bool:
        """Whether no sample is read, or nothing is computed."""
        return not self.outputs or self.samples < 1


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

    def place(
        self, found: NDArray[Any], spans: tuple[Span, ...], into: NDArray[Any], starts: list[range]
    ) -> None:
        """Put what was computed where it belongs.

        Args:
            found: (batch, out_channels * phases, *lengths of the spans).
            spans: of each axis.
            into: (batch, out_channels, *outputs), written to.
            starts: the outputs that `into` holds along each axis.
        """
        lengths = found.shape[2:]
        split = found.reshape(found.shape[0], into.shape[1], *self.phases, *lengths)
        for phase in itertools.product(*map(range, self.phases)):
            target, source = [], []
            for each, span, number, outputs in zip(self.axes, spans, phase, starts, strict=True):
                residue, stride = each.residues[number], each.axis.stride
                own = each.own(residue, outputs)
                source.append(slice(own.start - span.outputs.start, own.stop - span.outputs.start))
                first = residue + stride * own.start - each.axis.before - outputs.start
                target.append(slice(first, first + stride * len(own), stride))
            to: Any = (slice(None), slice(None), *target)
            within: Any = (slice(None), slice(None), *phase, *source)
            into[to] = split[within]


def together(
    layer: ConvTranspose, weight: NDArray[Any], bias: NDArray[Any] | None
) -> tuple[Together, ...]:
    """The convolutions that make up a transposed one; the largest first.

    Args:
        layer: its geometry and groups.
        weight: its weight in the dtype of computing.
        bias: its bias in the dtype of computing, or None.
    """
    groups = layer.groups
    grouped = weight.reshape(groups, -1, *weight.shape[1:])
    found = []
    for axes in itertools.product(*(tuple(_axis_phases(axis)) for axis in layer.axes(layer.rank))):
        taps = grouped
        for number, each in enumerate(axes):
            along: Any = (*(slice(None),) * (3 + 2 * number), each.tap_indices())
            taps = taps[along]
        # (groups, in, out, phases, taps, ...) to (groups, out, phases..., in, taps...).
        order = (0, 2, *range(3, taps.ndim, 2), 1, *range(4, taps.ndim, 2))
        inputs, rank = grouped.shape[1], len(axes)
        taps = taps.transpose(order)
        packed = np.ascontiguousarray(taps).reshape(-1, inputs, *taps.shape[-rank:])
        phases = math.prod(len(each.residues) for each in axes)
        found.append(Together(axes, packed, None if bias is None else np.repeat(bias, phases)))
    return tuple(sorted(found, key=lambda each: -each.weight.size))


def _axis_phases(axis: Spreading) -> Iterator[AxisPhases]:
    step = axis.stride // math.gcd(axis.stride, axis.dilation)
    alike: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for tap in range(min(step, axis.size)):
        residue = axis.dilation * tap % axis.stride
        offset = (residue - axis.dilation * tap) // axis.stride
        taps = (axis.size - 1 - tap) // step + 1
        alike.setdefault((taps, offset), []).append((residue, tap))
    for (taps, offset), phases in alike.items():
        residues, first_taps = zip(*sorted(phases), strict=True)
        yield AxisPhases(axis, residues, first_taps, taps, offset)
