"""However a call ends, what it held comes back; and nobody computes for those who have gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import encode_filter
from convolved.wire.tensors import encode_tensor
from convolved_vocabulary import impulse_response
from tests.server.harness import (
    PATIENCE,
    Conversation,
    Failure,
    Running,
    block,
    create,
    failure,
    pieces,
    serving,
    start,
    until,
)
from tests.server.slow import held_up

# Long enough to be predicted as work for a thread.
X = np.ones((1, 500_000), np.float32)
FILTER = impulse_response(np.ones(2001, np.float32))
SMALL = np.ones((1, 100), np.float32)


@pytest.fixture
def own() -> Iterator[Running]:
    """A server with one thread, on which work waits visibly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("convolved_server.resources.engine_threads", lambda: 1)
        with serving() as running:
            yield running


def request(server: Running) -> pb.ConvolveRequest:
    name = create(server, FILTER).name
    return pb.ConvolveRequest(filter=pb.FilterSource(name=name), input=encode_tensor(X))


def is_free(server: Running) -> bool:
    admission = server.resources.admission
    return (
        admission.bytes_held == 0
        and admission.nanoseconds_held == 0
        and admission.streams_held == 0
        and server.resources.compute.working == 0
        and not server.resources.calls.in_flight
    )


def test_cancelled_while_computing_the_work_stops_and_everything_is_free(own: Running) -> None:
    with held_up() as gate:
        call = own.stub.Convolve.future(request(own))
        gate.wait_begun()
        assert own.resources.admission.bytes_held > X.nbytes
        assert own.resources.admission.seconds_held > 0
        call.cancel()
        gate.wait_stopped()
        until(lambda: is_free(own), 1)


def test_cancelled_while_waiting_the_work_never_begins(own: Running) -> None:
    asked = request(own)
    with held_up() as gate:
        first = own.stub.Convolve.future(asked)
        gate.wait_begun()
        second = own.stub.Convolve.future(asked)
        until(lambda: own.resources.compute.working == 2)
        second.cancel()
        until(lambda: own.resources.compute.working == 1, 1)
        gate.open.set()
        first.result(PATIENCE)
        assert gate.finished == 1
        assert not gate.begun.acquire(timeout=0.05)
    until(lambda: is_free(own), 1)


def test_work_whose_deadline_passes_while_it_waits_is_never_computed(own: Running) -> None:
    asked = request(own)
    with held_up() as gate:
        first = own.stub.Convolve.future(asked)
        gate.wait_begun()
        late = failure(lambda: own.stub.Convolve(asked, timeout=0.2))
        assert late.code is grpc.StatusCode.DEADLINE_EXCEEDED
        until(lambda: own.resources.compute.working == 1, 1)
        gate.open.set()
        first.result(PATIENCE)
        assert gate.finished == 1
    until(lambda: is_free(own), 1)


def test_a_cancelled_stream_is_free_at_once_wherever_it_is(server: Running) -> None:
    for messages in (
        [],
        [start(FILTER, X)],
        [start(FILTER, X), block(0, SMALL)],
        [start(FILTER, X), block(0, X[:, : 1 << 18]), block(1 << 18, X[:, : 1 << 17])],
        [
            start(FILTER, X, total_samples=1 << 30),
            *(block(i << 18, X[:, : 1 << 18]) for i in range(20)),
        ],
    ):
        call = Conversation(server.stub.StreamConvolve)
        call.say(*messages)
        until(lambda: server.resources.calls.in_flight)
        time.sleep(0.05)
        call.call.cancel()
        call.close()
        until(lambda: is_free(server), 1)


def test_a_cancelled_upload_leaves_nothing(server: Running) -> None:
    kept = server.resources.store.nbytes
    call: Any = Conversation(server.stub.CreateFilter.future)
    call.say(pb.CreateFilterRequest(filter=encode_filter(FILTER, announce=True)))
    call.say(pb.CreateFilterRequest(part=next(pieces(FILTER, size=100))))
    until(lambda: server.resources.admission.bytes_held)
    assert server.resources.store.nbytes > kept
    call.call.cancel()
    call.close()
    until(lambda: is_free(server), 1)
    assert server.resources.store.nbytes == kept


def test_a_lost_connection_frees_what_it_held(server: Running) -> None:
    channel = grpc.insecure_channel(server.address, options=[("grpc.use_local_subchannel_pool", 1)])
    said = iter([start(FILTER, X), block(0, SMALL)])
    call: Any = channel.stream_stream(
        "/convolved.v1.ConvolutionService/StreamConvolve",
        request_serializer=pb.StreamConvolveRequest.SerializeToString,
        response_deserializer=pb.StreamConvolveResponse.FromString,
    )(_and_wait(said))
    next(call)
    assert server.resources.admission.streams_held == 1
    channel.close()
    until(lambda: is_free(server), 1)


def test_a_stream_that_fails_frees_what_it_held(server: Running) -> None:
    call = Conversation(server.stub.StreamConvolve)
    call.say(start(FILTER, X), block(5, SMALL))
    call.error()
    until(lambda: is_free(server), 1)


def test_a_server_with_no_room_refuses_at_once_and_says_when_to_come_again() -> None:
    with serving(memory_bytes="16MiB") as server:
        asked = request(server)
        with held_up() as gate:
            calls = [server.stub.Convolve.future(asked) for _ in range(8)]
            gate.wait_begun()
            found = failure(lambda: server.stub.Convolve(asked))
            # Whoever has room still has it: the refusal waited for none of them.
            assert gate.finished == 0
            assert (found.code.name, found.reason) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
            assert found.retry_delay is not None
            assert 0 < found.retry_delay <= 5
            server.stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=PATIENCE)
            gate.open.set()
            outcomes = {_reason(call) for call in calls}
        assert outcomes == {"OK", "OVERLOADED"}
        until(lambda: is_free(server), 1)
        server.stub.Convolve(asked)


def test_what_could_never_be_held_is_too_large() -> None:
    with serving(memory_bytes="16MiB") as server:
        long = start(impulse_response(np.ones(900_000, np.float32)), X)
        call = Conversation(server.stub.StreamConvolve)
        call.say(long)
        found = call.error()
        assert (found.code.name, found.reason) == ("RESOURCE_EXHAUSTED", "TOO_LARGE")
        assert found.retry_delay is None


def test_streams_beyond_their_number_are_refused_until_one_ends() -> None:
    with serving(streams=2) as server:
        open_ = [Conversation(server.stub.StreamConvolve) for _ in range(2)]
        for call in open_:
            call.say(start(FILTER, X))
            call.hear()
        extra = Conversation(server.stub.StreamConvolve)
        extra.say(start(FILTER, X))
        found = extra.error()
        assert (found.code.name, found.reason) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
        assert found.retry_delay is not None
        open_[0].call.cancel()
        open_[0].close()
        until(lambda: server.resources.admission.streams_held == 1)
        again = Conversation(server.stub.StreamConvolve)
        again.say(start(FILTER, X))
        again.hear()
        for call in (open_[1], again):
            call.call.cancel()
            call.close()


def test_a_silent_stream_ends_with_its_own_status() -> None:
    with serving(idle_timeout_seconds=0.2) as server:
        for messages in ([], [start(FILTER, X)], [start(FILTER, X), block(0, SMALL)]):
            call = Conversation(server.stub.StreamConvolve)
            call.say(*messages)
            found = call.error()
            assert (found.code.name, found.reason) == ("DEADLINE_EXCEEDED", "IDLE_TIMEOUT")
        upload: Any = Conversation(server.stub.CreateFilter.future)
        upload.say(pb.CreateFilterRequest(filter=encode_filter(FILTER, announce=True)))
        found = failure(upload.call.result)
        upload.close()
        assert found.reason == "IDLE_TIMEOUT"
        until(lambda: is_free(server), 1)


def test_a_stream_that_speaks_now_and_then_is_not_silent() -> None:
    with serving(idle_timeout_seconds=1.0) as server:
        call = Conversation(server.stub.StreamConvolve)
        call.say(start(FILTER, X))
        call.hear()
        for index in range(12):
            time.sleep(0.1)
            call.say(block(100 * index, SMALL))
            assert call.hear().input_end == 100 * (index + 1)
        assert call.error().reason == "IDLE_TIMEOUT"


def test_an_aged_stream_is_asked_to_resume_between_two_answers() -> None:
    with serving(stream_lifetime_seconds=1.0) as server:
        call = Conversation(server.stub.StreamConvolve)
        call.say(start(FILTER, X))
        call.hear()
        call.say(block(0, SMALL))
        assert call.hear().input_end == 100
        found = call.error()
        assert (found.code.name, found.reason) == ("UNAVAILABLE", "DRAINING")


def _and_wait(messages: Iterator[Any]) -> Iterator[Any]:
    yield from messages
    time.sleep(1)


def _reason(call: Any) -> str:
    try:
        call.result(PATIENCE)
    except grpc.RpcError as error:
        return Failure(error).reason
    return "OK"
