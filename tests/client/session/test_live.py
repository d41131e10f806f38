"""A live stream keeps its law, whatever the cutting, and whatever becomes of its calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved.session.calls import Session
from convolved.session.live import LiveSession
from convolved.session.opening import Opening
from convolved.session.sources import Source
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.framing import BlockFrame, OutputFrame
from convolved.wire.reasons import TooLarge
from convolved_engine import apply
from convolved_vocabulary import (
    Activation,
    Conv,
    ConvTranspose,
    FailedPrecondition,
    Filter,
    Internal,
    InvalidArgument,
    Options,
    Pool,
    impulse_response,
)
from tests.client.fake import Honest, Peer
from tests.client.perform import exchanged, opened, perform, talk

RNG = np.random.default_rng(7)


def noise(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(size=shape).astype(np.float32)


FILTERS = {
    "impulse response": impulse_response(noise(31)),
    "delayed": Filter(Conv(noise(2, 2, 9), padding="same")),
    "strided and dilated": Filter(Conv(noise(3, 2, 4), stride=3, dilation=2, padding=(1, 5))),
    "mirrored": Filter(Conv(noise(2, 2, 5), padding=(4, 3), boundary="reflect")),
    "upsampling": Filter(ConvTranspose(noise(2, 1, 7), stride=3, padding=2)),
    "a stack": Filter(
        [
            Conv(noise(4, 2, 8), stride=2, padding="causal"),
            Activation("relu"),
            Pool("max", 3, stride=2),
            Conv(noise(2, 4, 3), padding="full"),
        ]
    ),
}


@pytest.mark.parametrize("kind", FILTERS)
@settings(max_examples=50)
@given(st.data())
def test_after_n_inputs_ready_n_outputs_are_there_however_it_is_cut(
    kind: str, data: st.DataObject
) -> None:
    filter = FILTERS[kind]
    x = noise(2, data.draw(st.integers(10, 200)))
    length = x.shape[1]
    live, peer = opened(filter), Peer(Honest())
    talk(live, peer, live.opening())
    found = []
    at = 0
    for cut in [*sorted(data.draw(st.lists(st.integers(0, length), max_size=8))), length]:
        requests = live.push(x[:, at:cut])
        if cut > at:
            talk(live, peer, requests)
        found.append(live.take())
        at = cut
        assert live.inputs == at
        assert live.outputs == sum(part.shape[-1] for part in found) == filter.ready(at)
    talk(live, peer, live.flush())
    found.append(live.take())
    joined = np.concatenate(found, -1)
    np.testing.assert_allclose(joined, apply(x, filter), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", FILTERS)
@settings(max_examples=50)
@given(st.data())
def test_a_stream_that_loses_its_calls_goes_on_without_a_sample_lost_or_repeated(
    kind: str, data: st.DataObject
) -> None:
    filter = FILTERS[kind]
    x = noise(2, data.draw(st.integers(10, 300)))
    length = x.shape[1]
    ends = [*sorted(data.draw(st.lists(st.integers(1, length), max_size=6, unique=True))), length]
    losing = data.draw(st.lists(st.booleans(), min_size=len(ends) + 1, max_size=len(ends) + 1))

    def run(losing: list[bool]) -> NDArray[Any]:
        live, server = opened(filter), Honest()
        peer = Peer(server)
        talk(live, peer, live.opening())
        found = []
        at = 0
        for cut, lost in zip([*dict.fromkeys(ends), None], losing, strict=False):
            requests: Iterator[Any]
            requests = live.flush() if cut is None else live.push(x[:, at:cut])
            if lost:
                # The request goes out, and the server is gone before it answers.
                list(requests)
                peer = Peer(server)
                talk(live, peer, live.opening())
            else:
                talk(live, peer, requests)
            found.append(live.take())
            at = cut or at
        return np.concatenate(found, -1)

    steady = run([False] * len(losing))
    np.testing.assert_array_equal(run(losing), steady)


def test_a_stream_lost_in_the_middle_of_an_answer_takes_what_is_missing() -> None:
    filter = impulse_response(noise(64))
    x = noise(1, 600_000)
    server, live = Honest(), opened(filter, channels=1)
    peer = Peer(server)
    talk(live, peer, live.opening())
    answers = exchanged(peer, live.push(x))
    assert not live.receive(next(answers))
    assert 0 < live.outputs < 600_000
    talk(live, Peer(server), live.opening())
    found = live.take()
    assert found.shape == (1, 600_000)
    np.testing.assert_allclose(found, apply(x, filter)[:, :600_000], atol=1e-3)


def test_what_is_retained_is_what_the_future_may_read() -> None:
    filter = impulse_response(noise(100))
    live, peer = opened(filter, channels=1), Peer(Honest())
    talk(live, peer, live.opening())
    for _ in range(200):
        talk(live, peer, live.push(noise(1, 64)))
        live.take()
    replayed = [m for m in live.opening() if isinstance(m, BlockFrame)]
    held = sum(len(block.data) for block in replayed) // 4
    assert live.retain_from + held == live.inputs
    assert held < 2000


def test_a_pushed_array_may_be_changed_afterwards() -> None:
    filter = impulse_response(noise(8))
    server, live = Honest(), opened(filter, channels=1)
    peer = Peer(server)
    talk(live, peer, live.opening())
    x = noise(1, 16)
    kept = x.copy()
    talk(live, peer, live.push(x))
    first = live.take()
    x[:] = np.nan
    list(live.flush())
    talk(live, Peer(server), live.opening())
    joined = np.concatenate([first, live.take()], -1)
    np.testing.assert_allclose(joined, apply(kept, filter), atol=1e-5)


def test_a_long_push_goes_in_blocks_of_a_mebibyte_as_one_push() -> None:
    live = opened(impulse_response(noise(4)))
    live.receive(
        pb.StreamConvolveResponse(
            started=pb.Started(data_type=pb.DATA_TYPE_FLOAT32, frame_shape=[2])
        )
    )
    frames = list(live.push(np.zeros((2, 300_000), np.float32)))
    assert [(f.offset, len(f.data), f.more) for f in frames] == [
        (0, 1 << 20, True),
        (131_072, 1 << 20, True),
        (262_144, 2 * 4 * (300_000 - 262_144), False),
    ]


def test_an_empty_push_sends_nothing_and_gives_an_empty_output() -> None:
    live, peer = opened(impulse_response(noise(4))), Peer(Honest())
    talk(live, peer, live.opening())
    assert list(live.push(np.zeros((2, 0), np.float32))) == []
    assert not live.awaiting
    assert live.take().shape == (2, 0)


def test_one_channel_may_be_pushed_without_its_axis_and_comes_back_so() -> None:
    live, peer = opened(impulse_response(noise(4)), channels=1), Peer(Honest())
    talk(live, peer, live.opening())
    talk(live, peer, live.push(noise(10)))
    assert live.take().shape == (10,)
    talk(live, peer, live.push(noise(1, 10)))
    assert live.take().shape == (1, 10)


def test_reset_begins_anew() -> None:
    filter = impulse_response(noise(20))
    server, live = Honest(), opened(filter)
    x = noise(2, 50)
    results = []
    for _ in range(2):
        peer = Peer(server)
        talk(live, peer, live.opening())
        talk(live, peer, live.push(x))
        results.append(live.take())
        live.reset()
        assert (live.inputs, live.outputs, live.retain_from, live.started) == (0, 0, 0, False)
    np.testing.assert_array_equal(results[0], results[1])


def started() -> LiveSession:
    live = opened(impulse_response(noise(4)), channels=1)
    response = pb.StreamConvolveResponse(
        started=pb.Started(
            data_type=pb.DATA_TYPE_FLOAT32, frame_shape=[1], block_samples=256, algorithm="direct"
        )
    )
    assert live.receive(response)
    return live


def test_started_tells_what_computes() -> None:
    live = started()
    assert (live.block, live.algorithm, live.frame_shape) == (256, "direct", (1,))
    assert live.output_dtype == np.float32
    assert live.delay == 0


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (OutputFrame(1, b"\0" * 16, input_end=4), "sent outputs 1 to 5, where 0 to 4 were due"),
        (OutputFrame(0, b"\0" * 20, input_end=4), "sent outputs 0 to 5, where 0 to 4 were due"),
        (OutputFrame(0, b"\0" * 12, input_end=4), "answered with 3 outputs, where 4 were due"),
        (
            OutputFrame(0, b"\0" * 15, input_end=4),
            "sent 15 bytes of output, where one sample has 4",
        ),
    ],
)
def test_a_server_that_breaks_the_law_is_found_out(output: OutputFrame, sentence: str) -> None:
    live = started()
    list(live.push(np.zeros(4, np.float32)))
    with pytest.raises(Internal, match=sentence):
        live.receive(output)


@pytest.mark.parametrize("total", [0, 5])
def test_a_server_that_finishes_too_early_or_late_is_found_out(total: int) -> None:
    live = started()
    list(live.push(np.zeros(4, np.float32)))
    live.receive(OutputFrame(0, b"\0" * 16, input_end=4))
    live.take()
    list(live.flush())
    with pytest.raises(Internal, match=f"finished at {total} outputs; 4 had come"):
        live.receive(pb.StreamConvolveResponse(finished=pb.Finished(total_samples=total)))


def test_messages_of_later_contracts_are_passed_over() -> None:
    live = started()
    assert not live.receive(pb.StreamConvolveResponse.FromString(b"\x98\x06\x01"))


def test_nothing_is_pushed_after_the_end() -> None:
    live = started()
    list(live.flush())
    with pytest.raises(FailedPrecondition, match="has ended: push after flush; reset"):
        live.push(np.zeros(4, np.float32))
    with pytest.raises(FailedPrecondition, match="has ended: flush after flush; reset"):
        live.flush()


def test_a_sample_that_no_message_holds_is_refused_before_anything_is_sent() -> None:
    filter = Filter(Conv(noise(1, 1, 3, 3)))
    opening = Opening.checked(filter, 1, (300_000,), "float32", 0, None, Options())
    with pytest.raises(TooLarge, match="want at most 1,048,576"):
        LiveSession(Source(filter), opening)


def test_wrap_along_time_does_not_stream() -> None:
    filter = Filter(Conv(noise(1, 1, 3), padding=1, boundary="wrap"))
    steps = Session().stream(filter, 1, (), "float32", 0, None, "fast", "auto")
    with pytest.raises(InvalidArgument, match="'wrap' along time"):
        perform(steps, Honest())
