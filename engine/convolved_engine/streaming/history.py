"""The recent past of a signal along time, read by virtual index: with the padding around it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["History", "source_indices"]


class History:
    """A window of the past, (batch, channels, *size, time), that grows at its end and is trimmed.

    Memory is the largest stretch kept between two trims, times two at the most.

    Args:
        frame: (batch, channels, *size), the shape of one time step.
        dtype: of the samples.
        boundary: what stands before and after the signal, as in `Conv`.
    """

    def __init__(self, frame: tuple[int, ...], dtype: np.dtype[Any], boundary: str | float) -> None:
        self.frame, self.dtype = frame, dtype
        self._boundary = boundary
        self.clear(0)

    def clear(self, position: int) -> None:
        """Forget everything; the next sample has the index `position`."""
        self._buffer = np.empty((*self.frame, 0), self.dtype)
        self._first = 0
        self.begin = self.end = position

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._buffer.nbytes

    def append(self, block: NDArray[Any]) -> None:
        """Add samples at the end."""
        held, added = self.end - self.begin, block.shape[-1]
        if self._first + held + added > self._buffer.shape[-1]:
            buffer = self._buffer
            if held + added > buffer.shape[-1] // 2:
                buffer = np.empty((*self.frame, 2 * (held + added)), self.dtype)
            # Source and target may overlap only where they are one buffer, moved towards the
            # front, which numpy handles.
            buffer[..., :held] = self._buffer[..., self._first : self._first + held]
            self._buffer, self._first = buffer, 0
        start = self._first + held
        self._buffer[..., start : start + added] = block
        self.end += added

    def forget_before(self, index: int) -> None:
        """Drop the samples before `index`."""
        dropped = min(max(0, index - self.begin), self.end - self.begin)
        self._first += dropped
        self.begin += dropped

    def read(self, first: int, last: int) -> tuple[NDArray[Any], tuple[int, int]]:
        """The samples at virtual indices first..last-1, and the zeros that stand beside them.

        Zeros are counted, not written: (before, after). Everything else that pads is written.
        Indices of `end` and more are padding after the signal: read them only at its end.
        """
        if first >= 0 and last <= self.end:
            return self._slice(first, last), (0, 0)
        if self._boundary == "zeros":
            inner_first, inner_last = max(first, 0), min(last, self.end)
            inner_last = max(inner_first, inner_last)
            before = min(0, last) - min(0, first)
            after = (last - first) - before - (inner_last - inner_first)
            return self._slice(inner_first, inner_last), (before, after)
        wanted = np.arange(first, last)
        if not isinstance(self._boundary, str):
            found = np.full((*self.frame, last - first), self._boundary, self.dtype)
            inside = (wanted >= 0) & (wanted < self.end)
            found[..., inside] = self._slice(max(first, 0), min(last, self.end))
            return found, (0, 0)
        indices = source_indices(wanted, self.end, self._boundary) - self.begin + self._first
        mirrored: NDArray[Any] = self._buffer[..., indices]
        return mirrored, (0, 0)

    def _slice(self, first: int, last: int) -> NDArray[Any]:
        offset = self._first - self.begin
        found: NDArray[Any] = self._buffer[..., first + offset : last + offset]
        return found


def source_indices(virtual: NDArray[Any], n: int, boundary: str) -> NDArray[Any]:
    """Where NumPy's pad modes take the samples at `virtual` indices of a signal of n samples.

    >>> source_indices(np.arange(-3, 7), 4, "reflect")
    array([3, 2, 1, 0, 1, 2, 3, 2, 1, 0])
    """
    found: NDArray[Any]
    if boundary == "edge":
        found = np.clip(virtual, 0, n - 1)
    elif boundary == "wrap":
        found = virtual % n
    elif boundary == "symmetric":
        folded = virtual % (2 * n)
        found = np.minimum(folded, 2 * n - 1 - folded)
    elif n == 1:
        found = np.zeros_like(virtual)
    else:
        folded = virtual % (2 * (n - 1))
        found = np.minimum(folded, 2 * (n - 1) - folded)
    return found
