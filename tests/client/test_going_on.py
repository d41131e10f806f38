"""Both clients go on by themselves: elsewhere, with the filter, and with nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

import convolved_engine as engine
from convolved import (
    AsyncClient,
    Client,
    ConvolvedError,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    NotFound,
    ResumeEvent,
    Unavailable,
    impulse_response,
)
from convolved.wire.reasons import Draining, Overloaded
from tests.client.both import CLIENTS
from tests.client.fake import Handler, Honest, serving

IR = impulse_response(np.random.default_rng(5).standard_normal(200).astype(np.float32))
SIGNAL = np.random.default_rng(6).standard_normal(1_500_000).astype(np.float32)


@pytest.fixture(params=CLIENTS)
def connect(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes a client, of either kind."""
    return CLIENTS[request.param]


@pytest.fixture
def nowhere() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Losing(Honest):
    """Ends calls after so many messages of each, as often as there are numbers."""

    def __init__(self, *after: int, error: Callable[[], Exception] | None = None) -> None:
        super().__init__()
        self.after = list(after)
        self.error = error or (lambda: Unavailable("gone"))
        self.peers: list[str] = []

    def stream(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        self.peers.append(context.peer())
        end = self.after.pop(0) if self.after else None
        answers = super().stream(requests, context)
        yield from itertools.islice(answers, end)
        if end is not None:
            raise self.error()

    def convolve(self, request: Any, context: Any) -> Any:
        self.peers.append(context.peer())
        if self.after:
            self.after.pop(0)
            raise self.error()
        return super().convolve(request, context)


def pushed(client: Any, filter: Any, signal: NDArray[Any], **named: Any) -> NDArray[Any]:
    """A signal, live, in four blocks and an end."""
    with client.stream(filter, **named) as live:
        found = [live.push(block) for block in np.array_split(signal, 4)]
        return np.concatenate([*found, live.flush()[0]])


USES: dict[str, Callable[[Any, Any], NDArray[Any]]] = {
    "call": lambda client, kernel: client.apply(SIGNAL[:5000], kernel),
    "whole": lambda client, kernel: client.apply(SIGNAL, kernel),
    "live": lambda client, kernel: pushed(client, kernel, SIGNAL[:5000]),
}
LENGTHS = {"call": 5000, "whole": SIGNAL.size, "live": 5000}


def close(found: NDArray[Any], use: str) -> None:
    expected = engine.apply(SIGNAL[: LENGTHS[use]], IR)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("use", USES)
def test_where_a_server_is_lost_the_next_one_goes_on(connect: Callable[..., Any], use: str) -> None:
    first, second = Losing(*[2] * 50), Honest()
    told: list[ResumeEvent] = []
    with (
        serving(first.handlers()) as one,
        serving(second.handlers()) as two,
        connect([one, two], on_resume=told.append) as client,
    ):
        client.info()
        close(USES[use](client, IR), use)
        assert client.target == two
        assert client.resumes == len(told) == 1
        assert second.calls == ["Convolve" if use == "call" else "StreamConvolve"]


class LosingTheEnd(Losing):
    """Gives every message of a stream, and is lost before it has said that this was all."""

    def __init__(self) -> None:
        super().__init__(*[10**9] * 5)


def test_a_stream_that_has_all_does_not_mind_the_loss_of_its_server(
    connect: Callable[..., Any],
) -> None:
    server = LosingTheEnd()
    with (
        serving(server.handlers()) as address,
        connect(address, resume_timeout=1.0) as client,
    ):
        close(USES["live"](client, IR), "live")
        assert client.resumes == 0
        assert len(server.peers) == 1


def test_nor_does_one_that_is_mapped() -> None:
    server, blocks = LosingTheEnd(), np.array_split(SIGNAL[:5000], 4)

    async def mapped(address: str) -> NDArray[Any]:
        async with AsyncClient(address, resume_timeout=1.0) as client:
            live = await client.stream(IR)
            found = [output async for output in live.map(blocks)]
            await live.close()
        return np.concatenate([*found[:-1], found[-1][0]])

    with serving(server.handlers()) as address:
        with Client(address, resume_timeout=1.0) as client, client.stream(IR) as live:
            found = [*live.map(blocks)]
        close(np.concatenate([*found[:-1], found[-1][0]]), "live")
        close(asyncio.run(mapped(address)), "live")
    assert len(server.peers) == 2


def test_servers_that_are_not_there_are_passed_over(
    connect: Callable[..., Any], nowhere: str
) -> None:
    with serving(Honest().handlers()) as address, connect([nowhere, address]) as client:
        assert client.target == nowhere
        assert client.info().version == "1.2.3"
        assert client.target == address
    # Where nobody has ever answered nobody is waited for.
    with (
        connect([nowhere, nowhere + "1"], resume_timeout=600) as client,
        pytest.raises(Unavailable),
    ):
        client.info()


@pytest.mark.parametrize("use", USES)
def test_a_registered_filter_is_given_to_the_server_that_lacks_it(
    connect: Callable[..., Any], use: str
) -> None:
    first, second = Losing(*[2] * 50), Honest()
    with (
        serving(first.handlers()) as one,
        serving(second.handlers()) as two,
        connect([one, two]) as client,
    ):
        close(USES[use](client, client.register(IR)), use)
        assert IR.name in second.filters


def test_it_is_given_again_to_each_server_that_follows(connect: Callable[..., Any]) -> None:
    # The attempt that finds no filter counts, too.
    server = Losing(*[2] * 12)

    def forget() -> Exception:
        server.filters.clear()
        return Unavailable("gone")

    server.error = forget
    with serving(server.handlers()) as address, connect(address) as client:
        close(USES["whole"](client, client.register(IR)), "whole")
    assert server.calls.count("CreateFilter") == 7


def test_a_server_that_never_comes_to_hold_it_is_not_asked_for_ever(
    connect: Callable[..., Any],
) -> None:
    server = Honest()
    handlers = server.handlers()
    create = handlers["CreateFilter"]

    def forgetful(requests: Any, context: Any) -> Any:
        answer = create(requests, context)
        server.filters.clear()
        return answer

    handlers["CreateFilter"] = forgetful
    with serving(handlers) as address, connect(address) as client:
        handle = client.register(IR)
        with pytest.raises(NotFound):
            client.apply(SIGNAL[:9], handle)
    assert server.calls.count("CreateFilter") < 10


@pytest.mark.parametrize("use", USES)
def test_a_name_alone_does_not_bring_a_filter_back_and_says_so(
    connect: Callable[..., Any], use: str
) -> None:
    first, second = Losing(*[2] * 50), Honest()
    with (
        serving(first.handlers()) as one,
        serving(second.handlers()) as two,
        connect([one, two]) as client,
    ):
        name = client.register(IR).name
        with pytest.raises(NotFound, match="a name alone does not bring it back"):
            USES[use](client, name)


@pytest.mark.parametrize("use", USES)
def test_a_server_that_drains_is_left_with_its_connection(
    connect: Callable[..., Any], use: str
) -> None:
    """Behind one address another may be waiting, which an open connection would never meet."""
    server = Losing(2, error=lambda: Draining("stopping"))
    with serving(server.handlers()) as address, connect(address) as client:
        client.info()
        close(USES[use](client, IR), use)
    assert len(set(server.peers)) == 2


@pytest.mark.parametrize("use", USES)
def test_a_full_server_is_asked_again_when_it_says(connect: Callable[..., Any], use: str) -> None:
    server = Losing(0, 0, error=lambda: Overloaded("no room now", 0.1))
    told: list[ResumeEvent] = []
    with (
        serving(server.handlers()) as address,
        connect(address, on_resume=told.append) as client,
    ):
        close(USES[use](client, IR), use)
    assert [0.1 <= event.wait_seconds <= 0.125 for event in told] == [True, True]
    assert len(set(server.peers)) == 1


def without_details(code: grpc.StatusCode) -> Handler:
    """What a proxy answers whose backend has died."""

    def answer(requests: Any, context: grpc.ServicerContext) -> Any:
        context.abort(code, "upstream connect error or disconnect/reset before headers")

    return answer


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN])
def test_a_backend_that_dies_behind_a_proxy_is_a_loss(
    connect: Callable[..., Any], code: grpc.StatusCode
) -> None:
    honest = Honest()
    handlers = honest.handlers()
    answers = [without_details(code), without_details(code), handlers["StreamConvolve"]]

    def stream(requests: Any, context: Any) -> Any:
        found = answers.pop(0)(requests, context)
        yield from found or ()

    with serving({**handlers, "StreamConvolve": stream}) as address, connect(address) as client:
        client.info()
        close(USES["live"](client, IR), "live")
        assert client.resumes == 1


def test_a_fault_of_the_server_itself_is_told_at_once(connect: Callable[..., Any]) -> None:
    def broken(request: Any, context: Any) -> Any:
        raise RuntimeError("a fault")

    handlers = {**Honest().handlers(), "StreamConvolve": broken}
    with serving(handlers) as address, connect(address) as client:
        client.info()
        with pytest.raises(Internal):
            USES["live"](client, IR)
        assert client.resumes == 0


@pytest.mark.parametrize("use", USES)
def test_the_timeout_of_the_client_bounds_all_attempts_together(
    connect: Callable[..., Any], use: str
) -> None:
    server = Losing(*[1] * 1000)
    with (
        serving(server.handlers()) as address,
        connect(address, timeout=0.3, resume_timeout=600) as client,
    ):
        client.info()
        with pytest.raises((Unavailable, DeadlineExceeded)):
            USES[use](client, IR)
        assert server.after


def test_a_stream_whose_loss_is_told_may_begin_anew(connect: Callable[..., Any]) -> None:
    server = Losing(2, *[1] * 3, error=lambda: Unavailable("gone"))
    block = SIGNAL[:100]
    with (
        serving(server.handlers()) as address,
        connect(address, resume_timeout=0.0) as client,
        client.stream(IR) as live,
    ):
        first = live.push(block)
        with pytest.raises(Unavailable):
            live.push(block)
        with pytest.raises(FailedPrecondition, match="the stream was lost"):
            live.push(block)
        server.after.clear()
        live.reset()
        np.testing.assert_array_equal(live.push(block), first)


def test_after_many_losses_no_thread_and_no_connection_is_left() -> None:
    servers = [Losing(*[3] * 6), Losing(*[3] * 6)]
    gc.collect()
    before = set(threading.enumerate())
    with ExitStack() as stack:
        targets = [stack.enter_context(serving(server.handlers())) for server in servers]
        client = stack.enter_context(Client(targets))
        client.info()
        close(USES["whole"](client, IR), "whole")
        after_whole = client.resumes
        for server in servers:
            server.after = [2, 2, 2]
        with client.stream(IR) as live:
            for _ in range(20):
                live.push(SIGNAL[:512])
            assert client._transport._connections.unused() == []
        assert [server.after for server in servers] == [[], []]
        assert client.resumes == after_whole + 6 > 6
    for thread in set(threading.enumerate()) - before:
        thread.join(20)
        assert not thread.is_alive(), thread


async def test_after_many_losses_no_task_is_left() -> None:
    server = Losing(*[3] * 6)
    with serving(server.handlers()) as address:
        async with AsyncClient(address) as client:
            await client.info()
            close(await client.apply(SIGNAL, IR), "whole")
            after_whole = client.resumes
            server.after = [2, 2, 2]
            async with await client.stream(IR) as live:
                for _ in range(20):
                    await live.push(SIGNAL[:512])
            assert server.after == []
            assert client.resumes == after_whole + 3 > 3
            # grpc.aio keeps one for each channel that is open.
            await few_tasks(2)
    await few_tasks(1)


async def few_tasks(most: int) -> None:
    """Wait until no more tasks than so many are there, this one counted."""
    async with asyncio.timeout(20):
        while len(asyncio.all_tasks()) > most:  # noqa: ASYNC110 - nobody tells of their end
            await asyncio.sleep(0.01)


async def test_a_task_may_be_cancelled_while_it_waits_for_a_server() -> None:
    server = Losing(*[0] * 1000, error=lambda: Overloaded("no room now", 600.0))
    told = asyncio.Event()
    with serving(server.handlers()) as address:
        async with AsyncClient(
            address, resume_timeout=3600, on_resume=lambda _: told.set()
        ) as client:
            await client.info()
            task = asyncio.ensure_future(client.apply(SIGNAL, IR))
            await asyncio.wait_for(told.wait(), 60)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


def test_closing_a_client_ends_its_waiting_for_a_server() -> None:
    server = Losing(*[0] * 1000, error=lambda: Overloaded("no room now", 600.0))
    told = threading.Event()
    met: list[ConvolvedError] = []

    def work(client: Client) -> None:
        try:
            client.apply(SIGNAL, IR)
        except ConvolvedError as error:
            met.append(error)

    with serving(server.handlers()) as address:
        client = Client(address, resume_timeout=3600, on_resume=lambda _: told.set())
        thread = threading.Thread(target=work, args=(client,))
        thread.start()
        assert told.wait(60)
        client.close()
        thread.join(60)
    assert [type(error) for error in met] == [FailedPrecondition]
