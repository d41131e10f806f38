"""Files in the place of arrays: a stream draws its input from one and lays its output in another.

`WholeSession` reads `signal[..., a:b]` and writes `output[..., a:b] = block`, both in order; these
two answer to that, so that no more than some blocks are ever in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved import audio
from convolved.wire.limits import BLOCK_BYTES

__all__ = ["FileResult", "FileSignal", "blocks_of"]

Key = tuple[EllipsisType, slice]


def blocks_of(head: audio.Header) -> Iterator[NDArray[Any]]:
    """Read a signal's file in blocks as long as those that travel."""
    frame_bytes = head.dtype.itemsize * math.prod(head.shape[:-1])
    return audio.blocks(head.path, max(1, BLOCK_BYTES // frame_bytes), argument="IN")


class FileSignal:
    """The samples of a file, (channels, n), to be read from the beginning to the end.

    A stream that was lost goes on at a place before the one where it was; then the file is read
    anew.

    Args:
        head: what the file says about itself.
    """

    def __init__(self, head: audio.Header) -> None:
        self._head = head
        self.shape: tuple[int, ...] = head.shape
        self.dtype: np.dtype[Any] = head.dtype
        # Beyond the end, so that whatever is read first opens the file.
        self._at = head.frames + 1
        self._blocks: Iterator[NDArray[Any]] = iter(())
        self._held = np.empty((*self.shape[:-1], 0), self.dtype)

    def __getitem__(self, key: Key) -> NDArray[Any]:
        begin, end = key[1].start, min(key[1].stop, self.shape[-1])
        if begin < self._at:
            self._blocks, self._at = blocks_of(self._head), 0
            self._held = self._held[..., :0]
        found = []
        while self._at < end:
            if not self._held.shape[-1]:
                self._held = next(self._blocks)
            taken = self._held[..., : end - self._at]
            self._held = self._held[..., taken.shape[-1] :]
            wanted = taken[..., max(0, begin - self._at) :]
            self._at += taken.shape[-1]
            if wanted.shape[-1]:
                found.append(wanted)
        return found[0] if len(found) == 1 else np.concatenate(found, axis=-1)


class FileResult:
    """The output of a stream, (channels, n), handed on block by block.

    Args:
        shape: of the output.
        dtype: of the output.
        write: takes each block, in order.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], write: Callable[[NDArray[Any]], None]
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self._write = write

    def __setitem__(self, key: Key, block: NDArray[Any]) -> None:
        self._write(block)
