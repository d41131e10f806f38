"""The geometry of one axis by brute force: every sample is told by what it was made of.

Nothing here is taken from the code under test but the parameters of a map. A layer is carried out
on symbols: an output is the number of the set of (tap, symbol) pairs that it sums. Two signals
that agree in their first n samples and not after give the same symbol exactly where the result is
fixed by these n samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from convolved_vocabulary.geometry import AxisMap, Sliding, Spreading


class Sample(NamedTuple):
    """A symbol, and as bits of an int the inputs that it depends on."""

    symbol: int
    inputs: int


NOTHING = Sample(0, 0)
"""A zero or a constant of the padding."""


@dataclass
class Signals:
    """Makes signals and carries layers out on them.

    Attributes:
        windows: a transposed layer reads all inputs whose window covers an output, also where
            the output falls between two taps.
    """

    windows: bool = False
    _numbers: dict[object, int] = field(default_factory=dict)

    def signal(self, known: int, length: int) -> list[Sample]:
        """`length` samples; the first `known` are the same in signals of every length."""
        return [
            Sample(self._number(("known", i) if i < known else ("new", length, i)), 1 << i)
            for i in range(length)
        ]

    def apply(self, maps: Iterable[AxisMap], signal: list[Sample]) -> list[Sample]:
        for axis in maps:
            if isinstance(axis, Sliding):
                signal = self._slide(axis, signal)
            elif isinstance(axis, Spreading):
                signal = self._spread(axis, signal)
        return signal

    def _slide(self, axis: Sliding, signal: list[Sample]) -> list[Sample]:
        n = len(signal)
        if not n:
            return []
        padded = [NOTHING if i < 0 else signal[i] for i in _padded(axis, n)]
        extent = axis.dilation * (axis.size - 1) + 1
        made = []
        for begin in range(0, len(padded), axis.stride):
            beyond = begin + extent - len(padded)
            if beyond >= axis.stride if axis.ceil else beyond > 0:
                break
            if axis.ceil and begin >= axis.before + n:
                break
            window = padded[begin : begin + extent : axis.dilation]
            made.append(self._sum(enumerate(window)))
        return made

    def _spread(self, axis: Spreading, signal: list[Sample]) -> list[Sample]:
        n = len(signal)
        if not n:
            return []
        extent = axis.dilation * (axis.size - 1) + 1
        step = 1 if self.windows else axis.dilation
        sums: dict[int, list[tuple[int, Sample]]] = {}
        for i, sample in enumerate(signal):
            for tap in range(0, extent, step):
                sums.setdefault(i * axis.stride + tap - axis.before, []).append((tap, sample))
        end = (n - 1) * axis.stride + extent - axis.before - axis.after + axis.output_padding
        return [self._sum(sums.get(position, ())) for position in range(end)]

    def _sum(self, taps: Iterable[tuple[int, Sample]]) -> Sample:
        terms = list(taps)
        inputs = 0
        for _, sample in terms:
            inputs |= sample.inputs
        return Sample(self._number(tuple((tap, s.symbol) for tap, s in terms)), inputs)

    def _number(self, thing: object) -> int:
        return self._numbers.setdefault(thing, len(self._numbers) + 1)


@dataclass
class Continuations:
    """Everything that may follow the first `known` samples, as far as it is tried."""

    maps: Sequence[AxisMap]
    known: int
    further: Sequence[int] = (0, 1, 2, 3, 4, 5, 7, 25)
    windows: bool = False

    def __post_init__(self) -> None:
        signals = Signals(self.windows)
        self.outputs = [
            signals.apply(self.maps, signals.signal(self.known, self.known + more))
            for more in self.further
        ]

    def ready(self) -> int:
        """The longest beginning that all outputs have in common."""
        count = 0
        for samples in zip(*self.outputs, strict=False):
            if len({sample.symbol for sample in samples}) > 1:
                break
            count += 1
        return count

    def first_needed(self, ready: int) -> int:
        """The first known input that an output from number `ready` on depends on."""
        needed = 0
        for samples in self.outputs:
            for sample in samples[ready:]:
                needed |= sample.inputs
        needed &= (1 << self.known) - 1
        return (needed & -needed).bit_length() - 1 if needed else self.known


def reads(sample: Sample) -> tuple[int, int]:
    """The first and the last input that a sample depends on."""
    return (sample.inputs & -sample.inputs).bit_length() - 1, sample.inputs.bit_length() - 1


def _padded(axis: Sliding, n: int) -> list[int]:
    """For every position of the padded axis the index of a sample, -1 for none."""
    indices, pads = np.arange(n), (axis.before, axis.after)
    if axis.boundary in ("reflect", "symmetric", "edge", "wrap"):
        return list(np.pad(indices, pads, mode=axis.boundary).tolist())  # type: ignore[call-overload]  # its word
    return list(np.pad(indices, pads, constant_values=-1).tolist())
