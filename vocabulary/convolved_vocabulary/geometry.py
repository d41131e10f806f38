"""How one axis of a layer maps input positions to output positions.

Every layer is, along each axis, one of three maps: `Sliding` (a window that moves over the
input: convolution, pooling), `Spreading` (each input is spread over a window of outputs:
transposed convolution) and `Pointwise` (activation, affine). A chain of them is a `Chain`.
All arithmetic is in exact Python integers.

Sources: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning" (2016);
A. Araujo, W. Norris, J. Sim, "Computing receptive fields of convolutional neural networks",
Distill (2019).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Protocol

from .errors import InvalidArgument

__all__ = ["AxisMap", "Chain", "Pointwise", "ReceptiveField", "Sliding", "Spreading"]

_LONGEST_PERIOD = 1 << 16
# Positions travel as integers of 64 bits.
_FARTHEST = 1 << 62


class AxisMap(Protocol):
    """What each kind of axis answers; lengths and indices are counted in samples."""

    @property
    def rate(self) -> Fraction:
        """Outputs per input, after start-up."""

    @property
    def shortest_input(self) -> int:
        """The least number of inputs that have an output."""

    def output_length(self, n: int) -> int:
        """How many outputs an input of `n` samples has, 0 where none."""

    def ready(self, n: int) -> int:
        """How many outputs the first `n` inputs fix, whatever follows them."""

    def first_input(self, output: int) -> int:
        """The first input that output number `output` reads; below 0 in the padding."""

    def last_input(self, output: int) -> int:
        """The last input that output number `output` reads."""

    def retain_from(self, n: int) -> int:
        """The first of `n` inputs that an output after the first ready(n) may still read."""


@dataclass(frozen=True, slots=True)
class Sliding:
    """A window of `size` taps, `dilation` apart, moved by `stride` over a padded input.

    >>> Sliding(size=3, before=1, after=1).output_length(10)
    10
    """

    size: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    boundary: str | float = "zeros"
    ceil: bool = False

    @property
    def extent(self) -> int:
        """Samples from the first tap to the last, both included."""
        return self.dilation * (self.size - 1) + 1

    @property
    def wraps(self) -> bool:
        """Whether the padding is the other end of the signal, so that it cannot stream."""
        return self.boundary == "wrap" and bool(self.before or self.after)

    @property
    def rate(self) -> Fraction:
        """Outputs per input: 1 / stride."""
        return Fraction(1, self.stride)

    @property
    def shortest_input(self) -> int:
        """Extent - before - after; with `ceil` the only window may reach beyond the padding."""
        beyond = self.stride - 1 if self.ceil else 0
        return max(1, self.extent - self.before - self.after - beyond)

    def output_length(self, n: int) -> int:
        """floor((n + before + after - extent) / stride) + 1, or with ceil as PyTorch has it.

        With `ceil` a last window that starts beyond the input and its padding before is dropped.
        """
        if n < 1:
            return 0
        room = n + self.before + self.after - self.extent
        if not self.ceil:
            return max(0, room // self.stride + 1)
        count = -(-room // self.stride) + 1
        return max(0, count - 1 if (count - 1) * self.stride >= n + self.before else count)

    def ready(self, n: int) -> int:
        """The outputs whose windows lie before input `n`, once the start is fixed, too.

        None where the padding wraps: such an axis does not stream.
        """
        if self.wraps:
            return 0
        if n < 1 or n < self._start_needs():
            return 0
        return max(0, (n - self.extent + self.before) // self.stride + 1)

    def first_input(self, output: int) -> int:
        """Output * stride - before."""
        return output * self.stride - self.before

    def last_input(self, output: int) -> int:
        """Output * stride - before + extent - 1."""
        return output * self.stride - self.before + self.extent - 1

    def retain_from(self, n: int) -> int:
        """Where the next window begins, or further back for a boundary that mirrors the end."""
        if self.wraps:
            return 0
        following = self.ready(n)
        if following == 0:
            return 0
        mirrored = {"reflect": self.after + 1, "symmetric": self.after, "edge": 1}
        back = mirrored.get(self.boundary, 0) if isinstance(self.boundary, str) else 0
        begin = self.first_input(following)
        return max(0, min(begin, n - back if self.after else begin, n))

    def _start_needs(self) -> int:
        """How many inputs fix the padding before the first sample."""
        if not self.before:
            return 0
        return {"reflect": self.before + 1, "symmetric": self.before, "edge": 1}.get(
            str(self.boundary), 0
        )


@dataclass(frozen=True, slots=True)
class Spreading:
    """The adjoint of `Sliding`: each input is spread over `size` outputs, `stride` apart.

    An output counts as reading every input whose window covers it, also where it falls between
    two dilated taps.

    >>> Spreading(size=3, stride=2).output_length(5)
    11
    """

    size: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    output_padding: int = 0

    @property
    def extent(self) -> int:
        """Samples from the first tap to the last, both included."""
        return self.dilation * (self.size - 1) + 1

    @property
    def rate(self) -> Fraction:
        """Outputs per input: stride."""
        return Fraction(self.stride)

    @property
    def shortest_input(self) -> int:
        """The least number of inputs whose output is not cut away as a whole."""
        return max(1, self.input_length(0) + 1)

    def output_length(self, n: int) -> int:
        """(n - 1) * stride - before - after + extent + output_padding."""
        if n < 1:
            return 0
        length = (n - 1) * self.stride + self.extent - self.before - self.after
        return max(0, length + self.output_padding)

    def input_length(self, outputs: int) -> int:
        """How many inputs have that many outputs, the inverse of `output_length`."""
        cut = self.before + self.after - self.extent - self.output_padding
        return (outputs + cut) // self.stride + 1

    def ready(self, n: int) -> int:
        """The outputs that neither input `n` nor the end could still change."""
        return min(max(0, n * self.stride - self.before), self.output_length(n))

    def first_input(self, output: int) -> int:
        """ceil((output + before - extent + 1) / stride)."""
        return -(-(output + self.before - self.extent + 1) // self.stride)

    def last_input(self, output: int) -> int:
        """floor((output + before) / stride)."""
        return (output + self.before) // self.stride

    def retain_from(self, n: int) -> int:
        """The first input spread over the next output."""
        return max(0, min(self.first_input(self.ready(n)), n))


@dataclass(frozen=True, slots=True)
class Pointwise:
    """Output i reads input i and nothing else."""

    @property
    def rate(self) -> Fraction:
        """Outputs per input: 1."""
        return Fraction(1)

    @property
    def shortest_input(self) -> int:
        """1."""
        return 1

    def output_length(self, n: int) -> int:
        """`n`."""
        return n

    def ready(self, n: int) -> int:
        """`n`."""
        return n

    def first_input(self, output: int) -> int:
        """`output`."""
        return output

    def last_input(self, output: int) -> int:
        """`output`."""
        return output

    def retain_from(self, n: int) -> int:
        """`n`: nothing is kept."""
        return n


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Which inputs the outputs along one axis see.

    Attributes:
        size: the greatest number of inputs, first to last, that one output sees.
        stride: inputs from the field of one output to that of the next (a fraction where
            transposed layers make more outputs than inputs).
        start: the first input that output 0 sees; negative where it begins in the padding.

    >>> from convolved_vocabulary import Filter, Pool
    >>> Filter([Pool("max", 2), Pool("max", 3, stride=1)]).receptive_field
    (ReceptiveField(size=6, stride=Fraction(2, 1), start=0),)
    """

    size: int
    stride: Fraction
    start: int

    def __str__(self) -> str:
        return f"{self.size:,} samples, every {self.stride}, from {self.start:,}"


@dataclass(frozen=True)
class Chain:
    """Axis maps one after another: one axis of a whole filter.

    >>> chain = Chain((Sliding(size=3, stride=2), Sliding(size=3)))
    >>> chain.output_length(11), chain.ready(11), chain.receptive_field
    (3, 3, ReceptiveField(size=7, stride=Fraction(2, 1), start=0))
    """

    maps: tuple[AxisMap, ...]

    def __init__(self, maps: Iterable[AxisMap]) -> None:
        object.__setattr__(self, "maps", tuple(maps))

    @property
    def rate(self) -> Fraction:
        """Outputs per input, after start-up."""
        product = Fraction(1)
        for axis in self.maps:
            product *= axis.rate
        return product

    def output_length(self, n: int) -> int:
        """How many outputs an input of `n` samples has."""
        for axis in self.maps:
            n = axis.output_length(n)
        return n

    def ready(self, n: int) -> int:
        """How many outputs the first `n` inputs fix, whatever follows them."""
        for axis in self.maps:
            n = axis.ready(n)
        return n

    def first_input(self, output: int) -> int:
        """The first input that output number `output` reads."""
        for axis in reversed(self.maps):
            output = axis.first_input(output)
        return output

    def last_input(self, output: int) -> int:
        """The last input that output number `output` reads."""
        for axis in reversed(self.maps):
            output = axis.last_input(output)
        return output

    def retain_from(self, n: int) -> int:
        """The first input from which everything after the first ready(n) outputs can be made."""
        reached = [n]
        for axis in self.maps:
            reached.append(axis.ready(reached[-1]))
        needed = reached[-1]
        for axis, count in zip(reversed(self.maps), reversed(reached[:-1]), strict=True):
            needed = min(axis.retain_from(count), max(0, axis.first_input(needed)), count)
        return needed

    @property
    def delay(self) -> Fraction:
        """The greatest (last input of an output) - (its index / rate), in input samples."""
        rate = self.rate
        return max(last - output / rate for (_, last), output in self._seen().items())

    @property
    def receptive_field(self) -> ReceptiveField:
        """What the outputs see, in closed form over one period of the pattern."""
        size = max(last - first + 1 for first, last in self._seen())
        field = ReceptiveField(size, 1 / self.rate, self.first_input(0))
        if field.stride > _FARTHEST or max(field.size, -field.start) > _FARTHEST:
            raise InvalidArgument(
                "layers",
                "strides, dilations or padding that multiply to a receptive field beyond 2**62",
                "layers whose outputs see inputs less far apart",
            )
        return field

    def _seen(self) -> dict[tuple[int, int], int]:
        """(first input, last input) of the outputs of one period, and the first output of each.

        Neighboring outputs soon see the same inputs on the way back through a map that upsamples,
        and maps between two such are one line each: the work is that of one period, however many
        maps there are.
        """
        seen = {(output, output): output for output in self._period()}
        for run in reversed(self._runs()):
            before: dict[tuple[int, int], int] = {}
            if isinstance(run, Chain):
                step, first, last = int(1 / run.rate), run.first_input(0), run.last_input(0)
                for (begin, end), output in seen.items():
                    before.setdefault((begin * step + first, end * step + last), output)
            else:
                for (begin, end), output in seen.items():
                    before.setdefault((run.first_input(begin), run.last_input(end)), output)
            seen = before
        return seen

    def _runs(self) -> list[AxisMap | Chain]:
        """The maps that upsample, and between them chains of such as do not."""
        found: list[AxisMap | Chain] = []
        for upsamples, group in groupby(self.maps, lambda axis: axis.rate.numerator > 1):
            maps = list(group)
            found.extend(maps if upsamples else [Chain(maps)])
        return found

    def _period(self) -> range:
        # Outputs whose indices differ by the numerator of the total upsampling see the same
        # pattern of inputs, moved along; a chain that upsamples enters by its transposed maps.
        period = 1
        for axis in self.maps:
            period *= axis.rate.numerator
        if period > _LONGEST_PERIOD:
            raise InvalidArgument(
                "layers", f"upsampling by {period} in all", f"at most {_LONGEST_PERIOD}"
            )
        return range(period)
