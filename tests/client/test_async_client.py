"""The asyncio client is the sync one, awaited; and cancelling a task ends its work."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import grpc.aio
import numpy as np
import pytest

from convolved import (
    AsyncClient,
    AsyncStream,
    Client,
    Conv,
    DeadlineExceeded,
    FailedPrecondition,
    Filter,
    InvalidArgument,
    NotFound,
    Stream,
    Unavailable,
    impulse_response,
)
from convolved.session.operations import Exchange, Steps
from convolved.session.sources import Source
from convolved.session.whole import WholeSession
from convolved_vocabulary import Options

RANDOM = np.random.default_rng(3)
SIGNAL = RANDOM.standard_normal(600_000).astype(np.float32)
HALL = RANDOM.standard_normal(3_000).astype(np.float32)


def methods(kind: type) -> dict[str, Callable[..., Any]]:
    found = inspect.getmembers(kind, inspect.isfunction)
    return {name: each for name, each in found if not name.startswith("_")}


def parameters(signature: inspect.Signature, iterates: bool) -> list[inspect.Parameter]:
    """Where asyncio iterates, it takes what iterates by asyncio too."""
    found = signature.parameters.values()
    blank = inspect.Parameter.empty
    return [each.replace(annotation=blank) if iterates else each for each in found]


@pytest.mark.parametrize(("sync", "awaited"), [(Client, AsyncClient), (Stream, AsyncStream)])
def test_it_has_the_methods_signatures_and_words_of_the_sync_one(sync: type, awaited: type) -> None:
    ours, theirs = methods(awaited), methods(sync)
    assert ours.keys() == theirs.keys()
    for name, method in ours.items():
        found, expected = inspect.signature(method), inspect.signature(theirs[name])
        told_for_both = method is theirs[name]
        iterates = str(found.return_annotation).startswith("AsyncIterator")
        assert told_for_both or iterates or inspect.iscoroutinefunction(method), name
        assert parameters(found, iterates) == parameters(expected, iterates), name
        described = (inspect.getdoc(theirs[name]) or "").partition("\n")[2]
        # Examples of the sync client do not await.
        described = described.partition("\n>>> ")[0].rstrip()
        assert described in (inspect.getdoc(method) or ""), name


async def test_it_gives_what_the_sync_client_gives(address: str, client: Client) -> None:
    async with AsyncClient(address) as ours:
        hall = await ours.register(HALL)
        assert hall.name == client.register(HALL).name
        for signal in (SIGNAL[:1000], SIGNAL):
            found = await ours.apply(signal, hall)
            np.testing.assert_array_equal(found, client.apply(signal, hall))
        np.testing.assert_array_equal(
            await ours.convolve([1, 2, 3], [1, 1]), client.convolve([1, 2, 3], [1, 1])
        )
        assert (await ours.plan(hall, (1000,))).algorithm == client.plan(hall, (1000,)).algorithm
        assert hall.name in {each.name for each in await ours.filters()}
        assert (await ours.info()).version == client.info().version


async def test_a_stream_gives_what_the_sync_clients_gives(address: str, client: Client) -> None:
    cuts = [0, 1, 1, 700, 400_000, 400_512, 600_000]
    with client.stream(HALL) as expected:
        whole = np.concatenate([expected.push(SIGNAL), expected.flush()[0]])
    async with AsyncClient(address) as ours, await ours.stream(HALL) as live:
        blocks = []
        for begin, end in pairwise(cuts):
            blocks.append(await live.push(SIGNAL[begin:end]))
            assert live.outputs == live.filter.ready(end)
        blocks.append((await live.flush())[0])
        np.testing.assert_array_equal(np.concatenate(blocks), whole)
        with pytest.raises(FailedPrecondition, match="push after flush"):
            await live.push(SIGNAL[:1])
        await live.reset()
        np.testing.assert_array_equal(await live.push(SIGNAL[:700]), whole[:700])


async def test_many_tasks_share_a_client(address: str) -> None:
    async with AsyncClient(address) as ours:
        hall = await ours.register(HALL)

        async def one(length: int) -> int:
            async with await ours.stream(hall) as live:
                await live.push(SIGNAL[:length])
            return int((await ours.apply(SIGNAL[:length], hall)).shape[-1])

        lengths = [*range(1_000, 9_000, 500)]
        found = await asyncio.gather(*map(one, lengths))
    assert found == [length + HALL.size - 1 for length in lengths]


async def test_errors_are_those_of_the_sync_client(address: str, client: Client) -> None:
    two = Filter(Conv(np.ones((1, 2, 3), np.float32)))
    async with AsyncClient(address) as ours:
        with pytest.raises(InvalidArgument) as awaited:
            await ours.apply(np.ones((3, 9), np.float32), two)
        with pytest.raises(InvalidArgument) as direct:
            client.apply(np.ones((3, 9), np.float32), two)
        assert str(awaited.value) == str(direct.value)
        with pytest.raises(NotFound):
            await ours.get_filter("filters/" + "0" * 64)
    with pytest.raises(FailedPrecondition, match="the client is closed"):
        await ours.info()
    async with AsyncClient("unix:/nowhere/at/all", timeout=2) as lost:
        with pytest.raises((Unavailable, DeadlineExceeded)):
            await lost.info()


async def test_a_refusal_is_heard_although_more_was_being_written(address: str) -> None:
    """grpc.aio overwrites the server's status when a write fails because of it."""
    absent = impulse_response(RANDOM.standard_normal(77))
    signal = np.zeros((1, 3_000_000), np.float32)

    def steps() -> Steps[Any]:
        yield Exchange(WholeSession(Source(absent, absent.name), signal, Options(), None))

    async with AsyncClient(address) as ours:
        for _ in range(60):
            with pytest.raises(NotFound, match=absent.name):
                await ours._transport.run(steps())
        assert ours.resumes == 0


async def test_cancelling_a_task_ends_its_call_within_100_ms() -> None:
    """The server of this test answers nothing and tells when a call of its has ended."""
    ended, begun = asyncio.Event(), asyncio.Event()

    async def hang(*_: Any) -> bytes:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return b""

    class Hanging(grpc.GenericRpcHandler):
        def service(self, call: grpc.HandlerCallDetails) -> Any:
            if call.method.endswith("StreamConvolve"):
                return grpc.stream_stream_rpc_method_handler(hang)
            return grpc.unary_unary_rpc_method_handler(hang)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Hanging(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with AsyncClient(f"127.0.0.1:{port}") as ours:

        async def ending(work: Awaitable[Any]) -> float:
            begun.clear()
            ended.clear()
            task = asyncio.ensure_future(work)
            await asyncio.wait_for(begun.wait(), 60)
            task.cancel()
            cancelled = asyncio.get_running_loop().time()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(ended.wait(), 60)
            return asyncio.get_running_loop().time() - cancelled

        for begin in (
            lambda: ours.apply(SIGNAL[:9], HALL),
            lambda: ours.apply(SIGNAL, HALL),
            lambda: ours.stream(HALL),
        ):
            # A machine that is busy with other things only adds to what it takes.
            assert min([await ending(begin()) for _ in range(5)]) < 0.1
    await server.stop(0)


SEVERAL_LOOPS = """
import asyncio, sys
import numpy as np
from convolved import AsyncClient

client = AsyncClient(sys.argv[1])

def calm():
    # A machine that is busy with other things is not what is looked for.
    asyncio.get_running_loop().slow_callback_duration = 60

async def once():
    calm()
    async with await client.stream([1.0, 0.5]) as live:
        block = await live.push(np.ones(3, np.float32))
    return [*block, *await client.apply(np.ones(2, np.float32), [1.0])]

async def forget():
    calm()
    live = await client.stream([1.0, 0.5])
    await live.push(np.ones(3, np.float32))

for _ in range(3):
    print(asyncio.run(once(), debug=True))
    asyncio.run(forget(), debug=True)
"""


def test_one_client_serves_several_loops_and_leaves_without_a_word(address: str) -> None:
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", SEVERAL_LOOPS, address],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert found.stderr == ""
    assert found.returncode == 0
    assert len(set(found.stdout.splitlines())) == 1
