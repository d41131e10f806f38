"""A client that sends and reads nothing keeps its place no longer than one that says nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from convolved.v1 import convolution_pb2 as pb
from convolved_vocabulary import impulse_response
from tests.server.harness import PATIENCE, Failure, Running, block, serving, start, until

STRIDE = 16_384
BLOCK = np.ones((1, STRIDE), np.float32)
FILTER = impulse_response(np.ones(5, np.float32))
BLOCKS = 1024


def messages(total: int | None) -> Iterator[pb.StreamConvolveRequest]:
    fields = {} if total is None else {"total_samples": total}
    yield start(FILTER, BLOCK, **fields)
    for number in range(BLOCKS):
        yield block(number * STRIDE, BLOCK)


def counted(server: Running, total: int | None) -> tuple[Any, list[int]]:
    """A call, and how many messages it has sent so far."""
    sent = [0]

    def said() -> Iterator[pb.StreamConvolveRequest]:
        for message in messages(total):
            sent[0] += 1
            yield message

    return server.stub.StreamConvolve(said(), timeout=PATIENCE), sent


def stuck(server: Running, total: int | None) -> Any:
    """A call of which nothing is read, once the server can write no more."""
    call, sent = counted(server, total)
    until(lambda: sent[0] > 8)
    before = 0
    while before != sent[0]:
        before = sent[0]
        time.sleep(0.2)
    assert before < BLOCKS
    return call


def told(call: Any) -> Failure:
    with pytest.raises(grpc.RpcError) as caught:
        for _ in call:
            pass
    return Failure(caught.value)


WHOLE = BLOCKS * STRIDE
MANNERS = pytest.mark.parametrize("total", [None, WHOLE], ids=["live", "whole"])
ENDS: dict[str, tuple[dict[str, float], str]] = {
    "the idle timeout": ({"idle_timeout_seconds": 1.0}, "IDLE_TIMEOUT"),
    "the lifetime": ({"stream_lifetime_seconds": 1.0}, "DRAINING"),
}


@pytest.mark.parametrize(
    ("name", "total"),
    [("the idle timeout", None), ("the idle timeout", WHOLE), ("the lifetime", None)],
)
def test_it_is_ended_by(name: str, total: int | None) -> None:
    settings, reason = ENDS[name]
    with serving(**settings) as server:
        call = stuck(server, total)
        until(lambda: not server.resources.admission.streams_held)
        until(lambda: not server.resources.calls.in_flight, 1)
        assert told(call).reason == reason


@MANNERS
def test_it_does_not_take_the_grace_of_a_server_that_stops(total: int | None) -> None:
    with serving() as server:
        call = stuck(server, total)
        assert server.drain(grace=10 * PATIENCE).result(PATIENCE)
        # The reason would have come behind what was not read.
        assert told(call).code is grpc.StatusCode.UNAVAILABLE


def test_one_that_reads_slowly_is_let_go_on() -> None:
    with serving(idle_timeout_seconds=1.0) as server:
        call, sent = counted(server, None)
        heard = 0
        begun = time.monotonic()
        for _ in call:
            time.sleep(0.02)
            heard += 1
            if time.monotonic() - begun > 2.5:
                break
        assert heard > 10
        assert sent[0] < BLOCKS, "the server was never held up"
        call.cancel()
