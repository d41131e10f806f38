"""The last samples of a signal, kept for a filter that may be swapped in later."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Past"]


class Past:
    """A ring of the last `length` samples (*frame, time).

    Attributes:
        begin: the first index that is held.
        end: the end of the signal so far.
    """

    def __init__(self, frame: tuple[int, ...], dtype: np.dtype[Any], length: int) -> None:
        self._ring = np.zeros((*frame, length), dtype)
        self._length = length
        self.clear(0)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._ring.nbytes

    def clear(self, position: int) -> None:
        """Forget everything; the next sample has the index `position`."""
        self._origin = self.end = position
        self._place = position % self._length if self._length else 0

    @property
    def begin(self) -> int:
        """The first index that is held."""
        return max(self._origin, self.end - self._length)

    def append(self, block: NDArray[Any]) -> None:
        """Add samples at the end."""
        samples, length = block.shape[-1], self._length
        self.end += samples
        until = self._place + samples
        if until <= length:
            self._ring[..., self._place : until] = block
            self._place = until
            return
        if not length:
            return
        if samples > length:
            block = block[..., samples - length :]
            samples = length
        self._place = self.end % length
        older = samples - self._place
        if older > 0:
            self._ring[..., length - older :] = block[..., :older]
            self._ring[..., : self._place] = block[..., older:]
        else:
            self._ring[..., -older : self._place] = block

    def read(self, first: int) -> NDArray[Any]:
        """The samples from index `first`, which is held, to the end."""
        count = self.end - first
        if not count:
            return self._ring[..., :0]
        until = self.end % self._length or self._length
        if count <= until:
            return self._ring[..., until - count : until]
        newer, older = self._ring[..., :until], self._ring[..., until - count :]
        return np.concatenate((older, newer), axis=-1)
