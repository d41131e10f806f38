"""A Problem: one convolution with every default resolved, as a hashable value.

Every linear layer becomes Problems; nothing here computes. A problem knows zeros as its only
boundary: zero padding is the absence of samples, so that it is never multiplied by a weight, not
even by an infinite one. Every other boundary is put around the signal before
(`convolved_engine.boundary`).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np

from convolved_vocabulary.errors import InvalidArgument
from convolved_vocabulary.filters import AXES
from convolved_vocabulary.words import counted

__all__ = ["DTYPES", "Accuracy", "Problem"]

Accuracy = Literal["fast", "strict"]

DTYPES: tuple[np.dtype[Any], ...] = tuple(
    np.dtype(name) for name in ("float32", "float64", "complex64", "complex128", "int32", "int64")
)
"""The dtypes in which convolutions are computed."""


@dataclass(frozen=True)
class Problem:
    """The convolution of x (batch, in_channels, *size) with a weight of
    (out_channels, in_channels / groups, *kernel), both of one dtype.

    Attributes:
        batch: how many signals.
        groups: channels are convolved in this many groups of their own.
        in_channels: of all groups together.
        out_channels: of all groups together.
        size: length of each spatial axis; one to three of them, time last.
        kernel: taps on each axis.
        stride: every stride-th output is kept.
        dilation: distance between taps.
        pads: zeros before and after each axis.
        dtype: of input, weight and output.
        flip: True convolves (the kernel is reversed), False cross-correlates.
        accuracy: "fast" bounds the error by sum|w| * max|x|, "strict" each output's error by
            that output's own sum|w||x|.
        has_bias: whether a number is added to each output channel.

    >>> Problem.of((1, 1, 480), (1, 1, 15), dtype="float32", pads=((7, 7),)).output_size
    (480,)
    """

    batch: int
    groups: int
    in_channels: int
    out_channels: int
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dtype: np.dtype[Any]
    flip: bool = False
    accuracy: Accuracy = "fast"
    has_bias: bool = False

    def __post_init__(self) -> None:
        if not 1 <= len(self.size) <= 3:
            raise InvalidArgument("size", f"{len(self.size)} spatial axes", "1, 2 or 3")
        for axis, length in enumerate(self.output_size):
            if length < 1:
                raise InvalidArgument(
                    "size",
                    f"{self.size[axis]} samples and padding {self.pads[axis]} on axis {axis}",
                    f"at least the {self.extent[axis]} samples that the kernel spans",
                )

    @classmethod
    def of(
        cls,
        shape: tuple[int, ...],
        weight_shape: tuple[int, ...],
        *,
        dtype: Any,
        stride: tuple[int, ...] | None = None,
        dilation: tuple[int, ...] | None = None,
        pads: tuple[tuple[int, int], ...] | None = None,
        groups: int = 1,
        flip: bool = False,
        accuracy: Accuracy = "fast",
        has_bias: bool = False,
    ) -> Problem:
        """The problem of an input of `shape` and a weight of `weight_shape`, both complete.

        Equal arguments give the same object, so that its hash is computed once.
        """
        rank = len(weight_shape) - 2
        return _known(
            shape[0],
            groups,
            shape[1],
            weight_shape[0],
            shape[2:],
            weight_shape[2:],
            stride or (1,) * rank,
            dilation or (1,) * rank,
            pads or ((0, 0),) * rank,
            np.dtype(dtype),
            flip,
            accuracy,
            has_bias,
        )

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, field.name) for field in dataclasses.fields(self)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def rank(self) -> int:
        """The number of spatial axes."""
        return len(self.size)

    @cached_property
    def extent(self) -> tuple[int, ...]:
        """Samples from the first tap to the last on each axis, both included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @cached_property
    def output_size(self) -> tuple[int, ...]:
        """floor((n + before + after - extent) / stride) + 1 on each axis."""
        return tuple(
            (n + before + after - extent) // stride + 1
            for n, (before, after), extent, stride in zip(
                self.size, self.pads, self.extent, self.stride, strict=True
            )
        )

    @cached_property
    def input_shape(self) -> tuple[int, ...]:
        """(batch, in_channels, *size)."""
        return (self.batch, self.in_channels, *self.size)

    @cached_property
    def output_shape(self) -> tuple[int, ...]:
        """(batch, out_channels, *output_size)."""
        return (self.batch, self.out_channels, *self.output_size)

    @cached_property
    def weight_shape(self) -> tuple[int, ...]:
        """(out_channels, in_channels / groups, *kernel)."""
        return (self.out_channels, self.group_inputs, *self.kernel)

    @property
    def group_inputs(self) -> int:
        """Input channels of one group."""
        return self.in_channels // self.groups

    @property
    def group_outputs(self) -> int:
        """Output channels of one group."""
        return self.out_channels // self.groups

    @property
    def taps(self) -> int:
        """Taps of one kernel over all axes."""
        return math.prod(self.kernel)

    @property
    def terms(self) -> int:
        """The products that are added up in one output."""
        return self.group_inputs * self.taps

    @property
    def outputs(self) -> int:
        """The numbers in the output."""
        return math.prod(self.output_shape)

    @property
    def multiply_adds(self) -> int:
        """Of a direct evaluation: outputs times terms."""
        return self.outputs * self.terms

    @property
    def input_bytes(self) -> int:
        """Bytes of the input."""
        return math.prod(self.input_shape) * self.dtype.itemsize

    @property
    def output_bytes(self) -> int:
        """Bytes of the output."""
        return self.outputs * self.dtype.itemsize

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weight."""
        return math.prod(self.weight_shape) * self.dtype.itemsize

    @property
    def is_complex(self) -> bool:
        """Whether the dtype is complex."""
        return self.dtype.kind == "c"

    @property
    def is_integer(self) -> bool:
        """Whether the dtype is an integer, so that every result is exact."""
        return self.dtype.kind == "i"

    def with_input(self, shape: tuple[int, ...]) -> Problem:
        """The same convolution of an input of another batch and size; one object, as in `of`."""
        if shape == self.input_shape:
            return self
        return Problem.of(
            (shape[0], self.in_channels, *shape[2:]),
            self.weight_shape,
            dtype=self.dtype,
            stride=self.stride,
            dilation=self.dilation,
            pads=self.pads,
            groups=self.groups,
            flip=self.flip,
            accuracy=self.accuracy,
            has_bias=self.has_bias,
        )

    def __str__(self) -> str:
        channels = counted(self.in_channels, "channel")
        samples = "sample" if set(self.size) == {1} else "samples"
        words = [f"from {channels} of {_by(self.size)} {samples} to {self.out_channels}"]
        if self.batch > 1:
            words.insert(0, f"{self.batch} signals")
        if self.groups > 1:
            words.append(f"in {self.groups} groups")
        taps = "tap" if self.taps == 1 else "taps"
        words.append(f"kernels of {_by(self.kernel)} {taps}")
        for name in ("stride", "dilation"):
            values = getattr(self, name)
            if any(value != 1 for value in values):
                words.append(f"{name} {_by(values)}")
        if any(any(pair) for pair in self.pads):
            words.append(f"padded by {_pads(self.pads)}")
        words.append(self.dtype.name)
        return ", ".join(words)


def _by(numbers: tuple[int, ...]) -> str:
    same = len(set(numbers)) == 1 and len(numbers) > 1 and numbers[0] == 1
    return "1" if same else " x ".join(f"{number:,}" for number in numbers)


def _pads(pads: tuple[tuple[int, int], ...]) -> str:
    each = [f"{before:,} before and {after:,} after" for before, after in pads]
    if len(set(pads)) == 1:
        return each[0] + (" on each axis" if len(pads) > 1 else "")
    named = zip(AXES[-len(pads) :], pads, each, strict=True)
    return ", ".join(f"{words} along {axis}" for axis, pair, words in named if any(pair))


@lru_cache(maxsize=4096)
def _known(*fields: Any) -> Problem:
    return Problem(*fields)
