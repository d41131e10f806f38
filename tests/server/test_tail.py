"""Long work in a stream is done in steps, between which it can be abandoned."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import encode_filter
from convolved.wire.framing import BlockFrame
from convolved_server.limits import Limits
from convolved_server.settings import load
from convolved_server.streams.opening import Opening, read_start
from convolved_server.streams.pace import Pace
from convolved_server.streams.session import Session
from convolved_vocabulary import Conv, ConvTranspose, Filter, impulse_response
from tests.server.harness import (
    PATIENCE,
    Conversation,
    Running,
    block,
    end,
    pieces,
    serving,
    start,
    until,
)

X = np.ones((1, 1000), np.float32)
FILTER = impulse_response(np.ones(601, np.float32))


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A server whose tails take for ever, and each of their steps but little time."""

    def steps(self: engine.Stream) -> Iterator[NDArray[Any]]:
        while True:
            time.sleep(0.002)
            yield np.empty((1, 0), np.float32)

    monkeypatch.setattr(engine.Stream, "flush_steps", steps)
    with serving() as running:
        yield running


def ending(server: Running, **options: Any) -> Conversation:
    talk = Conversation(server.stub.StreamConvolve, **options)
    talk.say(start(FILTER, X), block(0, X), end(1000))
    talk.hear()
    talk.hear()
    until(lambda: server.resources.compute.working)
    return talk


def is_free(server: Running) -> bool:
    return not server.resources.compute.working and not server.resources.admission.streams_held


def test_cancelling_reaches_a_tail(endless: Running) -> None:
    ending(endless).call.cancel()
    until(lambda: is_free(endless), 1)


def test_draining_reaches_a_tail(endless: Running) -> None:
    talk = ending(endless)
    drained = endless.drain(10 * PATIENCE)
    assert talk.error().reason == "DRAINING"
    assert drained.result(PATIENCE)


def test_a_deadline_reaches_a_tail(endless: Running) -> None:
    def said() -> Iterator[pb.StreamConvolveRequest]:
        yield from (start(FILTER, X), block(0, X), end(1000))

    call = endless.stub.StreamConvolve(said(), timeout=0.3)
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: is_free(endless), 1)


@pytest.mark.parametrize("block_samples", [0, 64])
def test_only_the_last_output_of_a_tail_says_that_it_is_the_last(block_samples: int) -> None:
    wide = np.ones((1, 1 << 10), np.float32)
    filter = impulse_response(np.ones(400_001, np.float32))
    with serving() as server:
        name = registered(server, filter)
        talk = Conversation(server.stub.StreamConvolve)
        talk.say(start(name, wide, block_samples=block_samples), block(0, wide), end(1 << 10))
        _, push, *tail, finished = talk.rest()
    assert not push.more
    assert [each.more for each in tail] == [True] * (len(tail) - 1) + [False]
    assert (
        finished.total_samples == (1 << 10) + 400_000 == tail[-1].offset + len(tail[-1].data) // 4
    )
    assert {each.retain_from for each in tail[:-1]} == {push.retain_from}


def registered(server: Running, filter: Filter) -> str:
    response: pb.CreateFilterResponse = server.stub.CreateFilter(
        iter(
            [
                pb.CreateFilterRequest(filter=encode_filter(filter, announce=True)),
                *(pb.CreateFilterRequest(part=part) for part in pieces(filter)),
            ]
        )
    )
    return response.filter_info.name


def opening(filter: Filter, **fields: Any) -> Opening:
    message = start(filter, X, **fields).start
    return read_start(message, [], lambda _: filter, Limits.of(load({})))


def test_steps_are_bounded_by_what_the_widest_layer_holds() -> None:
    up = ConvTranspose(np.ones((1, 1, 1000), np.float32), stride=1000)
    down = Conv(np.ones((1, 1, 1), np.float32), stride=1000)
    found = opening(Filter([up, down]))
    assert found.widest_bytes == 4000
    session = Session(found, found.open())
    assert session.steps(10_000) == 10
    assert session.steps(1000) == 1


def test_steps_are_bounded_by_the_time_that_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "predict", lambda _, samples: 5e-6 * samples)
    found = opening(FILTER)
    session = Session(found, found.open())
    piece = BlockFrame(0, bytes(400_000))
    steps = session.steps(session.accept(piece))
    assert steps == 5
    session.load([piece])
    for step in range(steps):
        (output,) = session.advance(answered=step == steps - 1)
        told = pb.StreamConvolveResponse.FromString(output).output
        assert told.more == (step < steps - 1)
    assert session.sent == session.accepted == told.input_end == 100_000


def test_a_first_push_that_was_long_does_not_chop_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = opening(FILTER)
    session = Session(found, found.open())
    push = engine.Stream.push_arranged

    def slow(self: engine.Stream, samples: NDArray[Any]) -> NDArray[Any]:
        time.sleep(0.5)
        return push(self, samples)

    monkeypatch.setattr(engine.Stream, "push_arranged", slow)
    session.load([BlockFrame(0, X.tobytes())])
    session.accept(BlockFrame(0, X.tobytes()))
    session.advance(answered=True)
    assert session.steps(1000) == 1
