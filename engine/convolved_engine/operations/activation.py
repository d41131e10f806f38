"""The Activation layer: a function of each sample, whole or in blocks alike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import machine
from convolved_engine.activations import activate, error_bound
from convolved_engine.operations.base import Operation, converted
from convolved_engine.streaming.base import LayerStream
from convolved_engine.streaming.pointwise import PointwiseStream
from convolved_vocabulary import Activation, Candidate, SignalType
from convolved_vocabulary.dtypes import computing_dtype

__all__ = ["Activating"]

_NAME = "pointwise"

# Seconds for one sample of float32, beside reading and writing it.
_SECONDS = {
    "relu": 0.3e-9,
    "leaky_relu": 1e-9,
    "elu": 1.5e-9,
    "gelu": 20e-9,
    "sigmoid": 1.5e-9,
    "tanh": 1e-9,
    "softplus": 3e-9,
}


class Activating(Operation):
    """An `Activation` layer for signals of one type."""

    def __init__(self, layer: Activation, signal: SignalType) -> None:
        self._layer = layer
        self.output = layer.output_type(signal)
        self._dtype = computing_dtype(signal.dtype)

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """See `Operation`."""
        found = activate(self._layer, converted(x, self._dtype))
        return converted(found, self.output.dtype)

    def plan(self, shape: tuple[int, ...]) -> tuple[str, Candidate, tuple[Candidate, ...]]:
        """See `Operation`; there is one way only."""
        samples, constants = math.prod(shape), machine.current()
        moved = 2 * samples * self._dtype.itemsize / constants.memory_rate
        work = samples * _SECONDS[self._layer.function] * self._dtype.itemsize / 4
        chosen = Candidate(
            algorithm=_NAME,
            predicted_seconds=constants.call_seconds + moved + work,
            workspace_bytes=2 * samples * self._dtype.itemsize,
            relative_error=error_bound(self._layer, self.output.dtype),
            reason="the only way",
        )
        return f"{self._layer.function} of {samples:,} numbers", chosen, ()

    def stream(self, frame: tuple[int, ...], block: int, total: int | None) -> LayerStream:
        """See `Operation`."""
        return PointwiseStream(self.run, np.empty((*frame, 0), self.output.dtype), _NAME)
