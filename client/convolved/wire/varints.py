"""Numbers and lengths as protobuf writes them, read and written by hand.

A number takes seven bits a byte, the lowest first; a set highest bit says that more follow.
"""

from __future__ import annotations

__all__ = ["UnusualError", "integer", "length_of", "put_varint"]


class UnusualError(Exception):
    """These bytes are not of the plain form; protobuf shall read them."""


def integer(buffer: bytes, at: int) -> tuple[int, int]:
    r"""Read a number of up to 63 bits: its value, and where it ends. Negative ones have more.

    >>> integer(b"\x96\x01", 0)
    (150, 2)
    """
    byte = buffer[at]
    if byte < 0x80:
        return byte, at + 1
    value = byte & 0x7F
    for shift in range(7, 63, 7):
        at += 1
        byte = buffer[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + 1
    raise UnusualError


def length_of(buffer: bytes, at: int) -> tuple[int, int]:
    """Read the length of a field, of up to 28 bits, and where it ends."""
    value, end = integer(buffer, at)
    if end - at > 4:
        raise UnusualError
    return value, end


def put_varint(target: bytearray, value: int) -> None:
    """Append a number, at least 0."""
    while value >= 0x80:
        target.append(value & 0x7F | 0x80)
        value >>= 7
    target.append(value)
