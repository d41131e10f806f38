"""Transposed layers along time: each input is spread over outputs that lie ahead.

Outputs come as soon as no later input can reach them, or in whole chunks counted from output 0.
A chunk is computed by one call that is the same however the input was cut, so that no cutting
changes a bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.streaming.base import LayerStream
from convolved_engine.streaming.history import History
from convolved_engine.streaming.pieces import ends_of_pieces
from convolved_vocabulary.geometry import Spreading

__all__ = ["SpreadStream"]

Compute = Callable[[NDArray[Any], int, range], NDArray[Any]]


class SpreadStream(LayerStream):
    """A spreading window along time.

    Args:
        axis: the geometry along time.
        frame: (batch, channels, *size) of the input.
        dtype: of the input as it is kept.
        compute: gives a range of outputs from the inputs that reach them, (batch, channels,
            *size, n), and the index of the first of these.
        empty: no outputs: (batch, out_channels, *out_size, 0).
        algorithm: the name of what computes.
        chunk: outputs that are computed by one call; 1 where `compute` keeps the law of bits for
            ranges of any length.
    """

    def __init__(
        self,
        axis: Spreading,
        frame: tuple[int, ...],
        dtype: np.dtype[Any],
        compute: Compute,
        empty: NDArray[Any],
        algorithm: str,
        chunk: int = 1,
    ) -> None:
        self._axis = axis
        self._history = History(frame, dtype, "zeros")
        self._compute = compute
        self._empty = empty
        self._chunk = chunk
        self.algorithm = algorithm
        self.start_at(0)

    def push(self, block: NDArray[Any]) -> NDArray[Any]:
        """The outputs before the place to which the next input would be spread."""
        self._history.append(block)
        self.inputs = self._history.end
        ready = self._axis.ready(self.inputs)
        return self._give(max(self.outputs, ready - ready % self._chunk))

    def flush(self) -> NDArray[Any]:
        """The rest of what the last inputs are spread over."""
        return np.concatenate([*self.flush_steps()], axis=-1)

    def flush_steps(self) -> Iterator[NDArray[Any]]:
        """The same, some thousand outputs at a time, whole chunks."""
        until = max(self.outputs, self._axis.output_length(self.inputs))
        for end in ends_of_pieces(self.outputs, until, self._chunk):
            yield self._give(end)

    def start_at(self, inputs: int) -> int:
        """The first output that no input before `inputs` reaches, on the grid of chunks."""
        self._history.clear(inputs)
        self.inputs, self.outputs = inputs, 0
        if inputs:
            axis = self._axis
            first = max(0, (inputs - 1) * axis.stride + axis.extent - axis.before)
            self.outputs = -(-first // self._chunk) * self._chunk
        return self.outputs

    def skip_to(self, output: int) -> int:
        """That output, or the first of its block on the grid."""
        self.outputs = max(self.outputs, output - output % self._chunk)
        return self.outputs

    def retain_for(self, output: int) -> int:
        """The first input that reaches the output's chunk."""
        begin = self._axis.first_input(output - output % self._chunk)
        return max(0, min(begin, self.inputs))

    @property
    def state_bytes(self) -> int:
        """The history's."""
        return self._history.nbytes

    def _give(self, until: int) -> NDArray[Any]:
        found = []
        while self.outputs < until:
            last = until
            if self._chunk > 1:
                last = min(until, self.outputs - self.outputs % self._chunk + self._chunk)
            found.append(self._outputs(range(self.outputs, last)))
            self.outputs = last
        self._history.forget_before(self.retain_for(self.outputs))
        if len(found) == 1:
            return found[0]
        return np.concatenate(found, axis=-1) if found else self._empty

    def _outputs(self, wanted: range) -> NDArray[Any]:
        end = self._history.end
        first = min(max(0, self._axis.first_input(wanted.start)), end)
        last = min(max(first, self._axis.last_input(wanted.stop - 1) + 1), end)
        return self._compute(self._history.read(first, last)[0], first, wanted)
