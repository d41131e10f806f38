"""Filters are swapped in mid-stream: prepared beside it, told before they sound, in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved_vocabulary import Conv, Filter, impulse_response
from tests.server.harness import (
    PATIENCE,
    Conversation,
    Running,
    block,
    create,
    end,
    inline,
    pieces,
    serving,
    start,
    until,
)

RNG = np.random.default_rng(5)
X = RNG.standard_normal((1, 6000)).astype(np.float32)
FIRST, SECOND, THIRD = (
    impulse_response(RNG.standard_normal(n).astype(np.float32)) for n in (700, 90, 650)
)


@pytest.fixture(autouse=True)
def nothing_is_held(server: Running) -> Iterator[None]:
    yield
    admission = server.resources.admission
    until(lambda: (admission.streams_held, admission.bytes_held) == (0, 0))


def swap(filter: Filter | str, **fields: Any) -> pb.StreamConvolveRequest:
    source = pb.FilterSource(name=filter) if isinstance(filter, str) else inline(filter)
    return pb.StreamConvolveRequest(swap=pb.Swap(filter=source, **fields))


def opened(server: Running, **fields: Any) -> Conversation:
    talk = Conversation(server.stub.StreamConvolve)
    talk.say(start(FIRST, X, **fields))
    talk.hear()
    return talk


def samples(*outputs: Any) -> NDArray[np.float32]:
    return np.frombuffer(b"".join(each.data for each in outputs), np.float32)


def test_a_swap_is_told_before_the_first_output_that_it_changes(server: Running) -> None:
    live = engine.stream(FIRST)
    talk = opened(server)
    talk.say(block(0, X[:, :1000]))
    found = [talk.hear()]
    talk.say(swap(SECOND, fade_samples=300))
    told = talk.hear()
    assert (told.at_output, told.filter) == (1000, SECOND.name)
    name = create(server, THIRD).name
    talk.say(
        swap(name, at_output=2001, fade_samples=64, curve=pb.FADE_CURVE_RAISED_COSINE),
        block(1000, X[:, 1000:4000]),
        end(4000),
    )
    told, *outputs, finished = talk.rest()
    assert (told.at_output, told.filter) == (2001, name)
    found += outputs
    expected = [live.push(X[:, :1000])]
    live.swap(SECOND, fade=300)
    live.swap(THIRD, at=2001, fade=64, curve="raised_cosine")
    expected += [live.push(X[:, 1000:4000]), live.flush()]
    np.testing.assert_array_equal(samples(*found), np.concatenate(expected, axis=-1)[0])
    assert finished.total_samples == 4000 + 649


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """No filter is prepared before it is set."""
    opened = threading.Event()
    prepare = engine.Stream.prepare

    def slow(self: engine.Stream, filter: Any) -> Any:
        opened.wait(PATIENCE)
        return prepare(self, filter)

    monkeypatch.setattr(engine.Stream, "prepare", slow)
    return opened


def test_a_stream_goes_on_while_a_filter_is_prepared(
    server: Running, gate: threading.Event
) -> None:
    talk = opened(server)
    talk.say(swap(SECOND))
    for begin in range(0, 5000, 100):
        talk.say(block(begin, X[:, begin : begin + 100]))
        assert talk.hear().input_end == begin + 100
    gate.set()
    assert talk.hear().at_output == 5000
    talk.say(end(5000))
    talk.rest()


def test_a_stream_waits_for_a_filter_whose_position_has_come(
    server: Running, gate: threading.Event
) -> None:
    talk = opened(server)
    talk.say(swap(SECOND, at_output=250))
    for begin in (0, 100):
        talk.say(block(begin, X[:, begin : begin + 100]))
        assert talk.hear().input_end == begin + 100
    heard: list[Any] = []
    talk.say(block(200, X[:, 200:300]), end(300))
    thread = threading.Thread(target=lambda: heard.extend(talk.rest()))
    thread.start()
    time.sleep(0.1)
    assert not heard
    gate.set()
    thread.join(PATIENCE)
    told, *outputs, _ = heard
    assert told.at_output == 250
    assert outputs[0].offset == 200


def test_a_swap_that_the_end_comes_before_does_not_take_place(server: Running) -> None:
    talk = opened(server)
    talk.say(block(0, X[:, :500]), swap(SECOND, at_output=501), end(500))
    heard = talk.rest()
    assert heard[-1].total_samples == 500 + 699
    plain = engine.apply(X[:, :500], FIRST)
    outputs = [each for each in heard if isinstance(each, pb.Output)]
    np.testing.assert_allclose(samples(*outputs), plain[0], atol=1e-4)


@pytest.mark.parametrize("announced", [False, True])
def test_a_stream_in_the_midst_of_swaps_goes_on_elsewhere_bit_for_bit(announced: bool) -> None:
    live = engine.stream(FIRST)
    expected = [live.push(X[:, :1500])]
    live.swap(SECOND, at=1400 + 100, fade=900)
    live.swap(THIRD, at=2900, fade=50, curve="raised_cosine")
    expected += [live.push(X[:, 1500:4000]), live.flush()]
    whole = np.concatenate(expected, axis=-1)[0]
    with serving() as one, serving() as other:
        talk = opened(one)
        talk.say(block(0, X[:, :1500]))
        talk.hear()
        swaps = [
            swap(SECOND, at_output=1500, fade_samples=900).swap,
            swap(THIRD, at_output=2900, fade_samples=50, curve=pb.FADE_CURVE_RAISED_COSINE).swap,
        ]
        talk.say(*(pb.StreamConvolveRequest(swap=each) for each in swaps))
        assert [talk.hear().at_output, talk.hear().at_output] == [1500, 2900]
        talk.say(block(1500, X[:, 1500:2000]))
        last = talk.hear()
        talk.call.cancel()
        received = last.offset + len(last.data) // 4
        again = start(FIRST, X, input_offset=last.retain_from, output_offset=received, swaps=swaps)
        parts = []
        if announced:
            for source in (again.start.filter, *(each.filter for each in again.start.swaps)):
                for layer in source.inline.layers:
                    layer.conv.weight.data = b""
            for number, filter in enumerate((FIRST, SECOND, THIRD)):
                for part in pieces(filter):
                    part.tensor = number
                    parts.append(pb.StreamConvolveRequest(part=part))
        talk = Conversation(other.stub.StreamConvolve)
        begin = last.retain_from
        talk.say(again, *parts, block(begin, X[:, begin:4000]), end(4000))
        outputs = [each for each in talk.rest() if isinstance(each, pb.Output)]
        assert outputs[0].offset == received
        np.testing.assert_array_equal(samples(*outputs), whole[received:])


STEREO = Filter(Conv(np.ones((1, 2, 3), np.float32), padding="full", flip=True))
BAD: dict[str, tuple[pb.StreamConvolveRequest, str, str]] = {
    "no filter": (pb.StreamConvolveRequest(swap=pb.Swap()), "swap.filter", "INVALID_ARGUMENT"),
    "an unknown filter": (swap("filters/" + "0" * 64), "", "FILTER_NOT_FOUND"),
    "a misnamed filter": (swap("filters/x"), "swap.filter.name", "INVALID_ARGUMENT"),
    "other channels": (swap(STEREO), "swap.filter", "INVALID_ARGUMENT"),
    "too long a reach": (
        swap(impulse_response(np.ones(900, np.float32))),
        "swap.filter",
        "INVALID_ARGUMENT",
    ),
    "complex outputs": (
        swap(impulse_response(np.ones(9, np.complex64))),
        "swap.filter",
        "INVALID_ARGUMENT",
    ),
    "a place that is past": (swap(SECOND, at_output=99), "swap.at_output", "INVALID_ARGUMENT"),
    "a negative place": (swap(SECOND, at_output=-1), "swap.at_output", "INVALID_ARGUMENT"),
    "a negative fade": (swap(SECOND, fade_samples=-1), "swap.fade_samples", "INVALID_ARGUMENT"),
    "an unknown curve": (swap(SECOND, curve=9), "swap.curve", "UNKNOWN_FIELD"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_take_over_is_refused(server: Running, name: str) -> None:
    message, field, reason = BAD[name]
    talk = opened(server)
    talk.say(block(0, X[:, :100]))
    talk.hear()
    talk.say(message)
    found = talk.error()
    assert (found.reason, found.field) == (reason, field)


def test_a_start_with_swaps_that_cannot_be_is_refused(server: Running) -> None:
    def refused(**fields: Any) -> Any:
        talk = Conversation(server.stub.StreamConvolve)
        talk.say(start(FIRST, X, **fields))
        return talk.error()

    good = swap(SECOND, at_output=10).swap
    assert refused(swaps=[good, swap(STEREO, at_output=20).swap]).field == "start.swaps[1].filter"
    early = refused(swaps=[good, swap(THIRD, at_output=9).swap])
    assert early.field == "start.swaps[1].at_output"
    assert refused(swaps=[swap(SECOND).swap]).field == "start.swaps[0].at_output"
    assert refused(swaps=[good] * 65).field == "start.swaps"
    assert refused(total_samples=50, swaps=[good]).reason == "FAILED_PRECONDITION"
    assert refused(history_samples=-1).field == "start.history_samples"
    assert refused(history_samples=1 << 38).reason == "TOO_LARGE"


def test_a_whole_signal_does_not_swap(server: Running) -> None:
    talk = opened(server, total_samples=6000)
    talk.say(swap(SECOND))
    assert talk.error().reason == "FAILED_PRECONDITION"


def test_swaps_that_wait_are_bounded(server: Running) -> None:
    talk = opened(server)
    for number in range(64):
        talk.say(swap(SECOND, at_output=1000 + number))
        talk.hear()
    talk.say(swap(SECOND, at_output=2000))
    assert talk.error().reason == "FAILED_PRECONDITION"


def test_what_followed_filters_held_comes_back(server: Running) -> None:
    talk = opened(server)
    begin, held = 0, []
    for _ in range(6):
        talk.say(swap(SECOND))
        talk.hear()
        for _ in range(2):
            talk.say(block(begin, X[:, begin : begin + 100]))
            begin = talk.hear().input_end
        held.append(server.resources.admission.bytes_held)
    assert max(held[2:]) <= held[1]
    talk.call.cancel()


def test_leaving_while_a_filter_is_prepared_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(engine.Stream, "prepare", lambda *_: gate.wait(PATIENCE))
    with serving() as server:
        talk = opened(server)
        talk.say(swap(SECOND))
        until(lambda: server.resources.compute.working)
        drained = server.drain(10 * PATIENCE)
        time.sleep(0.05)
        gate.set()
        assert talk.error().reason == "DRAINING"
        assert drained.result(PATIENCE)
        assert server.resources.admission.bytes_held == 0
