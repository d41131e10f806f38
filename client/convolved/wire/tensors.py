"""Arrays as Tensor messages.

The bytes of a tensor are read once, and the array decoded is a view of them: little-endian, in C
order, without gaps, read-only. Shape and length are compared before an array is made.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from convolved.v1 import convolution_pb2 as pb
from convolved_vocabulary import DTYPES, InvalidArgument
from convolved_vocabulary.dtypes import checked_dtype

from .fields import join, located
from .framing import Payload
from .limits import MAX_AXES
from .reasons import UnknownField

__all__ = [
    "announce_tensor",
    "array_of",
    "checked_bools",
    "data_type",
    "decode_elements",
    "decode_shape",
    "decode_tensor",
    "encode_tensor",
    "is_announced",
    "little_endian",
    "numpy_dtype",
]

_NUMBERS: dict[np.dtype[Any], pb.DataType.ValueType] = {
    dtype: pb.DataType.Value(f"DATA_TYPE_{dtype.name.upper()}") for dtype in DTYPES
}
_DTYPES: dict[int, np.dtype[Any]] = {number: dtype for dtype, number in _NUMBERS.items()}
_WANTED = "one of " + ", ".join(dtype.name for dtype in DTYPES)

# A tensor without data has a type and a few extents; reading `data` copies, measuring does not.
_LONGEST_WITHOUT_DATA = 256


def data_type(dtype: DTypeLike) -> pb.DataType.ValueType:
    """The number of a dtype on the wire.

    >>> data_type("float32") == pb.DATA_TYPE_FLOAT32
    True
    """
    return _NUMBERS[checked_dtype("dtype", dtype)]


def numpy_dtype(value: int, path: str = "data_type", argument: str = "dtype") -> np.dtype[Any]:
    """The dtype of a number on the wire.

    Raises:
        InvalidArgument: if it is unspecified or unknown.
    """
    with located(path):
        if value == pb.DATA_TYPE_UNSPECIFIED:
            raise InvalidArgument(argument, "no data type", _WANTED)
        if value not in _DTYPES:
            raise UnknownField(argument, f"data type {value}", _WANTED)
    return _DTYPES[value]


def little_endian(array: NDArray[Any]) -> NDArray[Any]:
    """The array with its elements as they travel; itself on little-endian machines."""
    if sys.byteorder == "big" and array.dtype.itemsize > 1:
        return array.astype(array.dtype.newbyteorder("<"))
    return array


def array_of(data: Payload, dtype: np.dtype[Any], shape: Sequence[int]) -> NDArray[Any]:
    """A read-only array over bytes whose number fits `shape`."""
    array = np.frombuffer(data, dtype.newbyteorder("<")).reshape(shape)
    return array.astype(dtype, copy=False)


def encode_tensor(array: NDArray[Any]) -> pb.Tensor:
    """A Tensor with the elements of `array`, which has 1 to 5 axes, none of them empty.

    >>> decode_tensor(encode_tensor(np.arange(3.0)))
    array([0., 1., 2.])
    """
    return pb.Tensor(
        data_type=data_type(array.dtype), shape=array.shape, data=little_endian(array).tobytes()
    )


def announce_tensor(array: NDArray[Any]) -> pb.Tensor:
    """A Tensor with the type and the shape of `array` and without its elements."""
    return pb.Tensor(data_type=data_type(array.dtype), shape=array.shape)


def is_announced(message: pb.Tensor) -> bool:
    """Whether the elements follow in Parts: there is a shape and no data."""
    if message.ByteSize() > _LONGEST_WITHOUT_DATA:
        return len(message.shape) > MAX_AXES and not message.data
    return bool(message.shape) and not message.data


def decode_shape(
    message: pb.Tensor, path: str = "", argument: str = "x"
) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The type and the shape of a tensor, checked; its data is not looked at."""
    dtype = numpy_dtype(message.data_type, join(path, "data_type"), argument)
    shape = tuple(message.shape[: MAX_AXES + 1])
    if 1 <= len(shape) <= MAX_AXES and min(shape) == 0:
        with located(join(path, "shape")):
            raise InvalidArgument(
                argument, f"the empty shape {shape}", "at least 1 along every axis"
            )
    if not 1 <= len(shape) <= MAX_AXES or min(shape) < 1:
        with located(join(path, "shape")):
            raise InvalidArgument(
                argument,
                "more than 5 axes" if len(shape) > MAX_AXES else f"shape {shape}",
                f"1 to {MAX_AXES} axes, each at least 1",
            )
    return dtype, shape


def decode_tensor(message: pb.Tensor, path: str = "", argument: str = "x") -> NDArray[Any]:
    """The array of a tensor that carries its data: a read-only view of the bytes.

    Args:
        message: the tensor.
        path: where it stands in the request.
        argument: what the vocabulary calls it.

    Raises:
        InvalidArgument: if type or shape are wrong, or the length of the data does not fit them.
    """
    dtype, shape = decode_shape(message, path, argument)
    return decode_elements(message.data, dtype, shape, path, argument)


def decode_elements(
    data: Payload,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    path: str = "",
    argument: str = "x",
) -> NDArray[Any]:
    """The array of a tensor whose type and shape are known: a read-only view of its data.

    Raises:
        InvalidArgument: if the length of the data does not fit.
    """
    wanted = math.prod(shape) * dtype.itemsize
    if len(data) != wanted:
        with located(join(path, "data")):
            raise InvalidArgument(
                argument,
                f"{len(data)} bytes of data for shape {shape} of {dtype.name}",
                f"{wanted} bytes",
            )
    return checked_bools(array_of(data, dtype, shape), path, argument)


def checked_bools(array: NDArray[Any], path: str, argument: str) -> NDArray[Any]:
    """Return `array`, refusing booleans that are neither 0 nor 1."""
    if array.dtype == np.bool_ and array.size:
        greatest = int(array.view(np.uint8).max())
        if greatest > 1:
            with located(join(path, "data")):
                raise InvalidArgument(
                    argument, f"the byte {greatest} as a bool", "bytes that are 0 or 1"
                )
    return array
