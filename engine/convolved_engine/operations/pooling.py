"""The Pool layer: windows over a whole signal, or over history and block."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import machine
from convolved_engine.operations.base import Operation, converted
from convolved_engine.pools import Windows, averages, error_bound, maxima, windows_of
from convolved_engine.streaming.base import LayerStream
from convolved_engine.streaming.windowed import WindowedStream
from convolved_vocabulary import Candidate, Pool, SignalType
from convolved_vocabulary.dtypes import computing_dtype

__all__ = ["Pooling"]

_NAME = "windows"
_SECONDS = 0.8e-9


class Pooling(Operation):
    """A `Pool` layer for signals of one type."""

    def __init__(self, layer: Pool, signal: SignalType) -> None:
        self._layer = layer
        self.output = layer.output_type(signal)
        self._dtype = computing_dtype(signal.dtype)

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """See `Operation`."""
        return self._pool(x, windows_of(self._layer, x.shape[2:]))

    def plan(self, shape: tuple[int, ...]) -> tuple[str, Candidate, tuple[Candidate, ...]]:
        """See `Operation`; there is one way only."""
        windows = windows_of(self._layer, shape[2:])
        steps, samples = 0, math.prod(shape)
        held = [samples]
        for along in reversed(windows):
            samples = samples // along.samples * along.count
            steps += samples * len(along.taps)
            held.append(samples)
        constants = machine.current()
        item = self._dtype.itemsize if self._layer.function == "max" else 8
        moved = held[0] * self._dtype.itemsize / constants.memory_rate
        chosen = Candidate(
            algorithm=_NAME,
            predicted_seconds=constants.call_seconds + moved + steps * _SECONDS * item / 4,
            workspace_bytes=2 * max(held[1:]) * item,
            relative_error=error_bound(self._layer, self.output.dtype),
            reason="the only way",
        )
        size = " x ".join(map(str, self._layer.size))
        whole = " x ".join(f"{length:,}" for length in shape[2:])
        return f"{self._layer.function} over windows of {size} in {whole} samples", chosen, ()

    def plan_stream(
        self, frame: tuple[int, ...], block: int
    ) -> tuple[str, Candidate, tuple[Candidate, ...]]:
        """See `Operation`; as many windows as a block moves on by, on the average at least one."""
        return self.plan((*frame, max(block, self._layer.axes(self._layer.rank)[-1].extent)))

    def stream(self, frame: tuple[int, ...], block: int, total: int | None) -> LayerStream:
        """See `Operation`."""
        across = windows_of_frame(self._layer, frame)
        time = self._layer.axes(self._layer.rank)[-1]

        def compute(x: NDArray[Any], zeros: tuple[int, int]) -> NDArray[Any]:
            before, missing = zeros
            length = x.shape[-1]
            count = (length + before + missing - time.extent) // time.stride + 1
            along = Windows(time, length, before, min(missing, time.after), count)
            return self._pool(x, (*across, along))

        empty = np.empty((*frame[:2], *(each.count for each in across), 0), self.output.dtype)
        return WindowedStream(time, frame, self.output.dtype, compute, empty, _NAME)

    def _pool(self, x: NDArray[Any], windows: tuple[Windows, ...]) -> NDArray[Any]:
        if self._layer.function == "max":
            return maxima(x, windows)
        found = averages(converted(x, self._dtype), windows, self._layer.count_include_pad)
        return converted(found, self.output.dtype)


def windows_of_frame(layer: Pool, frame: tuple[int, ...]) -> tuple[Windows, ...]:
    """The windows across time: those of every spatial axis of `frame` (batch, channels, *size)."""
    return windows_of(layer, (*frame[2:], 1))[:-1]
