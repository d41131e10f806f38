"""Bytes of the large data messages, written and read without needless copies.

Blocks, Outputs and Parts carry up to 1 MiB, and protobuf copies that more often than it must:
into the inner message, into the outer one, and at every reading of a `bytes` field. Here they are
plain values whose payload is copied once on the way out and, where large, never on the way in. The
law: `serialize` gives the very bytes of protobuf, and a parser here says of any bytes what protobuf
says of them. Small messages, and whatever is out of the ordinary (unknown fields, a message in
several pieces, malformed bytes), are read by protobuf itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from convolved.v1 import convolution_pb2 as pb

from .varints import UnusualError, integer, length_of, put_varint

__all__ = [
    "ArrayFrame",
    "BlockFrame",
    "OutputFrame",
    "PartFrame",
    "Payload",
    "parse_filter_request",
    "parse_gradients_request",
    "parse_gradients_response",
    "parse_request",
    "parse_response",
    "serialize",
]

_Upload = TypeVar("_Upload", pb.CreateFilterRequest, pb.ComputeGradientsRequest)

Payload = bytes | bytearray | memoryview
"""Contiguous bytes; of an array in C order, `array.data` is one."""

# Tags as they stand on the wire: number << 3 | type, type 2 being bytes and messages.
_PART = 2 << 3 | 2
_BLOCK = 3 << 3 | 2
_OUTPUT = 2 << 3 | 2
_DATA = 15 << 3 | 2

# Below this size protobuf's own reading, copies included, is faster than reading by hand.
_BY_HAND_FROM = 1 << 16

_GREATEST_INT32 = (1 << 31) - 1
_INT64 = 1 << 63


@dataclass(frozen=True, slots=True)
class BlockFrame:
    """A Block in its StreamConvolveRequest.

    Attributes:
        offset: the absolute index of the first sample.
        data: (channels, *size, samples) in C order, little-endian.
        more: the push goes on in the next block.

    >>> import numpy as np
    >>> samples = np.zeros((2, 512), np.float32)
    >>> parse_request(serialize(BlockFrame(1024, samples.data))).offset
    1024
    """

    offset: int
    data: Payload
    more: bool = False


@dataclass(frozen=True, slots=True)
class OutputFrame:
    """An Output in its StreamConvolveResponse.

    Attributes:
        offset: the absolute index of the first sample.
        data: (channels, *size, samples) in C order, little-endian.
        more: the answer goes on in the next output.
        input_end: the input before this index has been taken in.
        retain_from: the input before this index may be forgotten.
    """

    offset: int
    data: Payload
    more: bool = False
    input_end: int = 0
    retain_from: int = 0


@dataclass(frozen=True, slots=True)
class PartFrame:
    """A Part in any message that holds one; they all hold it by the same number.

    Attributes:
        tensor: the number of the announced tensor.
        byte_offset: where in the tensor's bytes this piece begins.
        data: the bytes.
    """

    tensor: int
    byte_offset: int
    data: Payload


@dataclass(frozen=True, slots=True)
class ArrayFrame:
    """A message around the elements of one array; see `whole_arrays`.

    Attributes:
        head: what comes before the elements.
        data: the elements.
        tail: what comes after them.
    """

    head: bytes
    data: Payload
    tail: bytes


Frame = BlockFrame | OutputFrame | PartFrame | ArrayFrame


def serialize(message: Message | Frame) -> bytes:
    """Return the bytes of a frame in its envelope, or of any protobuf message.

    Serves as the serializer of every method. The payload is copied once.

    Raises:
        ValueError: for a number that its field cannot hold, as protobuf does.
        BufferError: for a payload that is not contiguous in C order.
    """
    if isinstance(message, Message):
        return message.SerializeToString()
    if isinstance(message, ArrayFrame):
        return b"".join((message.head, message.data, message.tail))
    inner = bytearray()
    if isinstance(message, PartFrame):
        if not -_GREATEST_INT32 - 1 <= message.tensor <= _GREATEST_INT32:
            raise ValueError(f"tensor: got {message.tensor}; want an int32")
        _put_integer(inner, 1, message.tensor)
        _put_integer(inner, 2, message.byte_offset)
        tag = _PART
    elif isinstance(message, BlockFrame):
        _put_integer(inner, 1, message.offset)
        _put_integer(inner, 2, message.more)
        tag = _BLOCK
    else:
        _put_integer(inner, 1, message.offset)
        _put_integer(inner, 2, message.more)
        _put_integer(inner, 3, message.input_end)
        _put_integer(inner, 4, message.retain_from)
        tag = _OUTPUT
    payload = memoryview(message.data)
    if not payload.c_contiguous:
        raise BufferError("data: got an array with gaps or in another order; want C order")
    size = payload.nbytes
    if size:
        inner.append(_DATA)
        put_varint(inner, size)
    head = bytearray((tag,))
    put_varint(head, len(inner) + size)
    return b"".join((head, inner, payload))


def parse_request(buffer: bytes) -> pb.StreamConvolveRequest | BlockFrame | PartFrame:
    """Read a StreamConvolveRequest: a Block or a Part as a frame, anything else as it is.

    The `data` of a large frame is a view into `buffer`. A Block or Part beside which the envelope
    holds unknown fields comes as the protobuf message, so that a server sees and refuses them.

    Raises:
        google.protobuf.message.DecodeError: for malformed bytes.
    """
    if plain := _plain(buffer, _BLOCK, 2):
        (offset, more), data = plain
        return BlockFrame(offset, data, more != 0)
    if part := _plain_part(buffer):
        return part
    message = pb.StreamConvolveRequest.FromString(buffer)
    if len(UnknownFieldSet(message)):
        return message
    if message.HasField("block"):
        block = message.block
        return BlockFrame(block.offset, memoryview(block.data), block.more)
    return _part_frame(message.part) if message.HasField("part") else message


def parse_response(buffer: bytes) -> pb.StreamConvolveResponse | OutputFrame:
    """Read a StreamConvolveResponse: an Output as a frame, anything else as it is.

    The `data` of a large frame is a view into `buffer`. Unknown fields are ignored.

    Raises:
        google.protobuf.message.DecodeError: for malformed bytes.
    """
    if plain := _plain(buffer, _OUTPUT, 4):
        (offset, more, input_end, retain_from), data = plain
        return OutputFrame(offset, data, more != 0, input_end, retain_from)
    message = pb.StreamConvolveResponse.FromString(buffer)
    if not message.HasField("output"):
        return message
    output = message.output
    return OutputFrame(
        output.offset,
        memoryview(output.data),
        output.more,
        output.input_end,
        output.retain_from,
    )


def parse_filter_request(buffer: bytes) -> pb.CreateFilterRequest | PartFrame:
    """Read a CreateFilterRequest: a Part as a frame, else as it is; see `parse_request`."""
    return _parse_upload(pb.CreateFilterRequest, buffer)


def parse_gradients_request(buffer: bytes) -> pb.ComputeGradientsRequest | PartFrame:
    """Read a ComputeGradientsRequest: a Part as a frame, else as it is; see `parse_request`."""
    return _parse_upload(pb.ComputeGradientsRequest, buffer)


def parse_gradients_response(buffer: bytes) -> pb.ComputeGradientsResponse | PartFrame:
    """Read a ComputeGradientsResponse: a Part as a frame, else as it is; see `parse_response`."""
    if part := _plain_part(buffer):
        return part
    message = pb.ComputeGradientsResponse.FromString(buffer)
    return _part_frame(message.part) if message.HasField("part") else message


def _parse_upload(kind: type[_Upload], buffer: bytes) -> _Upload | PartFrame:
    if part := _plain_part(buffer):
        return part
    message = kind.FromString(buffer)
    if len(UnknownFieldSet(message)) or not message.HasField("part"):
        return message
    return _part_frame(message.part)


def _part_frame(part: pb.Part) -> PartFrame:
    return PartFrame(part.tensor, part.byte_offset, memoryview(part.data))


def _plain_part(buffer: bytes) -> PartFrame | None:
    plain = _plain(buffer, _PART, 2)
    if plain is None or plain[0][0] > _GREATEST_INT32:
        return None
    (tensor, byte_offset), data = plain
    return PartFrame(tensor, byte_offset, data)


def _plain(buffer: bytes, envelope: int, integers: int) -> tuple[list[int], memoryview] | None:
    """Read an envelope that holds one message of integer fields 1, 2, ... and `data`, or None."""
    if len(buffer) < _BY_HAND_FROM or not buffer or buffer[0] != envelope:
        return None
    try:
        return _scan(buffer, integers)
    except (UnusualError, IndexError):
        return None


def _scan(buffer: bytes, integers: int) -> tuple[list[int], memoryview]:
    length, at = length_of(buffer, 1)
    end = len(buffer)
    if at + length != end:
        raise UnusualError
    values = [0] * integers
    data = memoryview(buffer)[end:]
    while at < end:
        tag = buffer[at]
        if tag == _DATA:
            length, at = length_of(buffer, at + 1)
            if at + length > end:
                raise UnusualError
            data = memoryview(buffer)[at : at + length]
            at += length
        elif tag & 7 == 0 and 1 <= tag >> 3 <= integers:
            values[(tag >> 3) - 1], at = integer(buffer, at + 1)
        else:
            raise UnusualError
    return values, data


def _put_integer(target: bytearray, number: int, value: int) -> None:
    """Append an integer field, which proto3 leaves out where it is 0."""
    if not value:
        return
    if not -_INT64 <= value < _INT64:
        raise ValueError(f"field {number}: got {value}; want an int64")
    target.append(number << 3)
    put_varint(target, value if value > 0 else value + 2 * _INT64)
