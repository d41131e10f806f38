"""Messages around one large tensor, written and read without copying it more than once.

A ConvolveRequest or ConvolveResponse is its array and a few bytes around it, which are the same
for every array of that shape. The law: what is joined here has the very bytes of protobuf, and
what is split says, with its data put back, what protobuf says of the whole. Whatever is out of the
ordinary (a tensor in two pieces, unusual lengths, malformed bytes) is not split, and protobuf
itself reads it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from convolved.v1 import convolution_pb2 as pb
from convolved_vocabulary import Options

from .framing import ArrayFrame, Payload
from .options import encode_options
from .tensors import data_type, decode_shape, little_endian
from .varints import UnusualError, integer, length_of, put_varint

__all__ = [
    "INPUT",
    "OUTPUT",
    "named_request",
    "output_of",
    "parse_response",
    "response",
    "split",
]

INPUT = 2
"""The number of the tensor in a ConvolveRequest."""
OUTPUT = 1
"""The number of the tensor in a ConvolveResponse."""

_DATA = 15 << 3 | 2
_KEPT = 1024
# A filter that goes along; copying it gains nothing.
_MOST_LEFT = 4096
_FIXED_BYTES = {1: 8, 5: 4}


def named_request(
    name: str, signal: NDArray[Any], options: Options, sample_rate_hertz: float
) -> ArrayFrame:
    """A ConvolveRequest with a registered filter.

    Args:
        name: of the filter.
        signal: in C order and the machine's byte order.
        options: the wishes.
        sample_rate_hertz: of the signal; 0 if unstated.
    """
    around = _around_request(name, signal.dtype, signal.shape, options, sample_rate_hertz)
    return ArrayFrame(around[0], elements(signal), around[1])


def response(output: NDArray[Any], algorithm: str) -> ArrayFrame:
    """A ConvolveResponse with an array in C order and the machine's byte order."""
    around = _around_response(algorithm, output.dtype, output.shape)
    return ArrayFrame(around[0], elements(output), around[1])


def elements(array: NDArray[Any]) -> Payload:
    """The elements of an array in C order as they travel."""
    return little_endian(array).reshape(-1).view(np.uint8).data


def parse_response(buffer: bytes) -> tuple[bytes, Payload]:
    """Read a ConvolveResponse: the bytes of the message without its output's data, and these.

    Raises:
        google.protobuf.message.DecodeError: for malformed bytes.
    """
    parts = split(buffer, OUTPUT)
    if parts is not None:
        # Nearly always one that was read before.
        _response_in(parts[0])
        return parts
    message = pb.ConvolveResponse.FromString(buffer)
    data = message.output.data
    if data:
        message.output.ClearField("data")
    return message.SerializeToString(), data


@lru_cache(_KEPT)
def output_of(head: bytes) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The type and the shape of the output of a response that was parsed.

    Raises:
        InvalidArgument: if there is no such array.
    """
    return decode_shape(_response_in(head).output)


@lru_cache(_KEPT)
def _response_in(head: bytes) -> pb.ConvolveResponse:
    return pb.ConvolveResponse.FromString(head)


def split(buffer: bytes, number: int) -> tuple[bytes, memoryview] | None:
    """Take the data out of the one tensor of a message: the bytes of what is left, and the data.

    Args:
        buffer: the message.
        number: of the field that is the tensor.

    Returns:
        None if there is no such data, if much is left, or anything is out of the ordinary.
    """
    try:
        begin, inside, end = _tensor(buffer, number)
        data, length = _data(buffer, inside, end)
    except (UnusualError, IndexError):
        return None
    if len(buffer) - length > _MOST_LEFT:
        return None
    tag = bytearray((number << 3 | 2,))
    put_varint(tag, data - inside)
    # Where the data begins, behind its tag and its length.
    first = end - length
    head = b"".join((buffer[:begin], tag, buffer[inside:data], buffer[end:]))
    return head, memoryview(buffer)[first:end]


@lru_cache(_KEPT)
def _around_request(
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    options: Options,
    sample_rate_hertz: float,
) -> tuple[bytes, bytes]:
    message = pb.ConvolveRequest(
        filter=pb.FilterSource(name=name),
        input=pb.Tensor(data_type=data_type(dtype), shape=shape),
        options=encode_options(options),
        sample_rate_hertz=sample_rate_hertz,
    )
    return _around(message, INPUT, dtype, shape)


@lru_cache(_KEPT)
def _around_response(
    algorithm: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> tuple[bytes, bytes]:
    tensor = pb.Tensor(data_type=data_type(dtype), shape=shape)
    message = pb.ConvolveResponse(output=tensor, algorithm=algorithm)
    return _around(message, OUTPUT, dtype, shape)


def _around(
    message: Message, number: int, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> tuple[bytes, bytes]:
    """What stands before and after the data of a tensor, of which the message has all the rest."""
    buffer = message.SerializeToString()
    begin, inside, end = _tensor(buffer, number)
    size = dtype.itemsize * math.prod(shape)
    own = bytearray(buffer[inside:end])
    own.append(_DATA)
    put_varint(own, size)
    head = bytearray(buffer[:begin])
    head.append(number << 3 | 2)
    put_varint(head, len(own) + size)
    return bytes(head + own), buffer[end:]


def _tensor(buffer: bytes, number: int) -> tuple[int, int, int]:
    """Where the one field of that number begins, where its content does, and where it ends."""
    found: tuple[int, int, int] | None = None
    at, whole = 0, len(buffer)
    while at < whole:
        end, inside = _skip(buffer, at)
        if buffer[at] == number << 3 | 2:
            if found is not None:
                raise UnusualError
            found = at, inside, end
        at = end
    if found is None or at != whole:
        raise UnusualError
    return found


def _data(buffer: bytes, at: int, end: int) -> tuple[int, int]:
    """Where the data of a tensor begins, with its tag, and its length; it must be the last."""
    while at < end:
        after, inside = _skip(buffer, at)
        if buffer[at] == _DATA:
            if after != end or inside == end:
                raise UnusualError
            return at, end - inside
        at = after
    raise UnusualError


def _skip(buffer: bytes, at: int) -> tuple[int, int]:
    """Where the field at `at` ends, and where its content begins."""
    tag = buffer[at]
    if tag >= 0x80 or tag < 8:
        raise UnusualError
    kind = tag & 7
    if kind == 2:
        length, inside = length_of(buffer, at + 1)
        return inside + length, inside
    if kind == 0:
        return integer(buffer, at + 1)[1], at + 1
    if kind in _FIXED_BYTES:
        return at + 1 + _FIXED_BYTES[kind], at + 1
    raise UnusualError
