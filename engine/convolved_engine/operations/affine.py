"""The Affine layer: a depthwise convolution of one tap, by the algorithm `direct`.

That gives it exact integers, complex scales and the law of bits. Where a linear layer stands
before it, both are one layer already: see `convolved_engine.folding`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.operations.base import Operation
from convolved_engine.operations.convolution import Convolution
from convolved_engine.streaming.base import LayerStream
from convolved_engine.streaming.pointwise import PointwiseStream
from convolved_vocabulary import Affine, Candidate, Conv, Options, SignalType
from convolved_vocabulary.words import counted

__all__ = ["Scaling"]

_NAME = "direct"


class Scaling(Operation):
    """An `Affine` layer for signals of one type; the arguments are those of `Convolution`."""

    def __init__(
        self, layer: Affine, signal: SignalType, options: Options, identity: Hashable | None
    ) -> None:
        taps = Conv(layer.scale[:, None, None], layer.shift, groups=layer.in_channels)
        self._inner = Convolution(
            taps, signal, dataclasses.replace(options, algorithm=_NAME), identity
        )
        self.output = layer.output_type(signal)

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """See `Operation`; every spatial axis counts as time."""
        if not x.size:
            return np.empty(x.shape, self.output.dtype)
        return self._inner.run(x.reshape(*x.shape[:2], -1)).reshape(x.shape)

    def plan(self, shape: tuple[int, ...]) -> tuple[str, Candidate, tuple[Candidate, ...]]:
        """See `Operation`; there is one way only."""
        samples = 1
        for length in shape[2:]:
            samples *= length
        _, chosen, _ = self._inner.plan((*shape[:2], samples))
        problem = f"scale of {counted(shape[1], 'channel')}, {shape[0] * samples:,} samples each"
        return problem, dataclasses.replace(chosen, reason="the only way"), ()

    def stream(self, frame: tuple[int, ...], block: int, total: int | None) -> LayerStream:
        """See `Operation`."""
        return PointwiseStream(self.run, np.empty((*frame, 0), self.output.dtype), _NAME)
