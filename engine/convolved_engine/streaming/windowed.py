"""Windows over history and block, through a prepared algorithm.

Where the algorithm keeps the law of `cut_invariant`, every output comes as soon as its window is
full. Where it works on a grid, outputs come in whole blocks of the grid, counted from output 0,
so that again no cutting changes a bit. Any other algorithm has each block computed by one call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.streaming.base import LayerStream
from convolved_engine.streaming.history import History
from convolved_engine.streaming.pieces import ends_of_pieces
from convolved_vocabulary.geometry import Sliding

__all__ = ["WindowedStream"]

Compute = Callable[[NDArray[Any], tuple[int, int]], NDArray[Any]]


class WindowedStream(LayerStream):
    """A sliding window along time.

    Args:
        axis: the geometry along time.
        frame: (batch, channels, *size) of the input.
        dtype: of the input as it is kept.
        compute: gives the outputs of a stretch of input, (batch, channels, *size, n) and the zeros
            before and after it: as many as there are windows in it.
        empty: no outputs: (batch, out_channels, *out_size, 0).
        algorithm: the name of what computes.
        grid: outputs that are computed together, 1 where each stands alone.
        apart: whether each block of the grid must have a call of its own.
    """

    def __init__(
        self,
        axis: Sliding,
        frame: tuple[int, ...],
        dtype: np.dtype[Any],
        compute: Compute,
        empty: NDArray[Any],
        algorithm: str,
        grid: int = 1,
        *,
        apart: bool = False,
    ) -> None:
        self._axis = axis
        self._history = History(frame, dtype, axis.boundary)
        self._compute = compute
        self._grid, self._apart = grid, apart
        self._empty = empty
        self.algorithm = algorithm
        self.start_at(0)

    def push(self, block: NDArray[Any]) -> NDArray[Any]:
        """The outputs whose windows are full now, down to the grid."""
        self._history.append(block)
        self.inputs = self._history.end
        ready = self._axis.ready(self.inputs)
        return self._give(max(self.outputs, ready - ready % self._grid))

    def flush(self) -> NDArray[Any]:
        """The outputs that the padding after the signal completes."""
        return np.concatenate([*self.flush_steps()], axis=-1)

    def flush_steps(self) -> Iterator[NDArray[Any]]:
        """The same, some thousand outputs at a time, whole blocks of the grid."""
        until = max(self.outputs, self._axis.output_length(self.inputs))
        for end in ends_of_pieces(self.outputs, until, self._grid):
            yield self._give(end)

    def start_at(self, inputs: int) -> int:
        """The first output on the grid whose window begins at `inputs` or later."""
        self._history.clear(inputs)
        self.inputs, self.outputs = inputs, 0
        if inputs:
            first = -(-(inputs + self._axis.before) // self._axis.stride)
            self.outputs = -(-first // self._grid) * self._grid
        return self.outputs

    def skip_to(self, output: int) -> int:
        """That output, or the first of its block on the grid."""
        self.outputs = max(self.outputs, output - output % self._grid)
        return self.outputs

    def retain_for(self, output: int) -> int:
        """The begin of the window of the output's block on the grid, or what the end mirrors."""
        begin = self._axis.first_input(output - output % self._grid)
        return max(0, min(begin, self.inputs - self._mirrored()))

    @property
    def state_bytes(self) -> int:
        """The history's."""
        return self._history.nbytes

    def _mirrored(self) -> int:
        """How many of the last samples the padding after the signal will read."""
        if not self._axis.after:
            return 0
        if self._axis.boundary == "wrap":
            return self.inputs
        reads = {"reflect": self._axis.after + 1, "symmetric": self._axis.after, "edge": 1}
        return reads.get(str(self._axis.boundary), 0)

    def _give(self, until: int) -> NDArray[Any]:
        found = []
        while self.outputs < until:
            last = until
            if self._apart:
                last = min(until, self.outputs - self.outputs % self._grid + self._grid)
            found.append(self._outputs(last))
            self.outputs = last
        self._history.forget_before(self.retain_for(self.outputs))
        if len(found) == 1:
            return found[0]
        return np.concatenate(found, axis=-1) if found else self._empty

    def _outputs(self, until: int) -> NDArray[Any]:
        first = self._axis.first_input(self.outputs)
        last = self._axis.last_input(until - 1) + 1
        return self._compute(*self._history.read(first, last))
