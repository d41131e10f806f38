"""Blocks that are as expected take the short way: the same bytes, the same checks, the same law."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convolved.wire.framing import BlockFrame, OutputFrame, serialize
from convolved_engine import apply
from convolved_server.compute import Pool
from convolved_server.streams.pace import Pace
from convolved_server.streams.session import Session
from convolved_server.streams.usual import UsualBlock, UsualOutput, varint
from convolved_vocabulary import Conv, Filter, impulse_response
from tests.server.harness import Conversation, Running, block, end, start

POSITIONS = st.integers(0, 6).flatmap(lambda n: st.integers(0, 1 << 10 * n))


@given(st.integers(1, 1 << 62), st.integers(1, 40_000), st.integers(1, 5000))
@example(1, 127, 1)
def test_an_expected_block_begins_as_it_is_serialized(offset: int, nbytes: int, step: int) -> None:
    data = bytes(nbytes)
    usual = UsualBlock(nbytes, 1, offset)
    assert usual.head + data == serialize(BlockFrame(offset, data))
    usual.expect(varint(offset + step))
    assert usual.head + data == serialize(BlockFrame(offset + step, data))


SIZES = st.sampled_from([0, 1, 100, 40_000])
OUTPUTS = st.tuples(POSITIONS, POSITIONS.filter(bool), POSITIONS | st.just(9), SIZES)


@given(st.lists(OUTPUTS, max_size=9))
def test_outputs_are_serialized_as_ever_whichever_came_before(
    outputs: list[tuple[int, int, int, int]],
) -> None:
    usual = UsualOutput()
    for offset, input_end, retain_from, nbytes in outputs:
        data = bytes(nbytes)
        begin = varint(offset) if offset else b""
        found = usual.head(begin, varint(input_end), retain_from, nbytes) + data
        assert found == serialize(OutputFrame(offset, data, False, input_end, retain_from))


FILTERS = {
    "a short filter": impulse_response(np.hanning(31).astype(np.float32)),
    "a late one": Filter(Conv(np.hanning(9).astype(np.float32)[None, None], padding="same")),
    "one that starts late": Filter(Conv(np.ones((1, 1, 700), np.float32))),
    "a strided one": Filter(Conv(np.ones((1, 1, 5), np.float32), stride=7)),
}


@pytest.mark.parametrize("name", FILTERS)
def test_usual_blocks_and_others_are_answered_alike(
    server: Running, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    taken: list[bool] = []
    answer = Session.answer

    def counted(self: Session, raw: bytes) -> list[bytes] | None:
        found = answer(self, raw)
        taken.append(found is not None)
        return found

    monkeypatch.setattr(Session, "answer", counted)
    # However busy this machine is, and however slow with it.
    monkeypatch.setattr(Pool, "lets_run", lambda *_: True)
    monkeypatch.setattr(Pace, "predict", lambda *_: 1e-6)
    filter = FILTERS[name]
    x = np.random.default_rng(3).standard_normal((1, 4000)).astype(np.float32)
    cuts = [0, *range(64, 2000, 64), 2001, 2002, *range(2102, 3600, 128), 4000]
    talk = Conversation(server.stub.StreamConvolve)
    talk.say(start(filter, x))
    talk.hear()
    found: list[Any] = []
    for begin, stop in pairwise(cuts):
        talk.say(block(begin, x[:, begin:stop]))
        heard = talk.hear()
        assert (heard.input_end, heard.more) == (stop, False)
        assert heard.offset == sum(part.size for part in found)
        assert heard.offset + len(heard.data) // 4 == filter.ready(stop)
        assert heard.retain_from <= stop
        found.append(np.frombuffer(heard.data, np.float32))
    talk.say(end(4000))
    *rest, finished = talk.rest()
    found += [np.frombuffer(each.data, np.float32) for each in rest]
    assert taken.count(True) > 30
    assert finished.statistics.blocks == len(cuts) - 1
    np.testing.assert_allclose(np.concatenate(found), apply(x, filter)[0], rtol=2e-4, atol=2e-4)


def test_a_block_that_looks_usual_but_lies_elsewhere_is_refused(server: Running) -> None:
    x = np.ones((1, 64), np.float32)
    talk = Conversation(server.stub.StreamConvolve)
    talk.say(start(FILTERS["a short filter"], x))
    talk.hear()
    for begin in range(0, 6400, 64):
        talk.say(block(begin, x))
        talk.hear()
    talk.say(block(6399, x))
    failure: Any = talk.error()
    assert failure.reason == "OUT_OF_SEQUENCE"
    assert failure.field == "block.offset"
