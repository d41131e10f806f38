"""The usual push of a live stream, read and answered the short way.

Streams mostly go on as they went: one block, as long as the one before, where that one ended. Its
bytes but for the samples are then known before it comes, and so it is enough to compare them. The
law: a block taken so, and its answer, are bit for bit what the long way reads and writes, but that
the answer may call input still needed that a few blocks later is not; whatever is not as expected
goes the long way.
"""

from __future__ import annotations

__all__ = ["UsualBlock", "UsualOutput", "varint"]

# Tags as they stand on the wire: number << 3 | type.
_BLOCK = b"\x1a"
_OUTPUT = b"\x12"
_OFFSET = b"\x08"
_INPUT_END = b"\x18"
_RETAIN_FROM = b"\x20"
_DATA = b"\x7a"

_SHORTEST = tuple(bytes((value,)) for value in range(0x80))


def varint(value: int) -> bytes:
    """An integer of 0 or more as protobuf writes it.

    >>> varint(300).hex()
    'ac02'
    """
    if value < 0x80:
        return _SHORTEST[value]
    if value < 1 << 14:
        return bytes((value & 0x7F | 0x80, value >> 7))
    if value < 1 << 21:
        return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14))
    low = bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14 & 0x7F | 0x80))
    return low + varint(value >> 21)


class UsualBlock:
    """How the next block begins, if it is as long as the last one.

    Args:
        nbytes: of samples; more than none.
        samples: in it.
        offset: of it.

    Attributes:
        nbytes: as given.
        samples: as given.
        position: the offset as it is written.
        head: what stands before the samples.
        size: of the whole message.
    """

    __slots__ = ("_before", "_behind", "_length", "head", "nbytes", "position", "samples", "size")

    def __init__(self, nbytes: int, samples: int, offset: int) -> None:
        self.nbytes, self.samples = nbytes, samples
        self._behind = _DATA + varint(nbytes)
        self._length = 0
        self._before = b""
        self.head = b""
        self.expect(varint(offset))

    def expect(self, position: bytes) -> None:
        """Expect the block at an offset, as it is written."""
        if len(position) != self._length:
            self._length = len(position)
            inner = 1 + self._length + len(self._behind) + self.nbytes
            self._before = _BLOCK + varint(inner) + _OFFSET
        self.position = position
        self.head = self._before + position + self._behind
        self.size = len(self.head) + self.nbytes


class UsualOutput:
    """What stands before the samples of an Output that ends an answer; much stays as it was.

    >>> UsualOutput().head(b"", varint(2), 0, 8).hex()
    '120c18027a08'
    """

    __slots__ = ("_before", "_behind", "_length", "_nbytes", "_retain_from")

    def __init__(self) -> None:
        self._retain_from = self._nbytes = self._length = 0
        self._behind = self._before = b""

    def head(self, offset: bytes, input_end: bytes, retain_from: int, nbytes: int) -> bytes:
        """Of the next Output.

        Args:
            offset: as it is written; empty where it is 0.
            input_end: as it is written; not that of 0.
            retain_from: 0 or more.
            nbytes: of samples.
        """
        if retain_from != self._retain_from or nbytes != self._nbytes:
            self._retain_from, self._nbytes = retain_from, nbytes
            self._behind = _RETAIN_FROM + varint(retain_from) if retain_from else b""
            if nbytes:
                self._behind += _DATA + varint(nbytes)
        inner = _OFFSET + offset if offset else b""
        inner += _INPUT_END + input_end + self._behind
        length = len(inner) + nbytes
        if length != self._length:
            self._length = length
            self._before = _OUTPUT + varint(length)
        return self._before + inner
