"""What a layer does along time: blocks in, and out comes what they fix."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

__all__ = ["LayerStream"]


class LayerStream(ABC):
    """One layer's state along time; positions are absolute sample indices.

    The law: how the input is cut into blocks changes neither a bit nor, unless outputs may be
    held back, how many outputs have come after n inputs.

    Attributes:
        algorithm: the name of what computes.
    """

    algorithm: str

    @abstractmethod
    def push(self, block: NDArray[Any]) -> NDArray[Any]:
        """Take (batch, channels, *size, n) in, give (batch, out_channels, *out_size, m) back."""

    @abstractmethod
    def flush(self) -> NDArray[Any]:
        """End the input; give the outputs that are left."""

    def flush_steps(self) -> Iterator[NDArray[Any]]:
        """`flush` in pieces, each of which takes but little time."""
        yield self.flush()

    @abstractmethod
    def start_at(self, inputs: int) -> int:
        """Forget everything, stand before input `inputs`, and tell the first output to come.

        At 0 that is output 0. Elsewhere it is the first output whose bits the input from there
        on fixes: the padding at the start is not applied again.
        """

    @abstractmethod
    def skip_to(self, output: int) -> int:
        """After start_at: outputs before `output` are not wanted; tell the first to come now.

        That is at most `output`: what is not wanted need not be computed, but may be.
        """

    @abstractmethod
    def retain_for(self, output: int) -> int:
        """The first input from which start_at still gives `output` and all later ones."""

    @property
    @abstractmethod
    def state_bytes(self) -> int:
        """The memory that the state takes."""
