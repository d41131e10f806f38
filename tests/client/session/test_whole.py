"""A whole signal goes through in blocks, read where it lies, written where it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved.session.sources import Source
from convolved.session.whole import WholeSession
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.framing import BlockFrame, OutputFrame, PartFrame
from convolved.wire.reasons import TooLarge
from convolved_engine import apply
from convolved_vocabulary import (
    Conv,
    Filter,
    Internal,
    Options,
    Unavailable,
    impulse_response,
)
from tests.client.fake import Honest, Peer
from tests.client.perform import exchanged

RNG = np.random.default_rng(3)


def noise(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(size=shape).astype(np.float32)


def whole(x: NDArray[Any], filter: Filter | None = None, **more: Any) -> WholeSession:
    return WholeSession(Source(filter or impulse_response(noise(5))), x, Options(), None, **more)


def blocks(session: WholeSession) -> list[BlockFrame]:
    return [message for message in session.requests() if isinstance(message, BlockFrame)]


def bytes_sent(session: WholeSession) -> bytes:
    return b"".join(bytes(block.data) for block in blocks(session))


def test_blocks_are_of_a_mebibyte_at_most_and_leave_nothing_out() -> None:
    session = whole(noise(3, 200_000))
    sizes = [(block.offset, len(block.data)) for block in blocks(session)]
    assert sizes == [(0, 1048572), (87381, 1048572), (174762, 12 * (200_000 - 174_762))]


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x,
        lambda x: x[:, ::3],
        lambda x: x[::-1, ::-1],
        lambda x: x.astype(">f4"),
        lambda x: np.asfortranarray(x),
    ],
    ids=["plain", "strided", "reversed", "of foreign byte order", "in Fortran's order"],
)
def test_a_signal_of_any_strides_is_sent_as_if_it_lay_in_order(view: Any) -> None:
    x = view(noise(1, 900_000))
    assert bytes_sent(whole(x)) == np.ascontiguousarray(x, "<f4").tobytes()


def test_a_spectrogram_is_gathered_along_its_last_axis() -> None:
    x = noise(1, 513, 2000)
    filter = Filter(Conv(noise(1, 1, 3, 3), padding="same"))
    session = whole(x, filter)
    for block in blocks(session):
        samples = len(block.data) // (4 * 513)
        sent = np.frombuffer(block.data, np.float32).reshape(1, 513, samples)
        np.testing.assert_array_equal(sent, x[..., block.offset : block.offset + samples])


def test_a_mapped_file_is_read_block_by_block(tmp_path: Any) -> None:
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float64, (2, 200_000))
    mapped[:] = np.arange(400_000).reshape(2, 200_000)
    session = whole(np.asarray(mapped[:, ::2]))
    begin = next(message for message in session.requests() if isinstance(message, BlockFrame))
    sent = np.frombuffer(begin.data, np.float64).reshape(2, -1)
    np.testing.assert_array_equal(sent, mapped[:, : 2 * sent.shape[1] : 2])


def run(session: WholeSession, server: Honest, stop_after: int | None = None) -> None:
    peer = Peer(server)
    for count, message in enumerate(exchanged(peer, session.requests())):
        if count == stop_after:
            return
        session.receive(message)


@given(st.integers(1, 1_500_000), st.lists(st.integers(0, 12), max_size=4))
def test_a_signal_that_loses_its_calls_comes_out_whole_and_the_same(
    length: int, losses: list[int]
) -> None:
    filter = Filter(Conv(np.ones((1, 1, 7), np.float32), stride=2, padding=(3, 9)))
    x = (np.arange(length) % 251).astype(np.float32)[None]
    session, server = whole(x, filter), Honest()
    for loss in losses:
        run(session, server, stop_after=loss)
    if not session.finished:
        run(session, server)
    np.testing.assert_array_equal(session.end(), apply(x, filter))


def test_the_output_is_written_where_it_is_asked_for() -> None:
    x, filter = noise(1, 1000), impulse_response(noise(5))
    target = np.empty((1, 1004), np.float32)
    session = whole(x, filter, allocate=lambda *_: target)
    run(session, Honest())
    assert session.end() is target
    np.testing.assert_allclose(target, apply(x, filter), atol=1e-5)


def test_progress_is_told_in_output_samples() -> None:
    told: list[tuple[int, int]] = []
    session = whole(noise(1, 700_000), progress=lambda done, total: told.append((done, total)))
    run(session, Honest())
    assert told == sorted(told)
    assert told[-1] == (700_004, 700_004)


def test_a_large_filter_goes_along_in_parts() -> None:
    filter = impulse_response(noise(300_000))
    x = noise(1, 10)
    session = whole(x, filter)
    messages = list(session.requests())
    parts = [message for message in messages if isinstance(message, PartFrame)]
    assert [len(part.data) for part in parts] == [1 << 20, 1_200_000 - (1 << 20)]
    run(session, Honest())
    np.testing.assert_allclose(session.end(), apply(x, filter), atol=1e-4)


def test_a_signal_that_cannot_be_read_ends_the_messages_and_says_why() -> None:
    class Broken(np.ndarray[Any, Any]):
        def __getitem__(self, key: Any) -> Any:
            raise OSError("the disk is gone")

    session = whole(noise(1, 10).view(Broken))
    sent = list(session.requests())
    assert not any(isinstance(message, BlockFrame) for message in sent)
    with pytest.raises(OSError, match="the disk is gone"):
        session.end()
    assert isinstance(session.failed(Unavailable("stopped")), OSError)


def test_a_sample_that_no_message_holds_is_refused() -> None:
    with pytest.raises(TooLarge, match="put fewer channels or a shorter axis beside time"):
        whole(noise(300_000, 2))


def started(session: WholeSession, total: int = 14) -> WholeSession:
    response = pb.Started(data_type=pb.DATA_TYPE_FLOAT32, frame_shape=[1], total_samples=total)
    session.receive(pb.StreamConvolveResponse(started=response))
    return session


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (OutputFrame(1, b"\0" * 4), "sent outputs 1 to 2 of 14, where 0 was next"),
        (OutputFrame(0, b"\0" * 60), "sent outputs 0 to 15 of 14, where 0 was next"),
        (OutputFrame(0, b"\0" * 3), "sent 3 bytes of output, where one sample has 4"),
        (
            pb.StreamConvolveResponse(finished=pb.Finished(total_samples=14)),
            "finished at 14 outputs; 0 of 14 had come",
        ),
    ],
)
def test_a_server_that_breaks_the_contract_is_found_out(message: Any, sentence: str) -> None:
    session = started(whole(noise(1, 10)))
    with pytest.raises(Internal, match=sentence):
        session.receive(message)


def test_output_before_the_start_is_found_out() -> None:
    with pytest.raises(Internal, match="before it had started"):
        whole(noise(1, 10)).receive(OutputFrame(0, b"\0" * 4))


def test_a_call_that_ends_well_without_finished_was_lost() -> None:
    session = started(whole(noise(1, 10)))
    with pytest.raises(Unavailable, match="ended the stream before its last output"):
        session.end()


def drawn(messages: Iterator[Any]) -> pb.Start:
    first: pb.StreamConvolveRequest = next(messages)
    return first.start


def test_the_start_of_a_resumed_signal_says_where_it_stands() -> None:
    session = started(whole(noise(1, 10)))
    session.receive(OutputFrame(0, b"\0" * 24, input_end=6, retain_from=2))
    start = drawn(session.requests())
    assert (start.input_offset, start.output_offset, start.total_samples) == (2, 6, 10)
    assert [block.offset for block in blocks(session)] == [2]
