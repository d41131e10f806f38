"""A message is the bytes around its array and the array: protobuf's own, either way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import given
from hypothesis import strategies as st

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.framing import ArrayFrame, serialize
from convolved.wire.options import encode_options
from convolved.wire.tensors import encode_tensor
from convolved.wire.whole_arrays import (
    INPUT,
    OUTPUT,
    named_request,
    output_of,
    parse_response,
    response,
    split,
)
from convolved_vocabulary import DTYPES, Options
from tests.client.foreign import varint

NAME = "filters/" + "5e" * 32
ENVELOPES: list[tuple[type[Message], str, int]] = [
    (pb.ConvolveRequest, "input", INPUT),
    (pb.ConvolveResponse, "output", OUTPUT),
]
each_envelope = pytest.mark.parametrize(
    ("envelope", "field", "number"), ENVELOPES, ids=[kind.__name__ for kind, _, _ in ENVELOPES]
)
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=5).map(tuple)


def array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def assert_splits_to_the_same(raw: bytes, envelope: type[Message], field: str, number: int) -> None:
    parts = split(raw, number)
    if parts is None:
        return
    head, data = parts
    assert len(data)
    try:
        whole: Any = envelope.FromString(raw)
    except DecodeError:
        with pytest.raises(DecodeError):
            envelope.FromString(head)
        return
    left: Any = envelope.FromString(head)
    assert getattr(whole, field).data == data
    assert not getattr(left, field).data
    getattr(left, field).data = bytes(data)
    assert left.SerializeToString() == whole.SerializeToString()


@given(SHAPES, st.sampled_from(sorted(DTYPES, key=str)), st.sampled_from([0.0, 48000.0]))
@pytest.mark.parametrize(
    "options", [Options(), Options("strict", "direct", np.dtype("float64"), 1 << 40)]
)
def test_a_request_has_the_very_bytes_of_protobuf(
    options: Options, shape: tuple[int, ...], dtype: np.dtype[Any], rate: float
) -> None:
    signal = array(shape, dtype)
    message = pb.ConvolveRequest(
        filter=pb.FilterSource(name=NAME),
        input=encode_tensor(signal),
        options=encode_options(options),
        sample_rate_hertz=rate,
    )
    assert serialize(named_request(NAME, signal, options, rate)) == message.SerializeToString()


@given(SHAPES, st.sampled_from(sorted(DTYPES, key=str)), st.sampled_from(["", "direct+pool"]))
def test_a_response_has_the_very_bytes_of_protobuf_and_is_read_back(
    shape: tuple[int, ...], dtype: np.dtype[Any], algorithm: str
) -> None:
    output = array(shape, dtype)
    message = pb.ConvolveResponse(output=encode_tensor(output), algorithm=algorithm)
    raw = serialize(response(output, algorithm))
    assert raw == message.SerializeToString()
    found, data = parse_response(raw)
    assert data == output.tobytes()
    message.output.ClearField("data")
    assert pb.ConvolveResponse.FromString(found) == message
    assert output_of(found) == (dtype, output.shape)


@pytest.mark.parametrize("size", [100, 20_000, 900_000])
def test_lengths_of_any_number_of_digits_are_written_as_protobuf_does(size: int) -> None:
    signal = np.ones((1, 1, size), np.float32)
    message = pb.ConvolveRequest(filter=pb.FilterSource(name=NAME), input=encode_tensor(signal))
    message.options.SetInParent()
    assert serialize(named_request(NAME, signal, Options(), 0.0)) == message.SerializeToString()


def test_what_is_received_is_not_copied() -> None:
    raw = serialize(response(np.ones((1, 9), np.float32), "direct"))
    _, data = parse_response(raw)
    assert isinstance(data, memoryview)
    assert data.obj is raw


@pytest.mark.parametrize(
    "message", [pb.ConvolveResponse(), pb.ConvolveResponse(output=pb.Tensor(shape=[3]))]
)
def test_a_response_without_data_is_read_all_the_same(message: pb.ConvolveResponse) -> None:
    assert parse_response(message.SerializeToString()) == (message.SerializeToString(), b"")


def test_a_tensor_in_two_pieces_is_left_to_protobuf() -> None:
    piece = pb.ConvolveResponse(output=encode_tensor(np.ones(3, np.float32))).SerializeToString()
    shape = pb.ConvolveResponse(output=pb.Tensor(shape=[3])).SerializeToString()
    for raw in (piece + piece, piece + shape, shape + piece):
        assert split(raw, OUTPUT) is None
        assert parse_response(raw)[1] == np.ones(3, np.float32).tobytes()


def test_a_filter_that_goes_along_is_not_copied_once_more() -> None:
    request = pb.ConvolveRequest(input=encode_tensor(np.ones(3)))
    request.filter.inline.layers.add().conv.weight.data = bytes(5000)
    assert split(request.SerializeToString(), INPUT) is None


@st.composite
def fields(draw: st.DrawFn) -> bytes:
    """A field as a foreign writer may put it: any number, any type, perhaps too long."""
    number = draw(st.sampled_from([1, 2, 3, 4, 15, 16, 2000]))
    kind = draw(st.sampled_from([0, 1, 2, 2, 2, 3, 4, 5]))
    tag = varint(number << 3 | kind)
    match kind:
        case 0:
            return tag + varint(draw(st.integers(0, 2**64 - 1)), draw(st.sampled_from([0, 0, 3])))
        case 2:
            content = draw(st.binary(max_size=20) | st.lists(fields(), max_size=3).map(b"".join))
            size = len(content) + draw(st.sampled_from([0, 0, 0, 0, 1]))
            return tag + varint(size, draw(st.sampled_from([0, 0, 0, 1, 4]))) + content
        case 1 | 5:
            return tag + bytes(8 if kind == 1 else 4)
    return tag


@each_envelope
@given(raw=st.lists(fields(), max_size=5).map(b"".join) | st.binary(max_size=60))
def test_whatever_is_split_says_what_protobuf_says(
    envelope: type[Message], field: str, number: int, raw: bytes
) -> None:
    assert_splits_to_the_same(raw, envelope, field, number)


@each_envelope
@given(
    cut=st.integers(0, 12),
    flips=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)), max_size=3),
    more=st.just(b"") | fields(),
)
def test_damaged_messages_are_split_to_what_protobuf_says(
    envelope: type[Message],
    field: str,
    number: int,
    cut: int,
    flips: list[tuple[int, int]],
    more: bytes,
) -> None:
    frame: ArrayFrame
    if number == INPUT:
        frame = named_request(NAME, np.ones((2, 3)), Options("strict"), 8000.0)
    else:
        frame = response(np.ones((2, 3)), "direct")
    raw = bytearray(serialize(frame) + more)
    for at, byte in flips:
        if at < len(raw):
            raw[at] = byte
    assert_splits_to_the_same(bytes(raw), envelope, field, number)
    assert_splits_to_the_same(bytes(raw[: len(raw) - cut]), envelope, field, number)
