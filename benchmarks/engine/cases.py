"""The frozen cases of the engine: which signals, through which kernels, in which families.

Every process makes the same arrays from the same seed, so that nothing but commands travels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["CASES", "FAMILIES", "QUICK", "SGEMM_SIZE", "Case", "by_name"]

Kind = Literal["convolve", "conv", "transpose", "max", "avg"]

SGEMM_SIZE = 1024
"""Rows and columns of the matrices by which the machine's rate is measured."""


@dataclass(frozen=True)
class Case:
    """One problem.

    Attributes:
        family: to which it belongs.
        name: tells it from all others.
        kind: "convolve" is true convolution of one channel, centered, by the public function of
            that name; "conv" and "transpose" are layers kept as a filter, for `apply`; "max" and
            "avg" are the public functions that pool.
        shape: (batch, channels, *size) of the signal.
        weight: (out_channels, in_channels / groups, *kernel), of a transposed layer
            (in_channels, out_channels / groups, *kernel); of a pool (1, 1, *window).
        stride: of every axis.
        padding: zeros before and after every axis.
        dilation: of every axis.
        groups: of channels.
        dtype: of signal, weight and output.
    """

    family: str
    name: str
    kind: Kind
    shape: tuple[int, ...]
    weight: tuple[int, ...]
    stride: int = 1
    padding: int | tuple[int, ...] = 0
    dilation: int = 1
    groups: int = 1
    dtype: str = "float32"

    @property
    def rank(self) -> int:
        """The number of spatial axes."""
        return len(self.shape) - 2

    @property
    def kernel(self) -> tuple[int, ...]:
        """Taps of each axis."""
        return self.weight[2:]

    @property
    def pads(self) -> tuple[int, ...]:
        """Zeros before and after each axis."""
        if isinstance(self.padding, int):
            return (self.padding,) * self.rank
        return self.padding

    @property
    def is_pool(self) -> bool:
        """Whether windows slide without weights."""
        return self.kind in ("max", "avg")

    @property
    def is_depthwise(self) -> bool:
        """Whether no channel is mixed with another."""
        return self.is_pool or self.shape[1] == self.groups

    @property
    def output_size(self) -> tuple[int, ...]:
        """Length of each spatial axis of the output."""
        if self.kind == "transpose":
            return tuple(
                (n - 1) * self.stride - 2 * pad + self.dilation * (k - 1) + 1
                for n, k, pad in zip(self.shape[2:], self.kernel, self.pads, strict=True)
            )
        return tuple(
            (n + 2 * pad - self.dilation * (k - 1) - 1) // self.stride + 1
            for n, k, pad in zip(self.shape[2:], self.kernel, self.pads, strict=True)
        )

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        if self.is_pool:
            return self.shape[1]
        return self.weight[1] * self.groups if self.kind == "transpose" else self.weight[0]

    @property
    def multiply_adds(self) -> int:
        """Of a direct evaluation; for a pool, the samples read."""
        if self.kind == "transpose":
            return math.prod(self.shape) * self.weight[1] * math.prod(self.kernel)
        outputs = self.shape[0] * self.out_channels * math.prod(self.output_size)
        return outputs * math.prod(self.weight[1:])

    def signal(self) -> NDArray[Any]:
        """The signal, of `shape`."""
        return _noise(self.shape, self.dtype, 0)

    def weights(self) -> NDArray[Any]:
        """The weight, scaled so that noise keeps its level."""
        made = _noise(self.weight, self.dtype, 1)
        made /= math.sqrt(math.prod(self.weight[1:]))
        return made


def _noise(shape: tuple[int, ...], dtype: str, seed: int) -> NDArray[Any]:
    random = np.random.default_rng(seed)
    return random.standard_normal(shape, dtype=np.dtype(dtype).type)


def _mono(family: str, taps: int, samples: int, name: str = "", dtype: str = "float32") -> Case:
    named = name or f"{taps} taps, {samples // 1000}k samples"
    pad = (taps - 1) // 2
    return Case(family, named, "convolve", (1, 1, samples), (1, 1, taps), padding=pad, dtype=dtype)


def _image(side: int, rows: int = 513, columns: int = 1000) -> Case:
    return Case(
        "single-channel 2-D",
        f"{rows}x{columns}, {side}x{side}",
        "convolve",
        (1, 1, rows, columns),
        (1, 1, side, side),
        padding=side // 2,
    )


CASES: tuple[Case, ...] = (
    _mono("mono FIR", 15, 1000, "15 taps, 1,000 samples"),
    _mono("mono FIR", 31, 48_000),
    *(_mono("mono FIR", taps, 480_000) for taps in (15, 63, 255, 1023, 8191)),
    Case(
        "long IR",
        "reverb, 10 s stereo, 1 s IR",
        "conv",
        (2, 1, 480_000),
        (1, 1, 48_000),
        padding=47_999,
    ),
    Case(
        "long IR",
        "16 to 16 channels, 1023 taps, 1 s",
        "conv",
        (1, 16, 48_000),
        (16, 16, 1023),
        padding=511,
    ),
    Case("long IR", "1 s mono, 0.5 s IR", "conv", (1, 1, 48_000), (1, 1, 24_001), padding=12_000),
    Case(
        "long IR", "60 s mono, 4 s IR", "conv", (1, 1, 2_880_000), (1, 1, 192_001), padding=96_000
    ),
    Case("matched filters", "64 of 4096 over 1M", "conv", (1, 1, 1_000_000), (64, 1, 4096)),
    Case("matched filters", "16 of 512 over 480k", "conv", (1, 1, 480_000), (16, 1, 512)),
    Case("matched filters", "128 of 64 over 100k", "conv", (1, 1, 100_000), (128, 1, 64)),
    Case("short signals", "1000 of 512, 15 taps", "conv", (1000, 1, 512), (1, 1, 15), padding=7),
    Case("short signals", "256 of 1000, 31 taps", "conv", (256, 1, 1000), (1, 1, 31), padding=15),
    Case("short signals", "64 of 4096, 255 taps", "conv", (64, 1, 4096), (1, 1, 255), padding=127),
    *(_image(side) for side in (3, 7, 15, 31, 65)),
    _image(3, 1024, 1024),
    _image(5, 2048, 2048),
    _image(5, 128, 128),
    Case(
        "1-D layers", "64 to 128, k3, 8 x 16000", "conv", (8, 64, 16_000), (128, 64, 3), padding=1
    ),
    Case("1-D layers", "80 to 384, k3, 3000", "conv", (1, 80, 3000), (384, 80, 3), padding=1),
    Case(
        "1-D layers", "256 to 256, k5, 4 x 1000", "conv", (4, 256, 1000), (256, 256, 5), padding=2
    ),
    Case("1-D layers", "1 to 64, k80, 16000", "conv", (1, 1, 16_000), (64, 1, 80)),
    Case(
        "2-D layers", "1 to 32, 3x3, 128x1000", "conv", (1, 1, 128, 1000), (32, 1, 3, 3), padding=1
    ),
    Case(
        "2-D layers",
        "32 to 64, 3x3, 128x1000",
        "conv",
        (1, 32, 128, 1000),
        (64, 32, 3, 3),
        padding=1,
    ),
    Case(
        "2-D layers", "64 to 64, 3x3, 4 x 56x56", "conv", (4, 64, 56, 56), (64, 64, 3, 3), padding=1
    ),
    Case(
        "2-D layers",
        "256 to 256, 3x3, 4 x 14x14",
        "conv",
        (4, 256, 14, 14),
        (256, 256, 3, 3),
        padding=1,
    ),
    Case(
        "2-D layers", "16 to 16, 5x5, 128x250", "conv", (1, 16, 128, 250), (16, 16, 5, 5), padding=2
    ),
    Case(
        "3-D", "1 to 1, 5x5x5, 64x64x64", "convolve", (1, 1, 64, 64, 64), (1, 1, 5, 5, 5), padding=2
    ),
    Case(
        "3-D", "1 to 16, 3x3x3, 32x64x64", "conv", (1, 1, 32, 64, 64), (16, 1, 3, 3, 3), padding=1
    ),
    Case(
        "3-D",
        "16 to 32, 3x3x3, 16x56x56",
        "conv",
        (1, 16, 16, 56, 56),
        (32, 16, 3, 3, 3),
        padding=1,
    ),
    Case(
        "strided",
        "1 to 512, k10, stride 5, 160000",
        "conv",
        (1, 1, 160_000),
        (512, 1, 10),
        stride=5,
    ),
    Case(
        "strided", "512 to 512, k3, stride 2, 3200", "conv", (1, 512, 3200), (512, 512, 3), stride=2
    ),
    Case(
        "strided",
        "3 to 64, 7x7, stride 2, 224x224",
        "conv",
        (1, 3, 224, 224),
        (64, 3, 7, 7),
        stride=2,
        padding=3,
    ),
    Case(
        "strided",
        "64 to 128, 3x3, stride 2, 4 x 56x56",
        "conv",
        (4, 64, 56, 56),
        (128, 64, 3, 3),
        stride=2,
        padding=1,
    ),
    Case("strided", "63 taps, stride 4, 480k", "conv", (1, 1, 480_000), (1, 1, 63), stride=4),
    Case(
        "dilated",
        "64 to 64, k3, dilation 16, 16000",
        "conv",
        (1, 64, 16_000),
        (64, 64, 3),
        padding=16,
        dilation=16,
    ),
    Case(
        "dilated",
        "32 to 32, 3x3, dilation 2, 128x500",
        "conv",
        (1, 32, 128, 500),
        (32, 32, 3, 3),
        padding=2,
        dilation=2,
    ),
    Case(
        "dilated",
        "63 taps, dilation 8, 480k",
        "conv",
        (1, 1, 480_000),
        (1, 1, 63),
        padding=248,
        dilation=8,
    ),
    Case(
        "depthwise",
        "256, k31, 16000",
        "conv",
        (1, 256, 16_000),
        (256, 1, 31),
        padding=15,
        groups=256,
    ),
    Case(
        "depthwise",
        "128, 3x3, 4 x 56x56",
        "conv",
        (4, 128, 56, 56),
        (128, 1, 3, 3),
        padding=1,
        groups=128,
    ),
    Case(
        "depthwise",
        "96, 3x3, stride 2, 112x112",
        "conv",
        (1, 96, 112, 112),
        (96, 1, 3, 3),
        stride=2,
        padding=1,
        groups=96,
    ),
    Case("pointwise", "256 to 256, 4000", "conv", (1, 256, 4000), (256, 256, 1)),
    Case("pointwise", "64 to 256, 4 x 56x56", "conv", (4, 64, 56, 56), (256, 64, 1, 1)),
    Case("pointwise", "512 to 64, 8 x 500", "conv", (8, 512, 500), (64, 512, 1)),
    Case(
        "transposed",
        "256 to 128, k16, stride 8, 1000",
        "transpose",
        (1, 256, 1000),
        (256, 128, 16),
        stride=8,
        padding=4,
    ),
    Case(
        "transposed",
        "64 to 32, 4x4, stride 2, 64x64",
        "transpose",
        (1, 64, 64, 64),
        (64, 32, 4, 4),
        stride=2,
        padding=1,
    ),
    Case(
        "transposed",
        "128 to 64, k4, stride 2, 4 x 4000",
        "transpose",
        (4, 128, 4000),
        (128, 64, 4),
        stride=2,
        padding=1,
    ),
    Case("pooling", "max 2x2, 4 x 64 of 112x112", "max", (4, 64, 112, 112), (1, 1, 2, 2), stride=2),
    Case(
        "pooling",
        "max 3x3, stride 2, 64 of 112x112",
        "max",
        (1, 64, 112, 112),
        (1, 1, 3, 3),
        stride=2,
        padding=1,
    ),
    Case("pooling", "avg 4, 64 of 16000", "avg", (1, 64, 16_000), (1, 1, 4), stride=4),
    Case("pooling", "avg 3x3, 32 of 128x500", "avg", (1, 32, 128, 500), (1, 1, 3, 3), padding=1),
    *(
        _mono("float64", taps, 480_000, f"{taps} taps, 480k samples, double", "float64")
        for taps in (63, 1023)
    ),
    Case(
        "float64",
        "7x7 of 513x1000, double",
        "convolve",
        (1, 1, 513, 1000),
        (1, 1, 7, 7),
        padding=3,
        dtype="float64",
    ),
    Case(
        "float64",
        "32 to 32, 3x3, 128x500, double",
        "conv",
        (1, 32, 128, 500),
        (32, 32, 3, 3),
        padding=1,
        dtype="float64",
    ),
)

FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(case.family for case in CASES))

QUICK: tuple[Case, ...] = tuple(
    min((case for case in CASES if case.family == family), key=lambda case: case.multiply_adds)
    for family in FAMILIES
)
"""The least of each family."""

by_name = {case.name: case for case in CASES}
