"""Streams over the wire: the law for any cutting, both manners, pushes, offsets and resuming."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import encode_filter
from convolved_vocabulary import Activation, Conv, ConvTranspose, Filter, Pool, impulse_response
from tests.server.harness import Conversation, Running, block, create, end, pieces, serving, start

RNG = np.random.default_rng(4)


def weights(*shape: int) -> NDArray[np.float32]:
    return RNG.standard_normal(shape).astype(np.float32)


FILTERS = {
    "short response": (impulse_response(weights(15)), (2,)),
    "long response": (impulse_response(weights(3000)), (1,)),
    "strided": (Filter(Conv(weights(3, 2, 5), stride=3, padding="same")), (2,)),
    "valid": (Filter(Conv(weights(1, 1, 40))), (1,)),
    "mirrored": (Filter(Conv(weights(1, 1, 7), padding="same", boundary="reflect")), (1,)),
    "stack": (
        Filter(
            [
                Conv(weights(4, 1, 3), padding="causal", dilation=2),
                Activation("relu"),
                Pool("max", 2),
                Conv(weights(2, 4, 3), bias=weights(2)),
            ]
        ),
        (1,),
    ),
    "upsampling": (Filter(ConvTranspose(weights(1, 2, 4), stride=2)), (1,)),
    "picture": (Filter(Conv(weights(2, 1, 3, 5), padding="same")), (1, 6)),
}


def converse(
    server: Running, filter: Filter, x: NDArray[Any], cuts: list[int], **fields: Any
) -> tuple[list[Any], NDArray[Any]]:
    """Everything the server says to a signal cut so, and the outputs joined."""
    call = Conversation(server.stub.StreamConvolve)
    call.say(start(filter, x, **fields))
    edges = sorted({0, x.shape[-1], *(cut for cut in cuts if cut < x.shape[-1])})
    for begin, after in pairwise(edges):
        call.say(block(begin, x[..., begin:after]))
    call.say(end(x.shape[-1]))
    heard = call.rest()
    return heard, joined(heard, x.dtype)


def joined(heard: list[Any], dtype: Any) -> NDArray[Any]:
    """The outputs among messages, put together by their offsets."""
    opened = next(each for each in heard if isinstance(each, pb.Started))
    outputs = [each for each in heard if isinstance(each, pb.Output)]
    arrays = [np.frombuffer(o.data, dtype).reshape(*opened.frame_shape, -1) for o in outputs]
    position = outputs[0].offset if outputs else 0
    for output, array in zip(outputs, arrays, strict=True):
        assert output.offset == position
        position += array.shape[-1]
    return np.concatenate(arrays, axis=-1) if arrays else np.empty((*opened.frame_shape, 0), dtype)


@pytest.mark.parametrize("name", FILTERS)
@settings(max_examples=12)
@given(data=st.data())
def test_no_cutting_changes_a_bit(server: Running, name: str, data: st.DataObject) -> None:
    filter, frame = FILTERS[name]
    length = data.draw(st.integers(60, 9000), "length")
    x = np.random.default_rng(length).standard_normal((*frame, length)).astype(np.float32)
    cuts = data.draw(st.lists(st.integers(1, length), max_size=12), "cuts")
    whole = data.draw(st.booleans(), "whole")
    fields = {"block_samples": 64, **({"total_samples": length} if whole else {})}
    options = engine.open_stream(
        filter,
        channels=frame[0],
        size=frame[1:],
        dtype=x.dtype,
        block=64,
        total=length if whole else None,
    )
    expected = np.concatenate([options.push(x), options.flush()], axis=-1)
    heard, found = converse(server, filter, x, cuts, **fields)
    np.testing.assert_array_equal(found, expected)
    assert heard[-1].total_samples == filter.time.output_length(length)
    np.testing.assert_allclose(found, engine.apply(x, filter), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", FILTERS)
def test_each_live_push_is_answered_by_exactly_what_it_fixes(server: Running, name: str) -> None:
    filter, frame = FILTERS[name]
    x = weights(*frame, 5000)
    call = Conversation(server.stub.StreamConvolve)
    call.say(start(filter, x, block_samples=64))
    opened = call.hear()
    position = retained = 0
    for begin, after in pairwise([0, 1, 2, 500, 564, 3000, 5000]):
        call.say(block(begin, x[..., begin:after]))
        while True:
            output = call.hear()
            samples = len(output.data) // 4 // int(np.prod(opened.frame_shape))
            assert output.offset == position
            position += samples
            assert output.retain_from >= retained
            retained = output.retain_from
            if not output.more:
                break
        assert output.input_end == after
        assert position == filter.ready(after)
    call.say(end(5000))
    *tail, finished = call.rest()
    assert position + sum(len(o.data) for o in tail) // 4 // int(np.prod(opened.frame_shape)) == (
        finished.total_samples
    )
    assert finished.statistics.blocks == 6
    assert finished.statistics.compute_time.ToTimedelta().total_seconds() > 0


def test_started_describes_the_stream(server: Running) -> None:
    filter, frame = FILTERS["strided"]
    heard, _ = converse(server, filter, weights(*frame, 100), [], block_samples=32)
    opened = heard[0]
    assert opened.filter == filter.name
    assert opened.data_type == pb.DATA_TYPE_FLOAT32
    assert list(opened.frame_shape) == [3]
    assert opened.delay_samples == float(filter.delay)
    assert not opened.HasField("total_samples")
    assert opened.block_samples == 32
    assert opened.algorithm
    assert opened.idle_timeout.seconds == 300
    heard, _ = converse(server, filter, weights(*frame, 100), [], total_samples=100)
    assert heard[0].total_samples == filter.time.output_length(100)


def test_blocks_joined_by_more_are_one_push(server: Running) -> None:
    x = weights(1, 100)
    call = Conversation(server.stub.StreamConvolve)
    call.say(start(impulse_response(np.ones(3, np.float32)), x))
    call.hear()
    call.say(block(0, x[:, :40], more=True), block(40, x[:, 40:70], more=True))
    call.say(block(70, x[:, :0]))
    outputs = [call.hear()]
    while outputs[-1].more:
        outputs.append(call.hear())
    assert outputs[-1].input_end == 70
    assert sum(len(o.data) for o in outputs) == 4 * 70
    call.say(end(70))
    assert call.rest()[-1].total_samples == 72


def test_pushes_that_wait_together_are_answered_for_the_last_of_them(server: Running) -> None:
    x = weights(1, 64 * 500)
    heard, found = converse(
        server, impulse_response(weights(9)), x, list(range(0, x.shape[1], 64)), block_samples=64
    )
    answers = [each for each in heard if isinstance(each, pb.Output) and not each.more]
    assert answers[-1].input_end == x.shape[1]
    assert len(answers) <= 501
    assert heard[-1].statistics.blocks == 500
    assert found.shape == (1, x.shape[1] + 8)


def test_a_large_answer_comes_in_outputs_of_a_megabyte(server: Running) -> None:
    bank = Filter(Conv(weights(24, 1, 5), padding="causal"))
    x = weights(1, 200_000)
    for total in ({}, {"total_samples": x.shape[1]}):
        heard, found = converse(server, bank, x, [], **total)
        sizes = [len(each.data) for each in heard if isinstance(each, pb.Output)]
        assert max(sizes) <= 1 << 20
        assert len(sizes) >= 19
        np.testing.assert_allclose(found, engine.apply(x, bank), rtol=1e-4, atol=1e-5)


def test_an_output_whose_rest_is_to_come_lets_no_input_be_forgotten(server: Running) -> None:
    bank = Filter(Conv(weights(24, 1, 5), padding="causal"))
    heard, _ = converse(server, bank, weights(1, 200_000), [])
    outputs = [each for each in heard if isinstance(each, pb.Output)]
    for output, following in pairwise(outputs):
        first_needed = bank.time.first_input(following.offset)
        assert output.retain_from <= max(0, first_needed)


def test_large_filters_may_be_announced(server: Running) -> None:
    filter = impulse_response(weights(400_000))
    x = weights(1, 1000)
    message = start(filter, x)
    message.start.filter.inline.CopyFrom(encode_filter(filter, announce=True))
    call = Conversation(server.stub.StreamConvolve)
    call.say(message, *(pb.StreamConvolveRequest(part=part) for part in pieces(filter)))
    call.say(block(0, x), end(1000))
    np.testing.assert_allclose(
        joined(call.rest(), np.float32), engine.apply(x, filter), rtol=1e-3, atol=1e-3
    )


def test_a_registered_filter_streams_also_after_it_is_deleted(server: Running) -> None:
    filter = impulse_response(weights(21))
    name = create(server, filter).name
    x = weights(1, 200)
    call = Conversation(server.stub.StreamConvolve)
    call.say(start(name, x))
    call.hear()
    server.stub.DeleteFilter(pb.DeleteFilterRequest(name=name))
    call.say(block(0, x), end(200))
    assert call.rest()[-1].total_samples == 220


@pytest.mark.parametrize("total", [None, 0, 3])
def test_a_live_stream_may_end_before_its_kernel_fits(server: Running, total: int | None) -> None:
    x = weights(1, total or 0)
    heard, found = converse(server, FILTERS["valid"][0], x, [])
    assert found.shape == (1, 0)
    assert heard[-1].total_samples == 0


def test_wrapping_needs_the_whole_signal_and_gets_it(server: Running) -> None:
    around = Filter(Conv(weights(1, 1, 9), padding="same", boundary="wrap"))
    x = weights(1, 5000)
    _, found = converse(server, around, x, [100, 3000], total_samples=5000)
    np.testing.assert_allclose(found, engine.apply(x, around), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("whole", [False, True])
def test_a_lost_stream_goes_on_elsewhere_bit_for_bit(
    server: Running, name: str, whole: bool
) -> None:
    filter, frame = FILTERS[name]
    length = 6000
    x = weights(*frame, length)
    fields: dict[str, Any] = {"block_samples": 64}
    if whole:
        fields["total_samples"] = length
    cuts = list(range(0, length, 499))
    heard, expected = converse(server, filter, x, cuts, **fields)
    outputs = [each for each in heard if isinstance(each, pb.Output)]
    for last in (outputs[0], outputs[len(outputs) // 2], outputs[-1]):
        frame_bytes = 4 * int(np.prod(heard[0].frame_shape))
        received = last.offset + len(last.data) // frame_bytes
        call = Conversation(server.stub.StreamConvolve)
        resumed = {"input_offset": last.retain_from, "output_offset": received}
        call.say(start(filter, x, **(fields | resumed)))
        for begin in range(last.retain_from, length, 777):
            call.say(block(begin, x[..., begin : min(length, begin + 777)]))
        call.say(end(length))
        rest = call.rest()
        found = joined(rest, np.float32)
        np.testing.assert_array_equal(found, expected[..., received:])
        assert rest[-1].total_samples == expected.shape[-1]
        first = next((each for each in rest if isinstance(each, pb.Output)), None)
        assert first is None or first.offset == received


def test_late_answers_are_counted_where_a_rate_is_stated(server: Running) -> None:
    x = weights(1, 200_000)
    long = impulse_response(weights(50_000))
    impossible, _ = converse(server, long, x, [], sample_rate_hertz=1e12)
    easy, _ = converse(server, long, x, [], sample_rate_hertz=1.0)
    unstated, _ = converse(server, long, x, [])
    assert impossible[-1].statistics.late_blocks >= 1
    assert easy[-1].statistics.late_blocks == unstated[-1].statistics.late_blocks == 0


def test_every_dtype_streams_as_it_convolves(server: Running) -> None:
    for dtype in ("int16", "uint8", "bool", "float16", "float64", "complex64"):
        x = RNG.integers(0, 2, (1, 300)).astype(dtype)
        filter = impulse_response(np.array([1, 2, 3], np.int8 if x.dtype.kind in "iub" else "f4"))
        call = Conversation(server.stub.StreamConvolve)
        call.say(start(filter, x), block(0, x[:, :100]), block(100, x[:, 100:]), end(300))
        expected = engine.apply(x, filter)
        np.testing.assert_array_equal(joined(call.rest(), expected.dtype), expected)


def test_a_stream_that_has_ended_holds_nothing() -> None:
    with serving() as server:
        filter, frame = FILTERS["long response"]
        call = Conversation(server.stub.StreamConvolve)
        call.say(start(filter, weights(*frame, 10), block_samples=64))
        call.hear()
        admission = server.resources.admission
        assert admission.streams_held == 1
        assert admission.bytes_held > 0
        call.say(end(0))
        call.rest()
        assert (admission.streams_held, admission.bytes_held) == (0, 0)
