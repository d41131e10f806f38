"""The hand-made bytes of Blocks, Outputs and Parts are protobuf's, both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import given
from hypothesis import strategies as st

from convolved.v1 import convolution_pb2 as pb
from convolved.wire import framing
from convolved.wire.framing import BlockFrame, OutputFrame, PartFrame, serialize
from tests.client.foreign import varint

INT64 = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300)
INT32 = st.integers(-(2**31), 2**31 - 1) | st.integers(0, 300)
PAYLOADS = st.binary(max_size=40) | st.integers(0, 70_000).map(bytes)

BLOCKS = st.builds(BlockFrame, INT64, PAYLOADS, st.booleans())
OUTPUTS = st.builds(OutputFrame, INT64, PAYLOADS, st.booleans(), INT64, INT64)
PARTS = st.builds(PartFrame, INT32, INT64, PAYLOADS)
FRAMES = BLOCKS | OUTPUTS | PARTS

Frame = BlockFrame | OutputFrame | PartFrame
Parser = Callable[[bytes], Message | Frame]

PARSERS: list[tuple[Parser, type[Message]]] = [
    (framing.parse_request, pb.StreamConvolveRequest),
    (framing.parse_response, pb.StreamConvolveResponse),
    (framing.parse_filter_request, pb.CreateFilterRequest),
    (framing.parse_gradients_request, pb.ComputeGradientsRequest),
    (framing.parse_gradients_response, pb.ComputeGradientsResponse),
]
each_parser = pytest.mark.parametrize(
    ("parse", "envelope"), PARSERS, ids=[envelope.__name__ for _, envelope in PARSERS]
)


def inner_message(frame: Frame) -> Message:
    match frame:
        case BlockFrame():
            return pb.Block(offset=frame.offset, more=frame.more, data=bytes(frame.data))
        case OutputFrame():
            return pb.Output(
                offset=frame.offset,
                more=frame.more,
                input_end=frame.input_end,
                retain_from=frame.retain_from,
                data=bytes(frame.data),
            )
        case PartFrame():
            return pb.Part(
                tensor=frame.tensor, byte_offset=frame.byte_offset, data=bytes(frame.data)
            )


def by_protobuf(frame: Frame) -> Message:
    """The frame in the envelope that the contract puts it in."""
    match inner_message(frame):
        case pb.Block() as block:
            return pb.StreamConvolveRequest(block=block)
        case pb.Output() as output:
            return pb.StreamConvolveResponse(output=output)
        case pb.Part() as part:
            return pb.StreamConvolveRequest(part=part)
    raise AssertionError(frame)


def frame_of(message: Message) -> Frame | None:
    """The frame that a message read by protobuf holds, if it holds one."""
    held = message.WhichOneof("message")
    if held not in ("block", "output", "part"):
        return None
    inner = getattr(message, held)
    if held == "part":
        return PartFrame(inner.tensor, inner.byte_offset, inner.data)
    if held == "block":
        return BlockFrame(inner.offset, inner.data, inner.more)
    return OutputFrame(inner.offset, inner.data, inner.more, inner.input_end, inner.retain_from)


def refuses_unknown_fields(envelope: type[Message]) -> bool:
    return envelope.DESCRIPTOR.name.endswith("Request")


def assert_reads_as_protobuf(parse: Parser, envelope: type[Message], data: bytes) -> None:
    try:
        message = envelope.FromString(data)
    except DecodeError:
        with pytest.raises(DecodeError):
            parse(data)
        return
    got = parse(data)
    frame = frame_of(message)
    if frame is None or (refuses_unknown_fields(envelope) and len(UnknownFieldSet(message))):
        assert isinstance(got, Message)
        assert got.SerializeToString() == message.SerializeToString()
    else:
        assert got == frame
        assert not isinstance(got, Message)
        assert isinstance(got.data, memoryview)


@st.composite
def fields(draw: st.DrawFn) -> bytes:
    """One field as a foreign writer may put it: any number, any type, lengths with padding."""
    number = draw(st.sampled_from([1, 2, 3, 4, 5, 15, 16, 2000]) | st.integers(0, 40))
    kind = draw(st.sampled_from([0, 0, 0, 1, 2, 2, 2, 3, 4, 5]))
    tag = varint(number << 3 | kind, draw(st.sampled_from([0, 0, 0, 1])))
    padding = draw(st.sampled_from([0, 0, 0, 1, 3, 4, 9]))
    match kind:
        case 0:
            return tag + varint(draw(st.integers(0, 2**64 - 1) | st.integers(0, 300)), padding)
        case 2:
            content = draw(st.binary(max_size=20))
            return tag + varint(len(content), padding) + content
        case 1:
            return tag + bytes(8)
        case 5:
            return tag + bytes(4)
    return tag


@st.composite
def foreign_messages(draw: st.DrawFn) -> bytes:
    """An envelope with inner fields in any order, repeated, unknown, and perhaps in two pieces."""
    envelope = bytearray()
    for _ in range(draw(st.integers(1, 2))):
        content = b"".join(draw(st.lists(fields(), max_size=5)))
        number = draw(st.sampled_from([2, 2, 3, 3, 1, 4, 9]))
        envelope += varint(number << 3 | 2) + varint(len(content), draw(st.integers(0, 2)))
        envelope += content
    envelope += draw(st.just(b"") | fields())
    return bytes(envelope)


@pytest.fixture(params=["by hand", "by protobuf"], scope="module", autouse=True)
def reader(request: pytest.FixtureRequest) -> Iterator[None]:
    """Small messages are read in either way, so that both are held to every test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framing, "_BY_HAND_FROM", 0 if request.param == "by hand" else 1 << 40)
        yield


@given(FRAMES)
def test_a_frame_has_the_very_bytes_of_protobuf(frame: Frame) -> None:
    assert serialize(frame) == by_protobuf(frame).SerializeToString()


@given(PARTS)
@pytest.mark.parametrize(
    "envelope",
    [pb.CreateFilterRequest, pb.ComputeGradientsRequest, pb.ComputeGradientsResponse],
)
def test_a_part_has_the_same_bytes_in_every_envelope(
    envelope: Callable[..., Message], frame: PartFrame
) -> None:
    assert serialize(frame) == envelope(part=inner_message(frame)).SerializeToString()


@given(FRAMES)
def test_the_payload_ends_the_message(frame: Frame) -> None:
    assert serialize(frame).endswith(bytes(frame.data))


@each_parser
@given(frame=FRAMES)
def test_what_was_written_is_read_back(
    parse: Parser, envelope: type[Message], frame: Frame
) -> None:
    assert_reads_as_protobuf(parse, envelope, serialize(frame))


@each_parser
@given(data=foreign_messages())
def test_any_order_of_fields_and_unknown_fields_are_read_as_protobuf_reads_them(
    parse: Parser, envelope: type[Message], data: bytes
) -> None:
    assert_reads_as_protobuf(parse, envelope, data)


@each_parser
@given(data=st.binary(max_size=60))
def test_arbitrary_bytes_are_refused_or_read_as_protobuf_does(
    parse: Parser, envelope: type[Message], data: bytes
) -> None:
    assert_reads_as_protobuf(parse, envelope, data)


@each_parser
@given(
    frame=FRAMES,
    cut=st.integers(1, 12),
    flips=st.lists(st.tuples(st.integers(0, 24), st.integers(0, 255)), max_size=3),
)
def test_damaged_messages_are_refused_or_read_as_protobuf_does(
    parse: Parser,
    envelope: type[Message],
    frame: Frame,
    cut: int,
    flips: list[tuple[int, int]],
) -> None:
    data = bytearray(serialize(frame))
    for at, byte in flips:
        if at < len(data):
            data[at] = byte
    assert_reads_as_protobuf(parse, envelope, bytes(data))
    assert_reads_as_protobuf(parse, envelope, bytes(data[:-cut]))


def test_a_truncated_block_raises_what_protobuf_raises() -> None:
    whole = serialize(BlockFrame(3, b"0123456789"))
    for end in range(1, len(whole)):
        with pytest.raises(DecodeError):
            framing.parse_request(whole[:end])


def test_unknown_fields_in_a_block_are_accepted() -> None:
    content = varint(9 << 3) + varint(1) + pb.Block(offset=7, data=b"abcd").SerializeToString()
    got = framing.parse_request(b"\x1a" + varint(len(content)) + content)
    assert got == BlockFrame(7, b"abcd")


def test_a_request_with_unknown_fields_beside_its_block_is_handed_on_for_refusal() -> None:
    data = serialize(BlockFrame(7, b"abcd")) + varint(9 << 3) + varint(1)
    got = framing.parse_request(data)
    assert isinstance(got, pb.StreamConvolveRequest)
    assert len(UnknownFieldSet(got)) == 1


def test_a_client_ignores_unknown_fields_beside_an_output() -> None:
    data = serialize(OutputFrame(7, b"abcd")) + varint(9 << 3) + varint(1)
    assert framing.parse_response(data) == OutputFrame(7, b"abcd")


def test_other_messages_come_as_protobuf_messages() -> None:
    end = pb.StreamConvolveRequest(end=pb.End(total_samples=5))
    finished = pb.StreamConvolveResponse(finished=pb.Finished(total_samples=5))
    assert framing.parse_request(serialize(end)) == end
    assert framing.parse_response(serialize(finished)) == finished
    assert framing.parse_request(b"") == pb.StreamConvolveRequest()


@pytest.mark.parametrize("frame", [BlockFrame(3, bytes(1 << 20)), OutputFrame(3, bytes(1 << 20))])
def test_large_received_data_are_a_view_into_the_received_bytes(
    frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framing, "_BY_HAND_FROM", 1 << 16)
    buffer = serialize(frame)
    got = (framing.parse_request if isinstance(frame, BlockFrame) else framing.parse_response)(
        buffer
    )
    assert got == frame
    assert isinstance(got, BlockFrame | OutputFrame)
    assert isinstance(got.data, memoryview)
    assert got.data.obj is buffer


def test_an_array_travels_by_its_memoryview() -> None:
    samples = np.arange(12, dtype=np.float32).reshape(2, 6)
    assert serialize(BlockFrame(0, samples.data)) == serialize(BlockFrame(0, samples.tobytes()))


def test_a_payload_that_is_not_contiguous_is_refused() -> None:
    for array in (np.zeros((4, 6))[:, ::2], np.zeros((4, 6)).T):
        with pytest.raises(BufferError):
            serialize(BlockFrame(0, array.data))


@pytest.mark.parametrize(
    "frame",
    [
        BlockFrame(2**63, b""),
        OutputFrame(0, b"", input_end=-(2**63) - 1),
        PartFrame(2**31, 0, b"x"),
        PartFrame(0, 2**63, b"x"),
    ],
)
def test_numbers_that_no_field_holds_are_refused_as_protobuf_does(frame: Frame) -> None:
    with pytest.raises(ValueError, match=r"(?i)out of range|too large|range"):
        by_protobuf(frame)
    with pytest.raises(ValueError, match="want an int"):
        serialize(frame)
