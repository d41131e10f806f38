"""Arrays of every dtype pass unchanged, without a copy on the way in."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.fields import field_of
from convolved.wire.parts import Assembler, announced, announced_shapes, parts
from convolved.wire.reasons import OutOfSequence
from convolved.wire.tensors import (
    announce_tensor,
    data_type,
    decode_tensor,
    encode_tensor,
    numpy_dtype,
)
from convolved_vocabulary import DTYPES, InvalidArgument

arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(max_dims=5, max_side=4))
)


def bits(array: NDArray[Any]) -> tuple[str, tuple[int, ...], bytes]:
    return array.dtype.name, array.shape, array.tobytes()


@given(arrays)
def test_an_array_comes_back_bit_for_bit(array: NDArray[Any]) -> None:
    message = pb.Tensor.FromString(encode_tensor(array).SerializeToString())
    decoded = decode_tensor(message)
    assert bits(decoded) == bits(array)
    assert not decoded.flags.writeable


@given(arrays)
def test_a_strided_view_comes_back_in_c_order(array: NDArray[Any]) -> None:
    view = array.T[::-1]
    assert bits(decode_tensor(encode_tensor(view))) == bits(np.ascontiguousarray(view))


def test_numbers_travel_little_endian() -> None:
    swapped = np.array([1], ">i4")
    assert encode_tensor(np.array([1], "<i4")).data == b"\x01\0\0\0"
    assert decode_tensor(encode_tensor(swapped.astype("=i4"))) == swapped


def test_a_decoded_array_is_a_view_of_the_bytes_that_were_read() -> None:
    decoded = decode_tensor(encode_tensor(np.arange(10.0)))
    base: Any = decoded
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, bytes)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_has_a_number_of_its_own(dtype: np.dtype[Any]) -> None:
    assert numpy_dtype(data_type(dtype)) == dtype
    assert pb.DataType.Name(data_type(dtype)) == f"DATA_TYPE_{dtype.name.upper()}"


def test_a_type_that_no_signal_has_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="dtype: got dtype object; want "):
        data_type(np.dtype(object))
    with pytest.raises(InvalidArgument, match="got data type 99; want one of bool") as caught:
        numpy_dtype(99, "input.data_type")
    assert field_of(caught.value) == "input.data_type"
    assert caught.value.reason == "UNKNOWN_FIELD"


def test_a_bool_is_one_byte_of_0_or_1() -> None:
    message = encode_tensor(np.array([True, False]))
    message.data = b"\x01\x02"
    with pytest.raises(InvalidArgument, match="the byte 2 as a bool; want bytes that are 0 or 1"):
        decode_tensor(message, "input")


@given(arrays, st.integers(1, 5))
def test_data_that_does_not_fill_the_shape_is_refused(array: NDArray[Any], excess: int) -> None:
    message = encode_tensor(array)
    message.data += b"\0" * excess
    with pytest.raises(InvalidArgument, match=rf"want {array.nbytes} bytes") as caught:
        decode_tensor(message, "input")
    assert field_of(caught.value) == "input.data"


@given(st.lists(arrays, max_size=4))
def test_parts_put_together_give_the_arrays(many: list[NDArray[Any]]) -> None:
    assembler = Assembler([(array.dtype, array.shape) for array in many])
    assert assembler.nbytes == sum(array.nbytes for array in many)
    for part in parts(many):
        assert not assembler.complete
        assembler.add(part)
    assert assembler.complete
    assert [bits(array) for array in assembler.arrays] == [bits(array) for array in many]


def test_a_large_tensor_travels_in_pieces_of_a_mebibyte() -> None:
    array = np.arange(700_001, dtype=np.float32)
    pieces = list(parts([array, array[:1]]))
    assert [(p.tensor, p.byte_offset, len(p.data)) for p in pieces] == [
        (0, 0, 1 << 20),
        (0, 1 << 20, 1 << 20),
        (0, 2 << 20, 700_001 * 4 - (2 << 20)),
        (1, 0, 4),
    ]


def test_pieces_may_be_cut_anywhere_even_within_an_element() -> None:
    array = np.arange(5, dtype=np.complex128)
    raw = array.tobytes()
    assembler = Assembler([(array.dtype, array.shape)])
    for begin in range(0, len(raw), 7):
        assembler.add(pb.Part(tensor=0, byte_offset=begin, data=raw[begin : begin + 7]))
    assert bits(assembler.arrays[0]) == bits(array)


@pytest.mark.parametrize(
    ("part", "field", "sentence"),
    [
        (pb.Part(tensor=1, data=b"x"), "part.tensor", "got 1; want 0, which is not complete"),
        (pb.Part(byte_offset=4, data=b"x"), "part.byte_offset", "got 4; want 0"),
        (pb.Part(), "part.data", "got 0 bytes; want 1 to 16 bytes"),
        (pb.Part(data=b"x" * 17), "part.data", "got 17 bytes; want 1 to 16 bytes"),
    ],
)
def test_a_part_that_does_not_follow_is_refused(part: pb.Part, field: str, sentence: str) -> None:
    assembler = Assembler([(np.dtype("float64"), (2,))])
    with pytest.raises(InvalidArgument) as caught:
        assembler.add(part)
    assert str(caught.value) == f"{field}: {sentence}"
    assert field_of(caught.value) == field


def test_a_part_after_the_last_is_refused() -> None:
    with pytest.raises(OutOfSequence, match="a Part after 0 complete tensors; want no more"):
        Assembler([]).add(pb.Part(data=b"x"))


def test_what_is_announced_takes_no_memory_before_its_first_part() -> None:
    shape = (1 << 20, 1 << 20, 1 << 20)
    assert Assembler([(np.dtype("float64"), shape)]).nbytes == 8 * math.prod(shape)


def test_announced_tensors_are_numbered_depth_first_by_field() -> None:
    empty = announce_tensor(np.ones(3))
    full = encode_tensor(np.ones(3))
    conv = pb.Conv(bias=empty, weight=empty)
    filled = pb.Conv(bias=full, weight=empty)
    affine = pb.Affine(shift=empty, scale=full)
    filter = pb.Filter(layers=[pb.Layer(affine=affine), pb.Layer(conv=conv), pb.Layer(conv=filled)])
    start = pb.Start(filter=pb.FilterSource(inline=filter))
    start.swaps.add().filter.inline.layers.add().conv.weight.CopyFrom(empty)
    request = pb.StreamConvolveRequest(start=start)
    assert [path for path, _ in announced(request)] == [
        "start.filter.inline.layers[0].affine.shift",
        "start.filter.inline.layers[1].conv.weight",
        "start.filter.inline.layers[1].conv.bias",
        "start.filter.inline.layers[2].conv.weight",
        "start.swaps[0].filter.inline.layers[0].conv.weight",
    ]
    assert announced_shapes(request) == [(np.dtype("float64"), (3,))] * 5


def test_an_announcement_with_a_wrong_shape_is_refused_by_its_path() -> None:
    request = pb.CreateFilterRequest()
    request.filter.layers.add().affine.scale.CopyFrom(
        pb.Tensor(data_type=data_type("float32"), shape=[-2])
    )
    with pytest.raises(InvalidArgument) as caught:
        announced_shapes(request)
    assert field_of(caught.value) == "filter.layers[0].affine.scale.shape"
