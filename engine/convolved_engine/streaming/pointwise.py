"""Layers that see one sample at a time: their stream has no state but its position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from convolved_engine.streaming.base import LayerStream

__all__ = ["PointwiseStream"]


class PointwiseStream(LayerStream):
    """Apply `run`, a function of (batch, channels, *spatial), to every block.

    Args:
        run: the function.
        empty: what the end of the input gives: (batch, channels, *size, 0).
        algorithm: its name.
    """

    def __init__(
        self,
        run: Callable[[NDArray[Any]], NDArray[Any]],
        empty: NDArray[Any],
        algorithm: str,
    ) -> None:
        self._run = run
        self._empty = empty
        self.algorithm = algorithm
        self.inputs = self.outputs = 0

    def push(self, block: NDArray[Any]) -> NDArray[Any]:
        """As many outputs as inputs."""
        self.inputs += block.shape[-1]
        self.outputs = self.inputs
        return self._run(block)

    def flush(self) -> NDArray[Any]:
        """Nothing is left."""
        return self._empty

    def start_at(self, inputs: int) -> int:
        """The output of the same index."""
        self.inputs = self.outputs = inputs
        return inputs

    def skip_to(self, output: int) -> int:
        """No output costs anything that is worth sparing."""
        return min(self.outputs, output)

    def retain_for(self, output: int) -> int:
        """The input of the same index."""
        return output

    @property
    def state_bytes(self) -> int:
        """None."""
        return 0
