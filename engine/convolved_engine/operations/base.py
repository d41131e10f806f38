"""What an operation is: one layer, made ready for signals of one type.

`apply` runs operations over whole signals, a stream opens each of them along time. Both use the
same prepared algorithms.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.streaming.base import LayerStream
from convolved_vocabulary import Candidate, SignalType

__all__ = ["Operation", "converted"]


class Operation(ABC):
    """One layer for signals of one type.

    Attributes:
        output: the type of what comes out.
    """

    output: SignalType

    @abstractmethod
    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """Apply the layer to x (batch, channels, *spatial); `x` is left as it is."""

    def run_into(self, x: NDArray[Any], out: NDArray[Any]) -> None:
        """`run`, its result in `out`: C-contiguous, of that shape and of the dtype of `output`."""
        out[...] = self.run(x)

    def prepare(self, shape: tuple[int, ...]) -> None:
        """Make ready what `run` will need for x of this shape and keep it, where it is kept."""
        del shape

    @abstractmethod
    def plan(self, shape: tuple[int, ...]) -> tuple[str, Candidate, tuple[Candidate, ...]]:
        """The problem in words, the way that would be taken for `shape`, and the others."""

    def plan_stream(
        self, frame: tuple[int, ...], block: int
    ) -> tuple[str, Candidate, tuple[Candidate, ...]]:
        """`plan` for one block of a live stream of `frame` (batch, channels, *size)."""
        return self.plan((*frame, block))

    @abstractmethod
    def stream(self, frame: tuple[int, ...], block: int, total: int | None) -> LayerStream:
        """Open the layer along time.

        Args:
            frame: (batch, channels, *size) of the input, without time.
            block: input samples that come at a time, as far as is known.
            total: the length of the whole input where it is known; outputs may then be held
                back to work in larger blocks.
        """


def converted(x: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array in another dtype, copied only if needed; what is too large becomes infinite."""
    if x.dtype == dtype:
        return x
    with np.errstate(over="ignore"):
        return x.astype(dtype)
