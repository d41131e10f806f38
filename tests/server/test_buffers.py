"""What waits between a client and the computing: in order, bounded in bytes, never stuck."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from convolved.wire.framing import BlockFrame, parse_request, serialize
from convolved_server.calls import Call
from convolved_server.compute import Pool
from convolved_server.incoming import Incoming
from convolved_server.outgoing import Outgoing
from convolved_vocabulary import InvalidArgument
from tests.server.harness import PATIENCE


class Wire:
    """The transport's side of a call: what is said comes in, what is written goes out."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Any] = asyncio.Queue()
        self.reads = 0
        self.written: list[bytes] = []
        self.reader_is_there = asyncio.Event()
        self.reader_is_there.set()

    def say(self, *offsets: int) -> None:
        for offset in offsets:
            self.said.put_nowait(serialize(BlockFrame(offset, bytes(100))))

    async def read(self) -> Any:
        self.reads += 1
        return await self.said.get()

    async def write(self, message: bytes) -> None:
        await self.reader_is_there.wait()
        self.written.append(message)


@pytest.fixture
def desk() -> Iterator[Pool]:
    pool = Pool("test", 1)
    yield pool
    pool.close()


def incoming(wire: Any, desk: Pool, idle_timeout: float = 0.0) -> Incoming:
    return Incoming(Call("Test", wire), parse_request, desk, idle_timeout)


async def offset(messages: Incoming) -> int:
    message = await messages.take()
    assert isinstance(message, BlockFrame)
    return message.offset


async def test_messages_are_read_only_when_asked_for(desk: Pool) -> None:
    wire = Wire()
    wire.say(0, 1, 2)
    async with incoming(wire, desk) as messages:
        assert await offset(messages) == 0
        await asyncio.sleep(0.01)
        assert wire.reads == 1
        assert messages.waiting() is None
        assert await offset(messages) == 1


async def test_reading_ahead_stops_at_the_limit_and_goes_on_when_there_is_room(desk: Pool) -> None:
    wire = Wire()
    wire.say(*range(40))
    async with incoming(wire, desk) as messages:
        messages.limit = 1000
        messages.read_ahead()
        await asyncio.sleep(0.01)
        ahead = wire.reads
        assert 8 <= ahead <= 11
        assert [await offset(messages) for _ in range(6)] == list(range(6))
        await asyncio.sleep(0.01)
        assert ahead < wire.reads <= ahead + 7
        assert [await offset(messages) for _ in range(34)] == list(range(6, 40))


async def test_reading_ahead_ends_when_the_caller_waits(desk: Pool) -> None:
    wire = Wire()
    async with incoming(wire, desk) as messages:
        messages.limit = 1000
        messages.read_ahead()
        waiting = asyncio.create_task(offset(messages))
        await asyncio.sleep(0.01)
        wire.say(0, 1, 2)
        assert await waiting == 0
        await asyncio.sleep(0.01)
        assert wire.reads == 1
        assert await offset(messages) == 1


@pytest.mark.parametrize("limit", [0, 1000])
async def test_a_caller_who_waits_at_once_after_asking_to_read_ahead_is_served(
    desk: Pool, limit: int
) -> None:
    wire = Wire()
    wire.say(7)
    async with asyncio.timeout(PATIENCE), incoming(wire, desk) as messages:
        messages.limit = limit
        messages.read_ahead()
        assert await offset(messages) == 7


@pytest.mark.parametrize("ahead", [False, True])
async def test_the_end_and_errors_come_in_their_turn(desk: Pool, ahead: bool) -> None:
    wire = Wire()
    wire.say(0)
    wire.said.put_nowait(grpc.aio.EOF)
    async with incoming(wire, desk) as messages:
        messages.limit = 1000
        if ahead:
            messages.read_ahead()
            await asyncio.sleep(0.01)
        assert await offset(messages) == 0
        assert await messages.take(last=True) is None
        assert await messages.take(last=True) is None
    wire.say(0)
    wire.said.put_nowait(b"\x0a\xff")
    async with incoming(wire, desk) as messages:
        messages.limit = 1000
        if ahead:
            messages.read_ahead()
            await asyncio.sleep(0.01)
        assert await offset(messages) == 0
        with pytest.raises(InvalidArgument, match="cannot be parsed"):
            await messages.take()


async def test_leaving_ends_the_reading(desk: Pool) -> None:
    wire = Wire()
    before = len(asyncio.all_tasks())
    async with incoming(wire, desk) as messages:
        messages.limit = 1000
        messages.read_ahead()
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == before + 1
    assert len(asyncio.all_tasks()) == before


async def test_who_queues_waits_only_beyond_the_limit() -> None:
    wire: Any = Wire()
    wire.reader_is_there.clear()
    async with Outgoing(Call("Test", wire)) as messages:
        messages.limit = 250
        async with asyncio.timeout(PATIENCE):
            await messages.queue(bytes(100))
            await messages.queue(bytes(100))
        third = asyncio.create_task(messages.queue(b"3" * 100))
        await asyncio.sleep(0.01)
        assert not third.done()
        wire.reader_is_there.set()
        await third
        await messages.sent()
        assert [len(message) for message in wire.written] == [100, 100, 100]


async def test_what_is_sent_does_not_overtake_what_is_queued() -> None:
    wire: Any = Wire()
    wire.reader_is_there.clear()
    async with Outgoing(Call("Test", wire)) as messages:
        messages.limit = 1000
        await messages.queue(b"first")
        await messages.send(b"second")
        wire.reader_is_there.set()
        await messages.sent()
        await messages.send(b"third")
        assert wire.written == [b"first", b"second", b"third"]


async def test_a_write_that_fails_is_heard_of_by_who_sends_next() -> None:
    class Broken(Wire):
        async def write(self, message: bytes) -> None:
            raise ConnectionError("gone")

    wire: Any = Broken()
    async with Outgoing(Call("Test", wire)) as messages:
        messages.limit = 1000
        await messages.queue(b"first")
        await asyncio.sleep(0.01)
        with pytest.raises(ConnectionError):
            await messages.queue(b"second")
        with pytest.raises(ConnectionError):
            await messages.sent()


async def test_leaving_lets_the_message_being_written_out_and_drops_the_rest() -> None:
    wire: Any = Wire()
    wire.reader_is_there.clear()
    async with Outgoing(Call("Test", wire)) as messages:
        messages.limit = 1000
        await messages.queue(b"first")
        await messages.queue(b"second")
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.02, wire.reader_is_there.set)
    assert wire.written == [b"first"]


async def test_leaving_does_not_wait_for_ever_for_a_reader_who_stopped() -> None:
    wire: Any = Wire()
    wire.reader_is_there.clear()
    async with asyncio.timeout(PATIENCE), Outgoing(Call("Test", wire)) as messages:
        messages.limit = 1000
        await messages.queue(b"first")
        await asyncio.sleep(0)
    assert wire.written == []
