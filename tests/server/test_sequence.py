"""Streams out of order: refused by their offsets and their order, naming what was next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import encode_filter
from convolved_vocabulary import Conv, Filter, impulse_response
from tests.server.harness import Conversation, Running, block, end, serving, start

X = np.ones((1, 100), np.float32)
FILTER = impulse_response(np.ones(5, np.float32))
PICTURE = Filter(Conv(np.ones((1, 1, 3, 3), np.float32)))
AROUND = Filter(Conv(np.ones((1, 1, 3), np.float32), padding="same", boundary="wrap"))
START = start(FILTER, X)
WHOLE = start(FILTER, X, total_samples=100)
PART = pb.StreamConvolveRequest(part=pb.Part(data=b"1"))
SWAP = pb.StreamConvolveRequest(swap=pb.Swap(filter=pb.FilterSource(name="filters/x")))
CLOSE = object()


@pytest.fixture(autouse=True)
def nothing_is_held(server: Running) -> Iterator[None]:
    yield
    admission = server.resources.admission
    assert (admission.streams_held, admission.bytes_held) == (0, 0)


def said(server: Running, *messages: Any) -> Conversation:
    call = Conversation(server.stub.StreamConvolve)
    for message in messages:
        if message is CLOSE:
            call.close()
        else:
            call.say(message)
    return call


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([CLOSE], "start"),
        ([block(0, X)], "start"),
        ([end(0)], "start"),
        ([PART], "start"),
        ([SWAP], "start"),
        ([pb.StreamConvolveRequest()], "start"),
        ([START, START], "message"),
        ([START, PART], "message"),
        ([START, pb.StreamConvolveRequest()], "message"),
        ([START, CLOSE], "message"),
        ([START, block(0, X), CLOSE], "message"),
        ([START, block(1, X)], "block.offset"),
        ([START, block(-1, X)], "block.offset"),
        ([START, block(0, X), block(101, X)], "block.offset"),
        ([START, block(0, X), block(99, X)], "block.offset"),
        ([START, block(0, X), block(0, X)], "block.offset"),
        ([START, block(0, X), end(99)], "end.total_samples"),
        ([START, block(0, X), end(101)], "end.total_samples"),
        ([START, block(0, X, more=True), end(100)], "end"),
        ([WHOLE, block(0, X), block(100, X)], "block.data"),
        ([WHOLE, block(0, X[:, :50]), end(50)], "end.total_samples"),
        ([start(FILTER, X, input_offset=50, output_offset=54), block(0, X)], "block.offset"),
    ],
)
def test_what_is_out_of_sequence_is_refused(
    server: Running, messages: list[Any], field: str
) -> None:
    found = said(server, *messages).error()
    assert (found.code.name, found.reason) == ("INVALID_ARGUMENT", "OUT_OF_SEQUENCE")
    assert found.field == field


def test_what_comes_before_the_error_is_still_answered(server: Running) -> None:
    call = said(server, START)
    assert call.hear().filter == FILTER.name
    call.say(block(0, X))
    assert call.hear().input_end == 100
    call.say(block(7, X))
    assert call.error().words == {"argument": "block.offset", "came": "7", "wanted": "100"}


@pytest.mark.parametrize(
    "data", [X[:, :0].tobytes(), X.tobytes()[:-1], bytes((1 << 20) + 4)], ids=len
)
def test_blocks_of_a_wrong_length_are_refused(server: Running, data: bytes) -> None:
    message = pb.StreamConvolveRequest(block=pb.Block(data=data))
    found = said(server, START, message).error()
    assert (found.reason, found.field) == ("INVALID_ARGUMENT", "block.data")


def test_announced_tensors_come_before_blocks(server: Running) -> None:
    message = pb.StreamConvolveRequest.FromString(START.SerializeToString())
    message.start.filter.inline.CopyFrom(encode_filter(FILTER, announce=True))
    for following in (block(0, X), end(0), message, CLOSE):
        found = said(server, message, following).error()
        assert (found.reason, found.field) == ("OUT_OF_SEQUENCE", "part")


@pytest.mark.parametrize(
    ("message", "field", "words"),
    [
        (start(FILTER, X, data_type=0), "start.data_type", "no data type"),
        (start(FILTER, X, frame_shape=[]), "start.frame_shape", "()"),
        (start(FILTER, X, frame_shape=[0]), "start.frame_shape", "(0,)"),
        (start(FILTER, X, frame_shape=[-1]), "start.frame_shape", "(-1,)"),
        (start(FILTER, X, frame_shape=[1, 1]), "start.frame_shape", "(1, 1)"),
        (start(FILTER, X, frame_shape=[1] * 100_000), "start.frame_shape", "frame"),
        (start(PICTURE, X, frame_shape=[1]), "start.frame_shape", "1 spatial axes"),
        (start(PICTURE, X, frame_shape=[2, 9]), "start.frame_shape", "channels"),
        (start(PICTURE, X, frame_shape=[1, 2]), "start.frame_shape", "larger than the padded"),
        (start(FILTER, X, total_samples=0), "start.total_samples", "got 0"),
        (start(FILTER, X, total_samples=-5), "start.total_samples", "got -5"),
        (
            start(Filter(Conv(np.ones((1, 1, 9)))), X, total_samples=8),
            "start.total_samples",
            "larger than the padded",
        ),
        (start(FILTER, X, block_samples=-1), "start.block_samples", "got -1"),
        (start(FILTER, X, history_samples=-1), "start.history_samples", "got -1"),
        (start(FILTER, X, input_offset=-1), "start.input_offset", "got -1"),
        (start(FILTER, X, output_offset=-1), "start.output_offset", "got -1"),
        (start(FILTER, X, input_offset=50, output_offset=51), "start.output_offset", "earlier"),
        (
            start(FILTER, X, input_offset=101, output_offset=101, total_samples=100),
            "start.total_samples",
            "input_offset",
        ),
        (start(FILTER, X, sample_rate_hertz=-1.0), "start.sample_rate_hertz", "-1.0"),
        (
            start(FILTER, X, options=pb.ComputeOptions(algorithm="magic")),
            "start.options.algorithm",
            "'magic'",
        ),
        (start(AROUND, X), "start.filter.inline.layers[0]", "wrap"),
        (start("hall", X), "start.filter.name", "'hall'"),
        (pb.StreamConvolveRequest(start=pb.Start()), "start.filter", "got nothing"),
    ],
)
def test_a_start_that_cannot_be_is_refused_naming_its_field(
    server: Running, message: Message, field: str, words: str
) -> None:
    found = said(server, message).error()
    assert (found.code.name, found.reason) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT")
    assert found.field == field
    assert words in found.message


def test_an_output_beyond_the_end_is_refused_when_the_end_is_known(server: Running) -> None:
    call = said(server, start(FILTER, X, output_offset=500), block(0, X), end(100))
    assert call.error().field == "start.output_offset"


def test_unknown_fields_are_refused_except_in_blocks(server: Running) -> None:
    odd = b"\xf8\x3f\x01"
    bad_start = pb.StreamConvolveRequest.FromString(START.SerializeToString())
    bad_start.start.MergeFromString(odd)
    bad_envelope = pb.StreamConvolveRequest.FromString(block(0, X).SerializeToString() + odd)
    bad_end = end(100)
    bad_end.end.MergeFromString(odd)
    for messages in ([bad_start], [START, bad_envelope], [START, block(0, X), bad_end]):
        found = said(server, *messages).error()
        assert found.reason == "UNKNOWN_FIELD"
    grown = block(0, X)
    grown.block.MergeFromString(odd)
    assert said(server, START, grown, end(100)).rest()[-1].total_samples == 104


def test_samples_beyond_the_limits_are_refused() -> None:
    wide = Filter(Conv(np.ones((64, 1, 1), np.float32)))
    with serving(frame_bytes=128, whole_signal_bytes=1000) as server:
        for message, words in (
            (start(FILTER, np.ones((33, 10), np.float32)), "input has 132 bytes"),
            (start(wide, X), "output has 256 bytes"),
            (start(FILTER, X, frame_shape=[1 << 62]), "bytes"),
            (start(AROUND, X, total_samples=251), "1,004 bytes"),
        ):
            found = said(server, message).error()
            assert (found.code.name, found.reason) == ("RESOURCE_EXHAUSTED", "TOO_LARGE")
            assert words in found.message
        assert said(server, start(AROUND, X, total_samples=250)).hear().filter == AROUND.name
