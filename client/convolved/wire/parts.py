"""Tensors that are announced in a first message and follow in Parts.

The order is that of the contract: the first message depth-first, fields by number, repeated
fields by index. `parts` writes the pieces, `Assembler` puts them together again and refuses
every gap, overlap and excess.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from convolved.v1 import convolution_pb2 as pb
from convolved_vocabulary import InvalidArgument

from .fields import inner_messages, located
from .framing import PartFrame
from .limits import BLOCK_BYTES
from .reasons import OutOfSequence
from .tensors import checked_bools, decode_shape, is_announced, little_endian

__all__ = ["Assembler", "announced", "announced_shapes", "parts"]


class PartLike(Protocol):
    """A Part, as protobuf or as a frame of our own."""

    @property
    def tensor(self) -> int:
        """The number of the announced tensor."""

    @property
    def byte_offset(self) -> int:
        """Where in its bytes the piece begins."""

    @property
    def data(self) -> Any:
        """The bytes."""


def announced(message: Message, path: str = "") -> list[tuple[str, pb.Tensor]]:
    """The announced tensors of a first message with their paths, in their order."""
    return list(_walk(message, path))


def announced_shapes(
    message: Message, path: str = ""
) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
    """The types and shapes of the announced tensors, checked, for an `Assembler`."""
    return [decode_shape(tensor, where, where) for where, tensor in _walk(message, path)]


def _walk(message: Message, path: str) -> Iterator[tuple[str, pb.Tensor]]:
    if isinstance(message, pb.Tensor):
        if is_announced(message):
            yield path, message
        return
    for where, inner in inner_messages(message, path):
        yield from _walk(inner, where)


def parts(arrays: Iterable[NDArray[Any]]) -> Iterator[PartFrame]:
    """The bytes of announced tensors, in pieces of at most 1 MiB, for `framing.serialize`.

    >>> [(p.tensor, p.byte_offset, len(p.data)) for p in parts([np.zeros(200_000)])]
    [(0, 0, 1048576), (0, 1048576, 551424)]
    """
    for number, array in enumerate(arrays):
        flat = np.ascontiguousarray(array).reshape(-1)
        raw = little_endian(flat).view(np.uint8).data
        for begin in range(0, len(raw), BLOCK_BYTES):
            yield PartFrame(number, begin, raw[begin : begin + BLOCK_BYTES])


class Assembler:
    """Puts announced tensors together from their Parts.

    Nothing is allocated before the first Part of a tensor, so that `nbytes` can be held against
    a limit first.

    Args:
        announced: the type and shape of each tensor, in the order of the announcement.

    Attributes:
        nbytes: the bytes of all tensors together.
    """

    def __init__(self, announced: Sequence[tuple[np.dtype[Any], tuple[int, ...]]]) -> None:
        self._expected = list(announced)
        self._sizes = [math.prod(shape) * dtype.itemsize for dtype, shape in self._expected]
        self.nbytes: int = sum(self._sizes)
        self._done: list[NDArray[Any]] = []
        self._open: NDArray[np.uint8] | None = None
        self._offset = 0

    @property
    def complete(self) -> bool:
        """Whether every byte has come."""
        return len(self._done) == len(self._expected)

    @property
    def arrays(self) -> list[NDArray[Any]]:
        """The tensors that are complete, in order, read-only."""
        return list(self._done)

    def add(self, part: PartLike) -> None:
        """Take the next piece.

        Raises:
            OutOfSequence: if it is not the next one.
            InvalidArgument: if it is empty, longer than 1 MiB or than its tensor.
        """
        number = len(self._done)
        if self.complete:
            with located("part"):
                raise OutOfSequence(
                    "part", f"a Part after {number} complete tensors", "no more Parts"
                )
        if part.tensor != number:
            with located("part.tensor"):
                raise OutOfSequence("part.tensor", part.tensor, f"{number}, which is not complete")
        if part.byte_offset != self._offset:
            with located("part.byte_offset"):
                raise OutOfSequence("part.byte_offset", part.byte_offset, str(self._offset))
        data = part.data
        size = len(data)
        room = min(BLOCK_BYTES, self._sizes[number] - self._offset)
        if not 0 < size <= room:
            with located("part.data"):
                raise InvalidArgument("part.data", f"{size} bytes", f"1 to {room} bytes")
        if self._open is None:
            self._open = np.empty(self._sizes[number], np.uint8)
        self._open[self._offset : self._offset + size] = np.frombuffer(data, np.uint8)
        self._offset += size
        if self._offset == self._sizes[number]:
            self._close(number, self._open)

    def _close(self, number: int, raw: NDArray[np.uint8]) -> None:
        dtype, shape = self._expected[number]
        # The bytes themselves are closed: whoever keeps the array need not copy it to be sure.
        raw.flags.writeable = False
        array = raw.view(dtype.newbyteorder("<")).reshape(shape).astype(dtype, copy=False)
        array.flags.writeable = False
        self._done.append(checked_bools(array, f"tensor {number}", f"tensor {number}"))
        self._open, self._offset = None, 0
