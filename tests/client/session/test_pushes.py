"""Pushes that do not wait for each other: each has its own outputs, however they come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved.session.live import LiveSession
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.framing import OutputFrame
from convolved_vocabulary import Conv, Filter, Internal, impulse_response
from tests.client.fake import Honest, Peer
from tests.client.perform import exchanged, opened

RNG = np.random.default_rng(11)


def noise(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(size=shape).astype(np.float32)


FILTERS = {
    "impulse response": impulse_response(noise(31)),
    "delayed": Filter(Conv(noise(2, 2, 9), padding="same")),
    "strided": Filter(Conv(noise(3, 2, 4), stride=3, dilation=2, padding=(1, 5))),
}


def one_by_one(filter: Filter, cuts: list[NDArray[np.float32]]) -> list[NDArray[Any]]:
    """The outputs of pushes that are each answered before the next."""
    live, peer = opened(filter), Peer(Honest())
    for message in exchanged(peer, live.opening()):
        live.receive(message)
    found = []
    for cut in [*cuts, None]:
        for message in exchanged(peer, live.flush() if cut is None else live.push(cut)):
            live.receive(message)
        found.append(live.take())
    return found


@pytest.mark.parametrize("kind", FILTERS)
@settings(max_examples=60)
@given(st.data())
def test_each_has_the_outputs_that_it_would_have_had_alone_whatever_is_lost(
    kind: str, data: st.DataObject
) -> None:
    filter = FILTERS[kind]
    sizes = data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=10))
    cuts = [noise(2, size) for size in (*sizes, 20)]
    expected = one_by_one(filter, cuts)
    server, live = Honest(), opened(filter)
    peer = Peer(server)
    waiting = list(exchanged(peer, live.opening()))
    left: list[NDArray[np.float32] | None] = [*cuts, None]
    found: list[NDArray[Any]] = []
    live.receive(waiting.pop(0))
    acts = data.draw(st.text("psrl", max_size=30))
    # However it went until then, in the end everything is pushed, answered and taken.
    for act in acts + "p" * len(left) + "l" + "s" * 100 + "r":
        if act == "p" and left:
            cut = left.pop(0)
            waiting += exchanged(peer, live.flush() if cut is None else live.push(cut))
        elif act == "s" and waiting:
            assert live.receive(waiting.pop(0)) == (not live.awaiting)
        elif act == "l":
            # What was on its way to us is gone.
            peer = Peer(server)
            waiting = list(exchanged(peer, live.opening()))
            assert live.receive(waiting.pop(0)) == (not live.awaiting)
        while act == "r" and live.complete:
            found.append(live.take())
    assert not left
    assert not live.awaiting
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def started(pushes: int) -> LiveSession:
    """A session with pushes of four samples on their way, through a filter that delays nothing."""
    live = opened(impulse_response(noise(4)), channels=1)
    live.receive(
        pb.StreamConvolveResponse(
            started=pb.Started(data_type=pb.DATA_TYPE_FLOAT32, frame_shape=[1])
        )
    )
    for _ in range(pushes):
        list(live.push(noise(1, 4)))
    return live


def outputs(begin: int, end: int) -> NDArray[np.float32]:
    return np.arange(begin, end, dtype=np.float32)


def test_one_answer_may_be_for_several_and_one_push_have_several_outputs() -> None:
    live = started(4)
    assert not live.receive(OutputFrame(0, outputs(0, 2).tobytes(), more=True))
    assert not live.receive(OutputFrame(2, outputs(2, 11).tobytes(), more=True))
    # All its outputs are there, but not yet the answer that tells what may be forgotten.
    assert live.complete == 0
    assert not live.receive(OutputFrame(11, outputs(11, 12).tobytes(), input_end=12, retain_from=9))
    assert (live.complete, live.in_flight) == (3, 1)
    assert [live.take().tolist() for _ in range(3)] == outputs(0, 12).reshape(3, 1, 4).tolist()
    assert live.receive(OutputFrame(12, outputs(12, 16).tobytes(), input_end=16, retain_from=13))
    assert live.take().tolist() == [[12, 13, 14, 15]]


def test_an_empty_push_waits_for_its_turn_and_for_nothing_else() -> None:
    live = started(1)
    assert list(live.push(noise(1, 0))) == []
    assert live.complete == 0
    assert live.receive(OutputFrame(0, outputs(0, 4).tobytes(), input_end=4))
    assert [live.take().shape for _ in range(2)] == [(1, 4), (1, 0)]
    assert list(live.push(noise(1, 0))) == []
    assert live.take().shape == (1, 0)


@pytest.mark.parametrize(
    ("first", "last", "input_end", "sentence"),
    [
        (0, 9, 8, "outputs 0 to 9, where 0 to 8 were due"),
        (0, 6, 8, "answered with 2 outputs, where 4 were due"),
    ],
)
def test_a_server_that_cuts_them_wrongly_is_found_out(
    first: int, last: int, input_end: int, sentence: str
) -> None:
    live = started(2)
    with pytest.raises(Internal, match=sentence):
        live.receive(OutputFrame(first, outputs(first, last).tobytes(), input_end=input_end))
