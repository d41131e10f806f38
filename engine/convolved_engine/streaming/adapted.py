"""A stream of computing dtypes, seen from the dtypes of the signal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from numpy.typing import NDArray

from convolved_engine.streaming.base import LayerStream

__all__ = ["AdaptedStream"]

Change = Callable[[NDArray[Any]], NDArray[Any]]


class AdaptedStream(LayerStream):
    """Put `enter` before another stream and `leave` behind it; neither may have a memory."""

    def __init__(self, inner: LayerStream, enter: Change, leave: Change) -> None:
        self._inner, self._enter, self._leave = inner, enter, leave
        self.algorithm = inner.algorithm

    def push(self, block: NDArray[Any]) -> NDArray[Any]:
        """Enter, push, leave."""
        return self._leave(self._inner.push(self._enter(block)))

    def flush(self) -> NDArray[Any]:
        """Flush, leave."""
        return self._leave(self._inner.flush())

    def flush_steps(self) -> Iterator[NDArray[Any]]:
        """The inner stream's, each leaving."""
        for piece in self._inner.flush_steps():
            yield self._leave(piece)

    def start_at(self, inputs: int) -> int:
        """The inner stream's."""
        return self._inner.start_at(inputs)

    def skip_to(self, output: int) -> int:
        """The inner stream's."""
        return self._inner.skip_to(output)

    def retain_for(self, output: int) -> int:
        """The inner stream's."""
        return self._inner.retain_for(output)

    @property
    def state_bytes(self) -> int:
        """The inner stream's."""
        return self._inner.state_bytes
