"""`stream.map`: what push by push gives, sent ahead, bounded, in order, whatever goes wrong."""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convolved import (
    AsyncClient,
    Client,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    Stream,
    Unavailable,
    impulse_response,
)
from convolved.wire.framing import BlockFrame
from tests.client.fake import Honest, serving
from tests.server.harness import until

RNG = np.random.default_rng(9)
IR = impulse_response(RNG.standard_normal(200).astype(np.float32))
SIZES = [64, 1, 0, 500, 64, 0, 64, 3000, 17, *[64] * 40]
BLOCKS = [RNG.standard_normal((1, size)).astype(np.float32) for size in SIZES]

Outputs = list[NDArray[Any]]


def by_sync(address: Any, blocks: Iterable[Any], *, ahead: int = 64, **named: Any) -> Outputs:
    with Client(address, **named) as client, client.stream(IR, block=64) as live:
        return list(live.map(blocks, ahead=ahead))


def by_asyncio(address: Any, blocks: Iterable[Any], *, ahead: int = 64, **named: Any) -> Outputs:
    async def run() -> Outputs:
        async with (
            AsyncClient(address, **named) as client,
            await client.stream(IR, block=64) as live,
        ):
            return [output async for output in live.map(blocks, ahead=ahead)]

    return asyncio.run(run())


def by_asyncio_of_a_generator(address: Any, blocks: Iterable[Any], **named: Any) -> Outputs:
    async def run() -> Outputs:
        async def given() -> AsyncIterator[Any]:
            for block in blocks:
                await asyncio.sleep(0)
                yield block

        async with AsyncClient(address) as client, await client.stream(IR, block=64) as live:
            return [output async for output in live.map(given(), **named)]

    return asyncio.run(run())


WAYS: dict[str, Callable[..., Outputs]] = {"sync": by_sync, "asyncio": by_asyncio}
each_way = pytest.mark.parametrize("mapped", WAYS.values(), ids=WAYS)


@pytest.fixture(scope="module")
def expected() -> Outputs:
    """The outputs of push by push."""
    with serving(Honest().handlers()) as address, Client(address) as client:
        return pushed(client, BLOCKS)


def pushed(client: Client, blocks: Iterable[Any]) -> Outputs:
    with client.stream(IR, block=64) as live:
        return [*map(live.push, blocks), live.flush()]


def same(found: Outputs, expected: Outputs) -> None:
    assert [output.shape for output in found] == [output.shape for output in expected]
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@contextmanager
def answering(server: Honest) -> Iterator[str]:
    with serving(server.handlers()) as address:
        yield address


@contextmanager
def streaming(**named: Any) -> Iterator[Stream]:
    """A stream of the sync client to an honest server."""
    with (
        answering(Honest()) as address,
        Client(address, **named) as client,
        client.stream(IR, block=64) as live,
    ):
        yield live


@pytest.mark.parametrize("mapped", [*WAYS.values(), by_asyncio_of_a_generator])
@pytest.mark.parametrize("ahead", [1, 2, 64])
def test_each_block_has_the_output_of_its_push_and_the_tail_comes_last(
    mapped: Callable[..., Outputs], ahead: int, expected: Outputs
) -> None:
    with answering(Honest()) as address:
        same(mapped(address, iter(BLOCKS), ahead=ahead), expected)


@each_way
def test_the_real_server_gives_the_same_to_the_bit(
    mapped: Callable[..., Outputs], address: str, client: Client
) -> None:
    same(mapped(address, BLOCKS), pushed(client, BLOCKS))


@each_way
def test_no_blocks_have_the_tail_alone_and_blocks_without_their_axis_outputs_without_it(
    mapped: Callable[..., Outputs],
) -> None:
    with answering(Honest()) as address:
        assert [output.shape for output in mapped(address, [])] == [(1, 0)]
        shapes = [output.shape for output in mapped(address, [BLOCKS[0][0], BLOCKS[0]])]
        assert shapes == [(64,), (1, 64), (1, 199)]


class Withholding(Honest):
    """Answers nothing before so many blocks have come."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.blocks = blocks

    def stream(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        def gathered() -> Iterator[Any]:
            yield next(requests)
            yield from list(itertools.islice(requests, self.blocks))
            yield from requests

        return super().stream(gathered(), context)


@each_way
def test_blocks_are_sent_before_the_answers_to_earlier_ones_are_there(
    mapped: Callable[..., Outputs],
) -> None:
    blocks = [BLOCKS[0]] * 30
    with answering(Withholding(20)) as address:
        assert len(mapped(address, blocks, timeout=60)) == 31
        with pytest.raises(DeadlineExceeded, match=r"did not answer within 0\.3 s"):
            mapped(address, blocks, ahead=19, timeout=0.3)


class Losing(Honest):
    """Ends calls after so many messages of each."""

    def __init__(self, *after: int) -> None:
        super().__init__()
        self.after = list(after)

    def stream(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        end = self.after.pop(0) if self.after else None
        yield from itertools.islice(super().stream(requests, context), end)
        if end is not None:
            raise Unavailable("gone")


@each_way
@pytest.mark.parametrize("after", [[2], [1, 5, 1, 9, 3], [20], [len(SIZES) - 1, 1]])
def test_what_is_on_its_way_when_a_call_is_lost_comes_all_the_same(
    mapped: Callable[..., Outputs], after: list[int], expected: Outputs
) -> None:
    server = Losing(*after)
    with answering(server) as address:
        same(mapped(address, BLOCKS), expected)
    assert server.calls == ["StreamConvolve"] * (len(after) + 1)


@each_way
def test_a_source_may_fill_the_same_array_again(
    mapped: Callable[..., Outputs], expected: Outputs
) -> None:
    def refilled() -> Iterator[NDArray[np.float32]]:
        array = np.empty((1, 4000), np.float32)
        for block in BLOCKS:
            array[:, : block.shape[1]] = block
            yield array[:, : block.shape[1]]
            array[:] = np.nan

    with answering(Losing(9)) as address:
        same(mapped(address, refilled()), expected)


@each_way
@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (np.zeros((3, 5), np.float32), InvalidArgument),
        (np.zeros((1, 5)), InvalidArgument),
        ("no block", InvalidArgument),
        (ZeroDivisionError(), ZeroDivisionError),
    ],
)
def test_errors_are_raised_where_the_output_would_have_been(
    mapped: Callable[..., Outputs], bad: Any, error: type[Exception], expected: Outputs
) -> None:
    def blocks() -> Iterator[Any]:
        yield from BLOCKS[:7]
        if isinstance(bad, Exception):
            raise bad
        yield bad

    found: Outputs = []
    with answering(Honest()) as address, Client(address) as client:
        with client.stream(IR, block=64) as live:
            outputs = live.map(blocks())
            found += [next(outputs) for _ in range(7)]
            with pytest.raises(error):
                next(outputs)
            with pytest.raises(FailedPrecondition, match="reset"):
                live.push(BLOCKS[0])
        with pytest.raises(error):
            mapped(address, blocks())
    same(found, expected[:7])


def endless(drawn: list[int]) -> Iterator[NDArray[np.float32]]:
    for index in itertools.count():
        drawn.append(index)
        yield BLOCKS[0]


def test_a_source_that_never_ends_is_drawn_as_needed_and_left_behind() -> None:
    drawn: list[int] = []
    with streaming() as live:
        for taken, _ in enumerate(live.map(endless(drawn), ahead=8), 1):
            assert len(drawn) <= taken + 8
            if taken == 50:
                # A caller that is slow is no reason to draw on.
                time.sleep(0.05)
                break
        assert len(drawn) <= 58
        with pytest.raises(FailedPrecondition, match="its map was left before the end"):
            live.push(BLOCKS[0])
        live.reset()
        assert live.push(BLOCKS[0]).shape == (1, 64)
    until(lambda: all(each.name != "convolved-inbox" for each in threading.enumerate()))


async def test_asyncio_draws_as_needed_and_leaves_nothing_behind() -> None:
    drawn: list[int] = []
    with answering(Honest()) as address:
        async with AsyncClient(address) as client, await client.stream(IR, block=64) as live:
            taken = 0
            async for _ in live.map(endless(drawn), ahead=8):
                taken += 1
                await asyncio.sleep(0)
                assert len(drawn) <= taken + 8
                if taken == 50:
                    await asyncio.sleep(0.05)
                    break
            assert len(drawn) <= 58
            with pytest.raises(FailedPrecondition):
                await live.push(BLOCKS[0])
            await live.reset()
            assert (await live.push(BLOCKS[0])).shape == (1, 64)
        assert not any("Feed" in str(task.get_coro()) for task in asyncio.all_tasks())


def test_large_blocks_are_bounded_in_bytes() -> None:
    drawn: list[int] = []

    def large() -> Iterator[NDArray[np.float32]]:
        for index in range(12):
            drawn.append(index)
            yield np.zeros((1, 1 << 18), np.float32)

    with (
        answering(Withholding(1000)) as address,
        Client(address, timeout=1.0) as client,
        client.stream(IR, block=64) as live,
        pytest.raises(DeadlineExceeded),
    ):
        next(iter(live.map(large())))
    assert len(drawn) == 4


def test_an_output_that_is_there_waits_for_one_block_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = came = 0

    class Counting(queue.SimpleQueue[Any]):
        def put(self, *given: Any, **more: Any) -> None:
            nonlocal came
            super().put(*given, **more)
            came += 1

    def paced() -> Iterator[NDArray[np.float32]]:
        for index in range(20):
            # Of an answer that is there nobody is told while the source waits.
            until(lambda: came == len(late))
            late.append(index - taken)
            yield BLOCKS[0]

    late: list[int] = []
    counted = SimpleNamespace(SimpleQueue=Counting, Empty=queue.Empty)
    monkeypatch.setattr("convolved.inbox.queue", counted)
    with streaming() as live:
        for _ in live.map(paced()):
            taken += 1
    assert late == [0] + [1] * 19


async def test_by_asyncio_it_waits_for_none() -> None:
    heard = asyncio.Event()

    async def answered() -> AsyncIterator[NDArray[np.float32]]:
        for _ in range(20):
            heard.clear()
            yield BLOCKS[0]
            # The next one does not come before the output of this one has been taken.
            await heard.wait()

    with answering(Honest()) as address:
        async with AsyncClient(address) as client, await client.stream(IR, block=64) as live:
            async with asyncio.timeout(60):
                async for _ in live.map(answered()):
                    heard.set()
            assert live.inputs == 20 * 64


def test_meanwhile_nothing_else_may_be_done_with_the_stream() -> None:
    with streaming() as live:
        with pytest.raises(InvalidArgument, match="ahead: got 0; want an integer of at least 1"):
            live.map(BLOCKS, ahead=0)
        outputs = live.map(BLOCKS)
        next(outputs)
        acts: list[Callable[[], Any]] = [
            lambda: live.push(BLOCKS[0]),
            live.flush,
            lambda: live.map(BLOCKS),
        ]
        for act in acts:
            with pytest.raises(FailedPrecondition, match="is being mapped"):
                act()
        next(outputs)
        live.reset()
        with pytest.raises(FailedPrecondition, match="was reset while it was mapped"):
            list(outputs)
        assert live.push(BLOCKS[0]).shape == (1, 64)
        outputs = live.map(BLOCKS[1:])
        next(outputs)
        live.close()
        with pytest.raises(FailedPrecondition, match="was closed while the stream was mapped"):
            list(outputs)
        with pytest.raises(FailedPrecondition, match="map after close"):
            live.map(BLOCKS)


def test_after_the_end_the_stream_begins_anew(expected: Outputs) -> None:
    with streaming() as live:
        for _ in range(2):
            same(list(live.map(BLOCKS)), expected)
            with pytest.raises(FailedPrecondition, match="push after flush"):
                live.push(BLOCKS[0])
            live.reset()
        # What was pushed before counts, as it does for a push.
        live.push(BLOCKS[0])
        assert live.inputs == 64
        same(list(live.map(BLOCKS[1:])), expected[1:])


def test_blocks_on_their_way_are_read_by_the_server_in_their_order() -> None:
    offsets: list[int] = []

    class Noting(Honest):
        def stream(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
            def noted() -> Iterator[Any]:
                for request in requests:
                    if isinstance(request, BlockFrame):
                        offsets.append(request.offset)
                    yield request

            return super().stream(noted(), context)

    with answering(Noting()) as address:
        by_asyncio(address, BLOCKS)
    assert offsets == sorted(set(offsets))
