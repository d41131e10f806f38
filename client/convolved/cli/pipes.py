"""Standard input and standard output as blocks of raw samples, nothing buffered in between.

A block is handed on as soon as it is whole, and an output is written before the next block is read:
what waits here is never more than one block. The law: bytes come out as they would if nobody had
cut them, whatever pieces the pipes give and take.
"""

from __future__ import annotations

import io
import select
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved.audio.raw import RawFormat
from convolved_vocabulary import InvalidArgument

__all__ = ["BlockSink", "BlockSource", "refuse_terminal"]


class BlockSource:
    """Samples that are read until their end.

    Args:
        file: to read from, unbuffered.
        format: of its samples.
        channels: interleaved.
        frames: of a block; the last one may be shorter.
    """

    def __init__(self, file: io.RawIOBase, format: RawFormat, channels: int, frames: int) -> None:
        self._file, self._format, self._channels = file, format, channels
        self._buffer = bytearray(frames * channels * format.sample_bytes)
        self.left_over: int = 0
        """Bytes at the end that were no whole frame."""

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Give blocks (channels, n)."""
        view = memoryview(self._buffer)
        frame = self._channels * self._format.sample_bytes
        while count := self._fill(view):
            self.left_over = count % frame
            if count > self.left_over:
                yield self._format.decode(view[: count - self.left_over], self._channels)
            if count < len(view):
                return

    def _fill(self, view: memoryview) -> int:
        """Read until the buffer is full or nothing more comes; return how much came."""
        count = 0
        while count < len(view):
            some = self._file.readinto(view[count:])
            if some is None:
                # Whoever holds the other end may have made the pipe non-blocking, for us as well.
                select.select([self._file], [], [])
            elif some == 0:
                break
            else:
                count += some
        return count


class BlockSink:
    """Where blocks are written.

    Args:
        file: to write to, unbuffered.
        format: of its samples.

    Attributes:
        frames: samples of each channel that were written.
        peak: the greatest magnitude of any sample before it was encoded.
        clipped: samples beyond full scale that were cut off to it.
    """

    def __init__(self, file: io.RawIOBase, format: RawFormat) -> None:
        self._file, self._format = file, format
        self.frames: int = 0
        self.peak: float = 0.0
        self.clipped: int = 0

    def write(self, block: NDArray[Any]) -> None:
        """Write a block (channels, n).

        Raises:
            InvalidArgument: it holds NaN, for which integers have no number.
            BrokenPipeError: nobody reads any more.
        """
        if not block.size:
            return
        magnitude = np.abs(block)
        peak = float(magnitude.max())
        if not self._format.is_float and peak > 1:
            self.clipped += int(np.count_nonzero(magnitude > 1))
        elif not self._format.is_float and np.isnan(peak):
            raise InvalidArgument(
                "standard input",
                f"samples that give NaN at {self.frames:,}, to be {self._format.name}",
                "finite samples, or --to f32, which holds anything",
            )
        # fmax would forget a NaN that this must remember.
        self.peak = float(np.maximum(self.peak, peak))
        self._put(memoryview(self._format.encode(block)))
        self.frames += block.shape[1]

    def _put(self, data: memoryview) -> None:
        while data:
            taken = self._file.write(data)
            if taken is None:
                select.select([], [self._file], [])
            else:
                data = data[taken:]


def refuse_terminal(file: io.RawIOBase, argument: str, wanted: str) -> None:
    """Refuse to read samples from a keyboard or to write them on a screen.

    Raises:
        InvalidArgument: it is a terminal.
    """
    if file.isatty():
        raise InvalidArgument(argument, "a terminal", wanted)
