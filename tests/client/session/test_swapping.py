"""Filters take over from one another in a live stream, whatever becomes of its calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved.session.calls import Session
from convolved.session.live import LiveSession
from convolved.session.sources import Source
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.framing import OutputFrame
from convolved.wire.swaps import When
from convolved_engine import stream
from convolved_vocabulary import (
    Conv,
    FailedPrecondition,
    Filter,
    Internal,
    InvalidArgument,
    NotFound,
    impulse_response,
)
from tests.client.fake import Honest, Peer
from tests.client.perform import exchanged, opened, perform

RNG = np.random.default_rng(11)


def noise(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(size=shape).astype(np.float32)


FAMILIES: dict[str, list[Filter]] = {
    "short": [impulse_response(noise(n)) for n in (31, 9, 24)],
    "long": [impulse_response(noise(n)) for n in (700, 350, 699)],
    "delayed": [Filter(Conv(noise(2, 2, 9), padding="same")) for _ in range(3)],
    "strided": [Filter(Conv(noise(3, 2, n), stride=3, padding=(n - 1, 0))) for n in (9, 4, 6)],
    "mirrored": [Filter(Conv(noise(2, 2, 5), padding=2, boundary="reflect")) for _ in range(3)],
}


def talk(live: LiveSession, peer: Peer, requests: Iterator[Any]) -> None:
    """Send requests and feed the answers, of which the last completes what is awaited."""
    assert [live.receive(message) for message in exchanged(peer, requests)][-1]
    assert not live.awaiting


@dataclass(frozen=True)
class Step:
    """What is done to a stream: a push up to an input, or a swap."""

    until: int = 0
    number: int = 0
    later: int | None = None
    fade: int = 0
    curve: str = "linear"
    lost: bool = False


PUSHES = st.builds(Step, until=st.integers(1, 200), lost=st.booleans())
SWAPS = st.builds(
    Step,
    number=st.integers(0, 2),
    later=st.none() | st.integers(0, 150),
    fade=st.integers(0, 90),
    curve=st.sampled_from(["linear", "raised_cosine"]),
    lost=st.booleans(),
)


@pytest.mark.parametrize("kind", FAMILIES)
@settings(max_examples=60)
@given(st.lists(PUSHES | SWAPS, min_size=2, max_size=12), st.booleans())
def test_swaps_are_those_of_the_engine_also_where_calls_are_lost(
    kind: str, steps: list[Step], registered: bool
) -> None:
    filters = FAMILIES[kind]
    x = noise(2, sum(step.until for step in steps) + 1)
    live, server = opened(filters[0]), Honest()
    server.filters = {filter.name: filter for filter in filters}
    engine = stream(filters[0], channels=2, block=64)
    peer = Peer(server)
    talk(live, peer, live.opening())

    def same(requests: Iterator[Any], expected: Any, lost: bool) -> None:
        nonlocal peer
        if lost:
            list(requests)
            peer = Peer(server)
            talk(live, peer, live.opening())
        else:
            talk(live, peer, requests)
        if isinstance(expected, int):
            assert live.filters.confirmed == expected
        else:
            np.testing.assert_array_equal(live.take(), expected)
        if live.ended:
            return
        assert [(each.at, each.end) for each in live.filters.swaps if each.end > live.outputs] == [
            (each.at, each.end) for each in engine.swaps if each.end > engine.outputs
        ]

    at = 0
    for step in steps:
        if step.until:
            block = x[:, at : at + step.until]
            at += step.until
            same(live.push(block), engine.push(block), step.lost)
            continue
        filter = filters[step.number]
        source = Source(filter, filter.name if registered else None)
        free = engine.swaps[-1].end if engine.swaps else 0
        begin = None if step.later is None else max(engine.outputs, free) + step.later
        when = When(begin, step.fade, step.curve)
        requests = live.swap(source, when)
        same(requests, engine.swap(filter, at=begin, fade=step.fade, curve=step.curve), step.lost)
    same(live.flush(), engine.flush(), steps[0].lost)
    assert live.outputs == engine.outputs


def test_filters_that_are_too_large_for_a_message_follow_the_start_in_parts() -> None:
    first, second = impulse_response(noise(200_000)), impulse_response(noise(190_000))
    live, server = opened(first, channels=1), Honest()
    talk(live, Peer(server), live.opening())
    list(live.swap(Source(second), When(0, 10)))
    live.receive(pb.StreamConvolveResponse(swapped=pb.Swapped(at_output=0)))
    peer = Peer(server)
    talk(live, peer, live.opening())
    talk(live, peer, live.push(noise(1, 100)))
    assert live.take().shape == (1, 100)


def test_a_filter_that_no_message_holds_is_registered_for_a_swap() -> None:
    server = Honest()
    large = impulse_response(np.zeros(1_100_000, np.float32))
    source = perform(Session().successor(large), server)
    assert source.name == large.name
    assert server.calls == ["CreateFilter"]
    assert perform(Session().successor([1.0]), server).name is None


def test_a_server_that_lacks_the_filters_of_a_stream_is_given_them_again() -> None:
    first, second, third = (impulse_response(noise(9)) for _ in range(3))
    live, server = opened(first, channels=1), Honest()
    live._source = Source(first, first.name)
    live.reset()
    server.filters = {filter.name: filter for filter in (first, second, third)}
    peer = Peer(server)
    talk(live, peer, live.opening())
    talk(live, peer, live.push(noise(1, 20)))
    live.take()
    talk(live, peer, live.swap(Source(second, second.name), When(30, 10)))
    list(live.swap(Source(third, third.name), When(None)))
    other = Honest()
    perform(Session().open(live), other)
    assert live.filters.confirmed == 40
    assert set(other.filters) == {first.name, second.name, third.name}
    assert other.calls.count("CreateFilter") == 3


def test_a_name_alone_does_not_bring_a_filter_back() -> None:
    first, second = (impulse_response(noise(9)) for _ in range(2))
    live = opened(first, channels=1)
    list(live.swap(Source(second, second.name, has_weights=False), When(None)))
    with pytest.raises(NotFound, match="a name alone does not bring it back"):
        perform(Session().open(live), Honest())


def swapping() -> LiveSession:
    live = opened(impulse_response(noise(4)), channels=1)
    started = pb.Started(data_type=pb.DATA_TYPE_FLOAT32, frame_shape=[1], block_samples=256)
    live.receive(pb.StreamConvolveResponse(started=started))
    return live


NEW = Source(impulse_response(noise(3)))


def swapped(at: int) -> pb.StreamConvolveResponse:
    return pb.StreamConvolveResponse(swapped=pb.Swapped(at_output=at))


def test_what_was_refused_is_not_asked_for_again() -> None:
    live = swapping()
    assert len(list(live.swap(NEW, When(None)))) == 1
    assert live.awaiting
    live.forgo()
    assert not live.awaiting
    assert len(list(live.opening())) == 1


def test_a_server_that_swaps_what_nobody_asked_for_is_found_out() -> None:
    with pytest.raises(Internal, match="at output 7, for which nobody asked"):
        swapping().receive(swapped(7))
    live = swapping()
    live.swap(NEW, When(5))
    with pytest.raises(Internal, match="at output 7, where 5 was asked for"):
        live.receive(swapped(7))


def test_a_swap_that_cannot_be_is_refused_before_anything_is_sent() -> None:
    live = swapping()
    list(live.push(np.zeros(4, np.float32)))
    live.receive(OutputFrame(0, b"\0" * 16, input_end=4))
    live.take()
    wanted = "want at least 4, after the outputs given and the fades of earlier swaps"
    with pytest.raises(InvalidArgument, match=f"at: got 3; {wanted}"):
        live.swap(NEW, When(3))
    list(live.swap(NEW, When(10, 6)))
    live.receive(swapped(10))
    with pytest.raises(InvalidArgument, match="at: got 15; want at least 16"):
        live.swap(NEW, When(15))
    with pytest.raises(InvalidArgument, match="outputs of complex64; want float32, as the present"):
        live.swap(Source(impulse_response(1j * noise(3))), When(None))
    with pytest.raises(InvalidArgument, match=r"curve: got 'round'; want 'linear' or"):
        live.swap(NEW, When(None, curve="round"))
    with pytest.raises(InvalidArgument, match="reaches 90 samples back; want at most 4, or"):
        live.swap(Source(impulse_response(noise(90))), When(None))
    list(live.flush())
    with pytest.raises(FailedPrecondition, match="has ended: swap after flush; reset"):
        live.swap(NEW, When(None))


def test_a_filter_may_reach_as_far_back_as_the_history() -> None:
    live, server = opened(impulse_response(noise(4)), channels=1, history=90), Honest()
    peer = Peer(server)
    talk(live, peer, live.opening())
    x = noise(1, 300)
    talk(live, peer, live.push(x[:, :200]))
    assert live.retain_from <= 111
    live.take()
    taps = noise(90)
    talk(live, peer, live.swap(Source(impulse_response(taps)), When(None)))
    talk(live, Peer(server), live.opening())
    peer = Peer(server)
    talk(live, peer, live.opening())
    talk(live, peer, live.push(x[:, 200:]))
    expected = np.convolve(x[0].astype(np.float64), taps.astype(np.float64))[200:300]
    np.testing.assert_allclose(live.take()[0], expected, atol=1e-4)


def test_reset_goes_back_to_the_first_filter() -> None:
    live, server = opened(impulse_response(noise(4)), channels=1), Honest()
    first = live.filters.present
    peer = Peer(server)
    talk(live, peer, live.opening())
    talk(live, peer, live.swap(NEW, When(None)))
    talk(live, peer, live.push(noise(1, 9)))
    assert live.filters.present is NEW
    live.reset()
    assert live.filters.present is first
