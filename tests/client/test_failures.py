"""Servers die, hang and lie; the caller is told what happened, at once and in words."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from convolved import (
    Client,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    ResourceExhausted,
    Unavailable,
)
from convolved.async_calls import Status
from convolved.embedded import EmbeddedServer
from convolved.session import signals
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.framing import OutputFrame
from convolved.wire.reasons import Draining, Overloaded, Unauthenticated
from tests.client.fake import Handler, Honest, serving
from tests.server.harness import until

IR = np.ones(16, np.float32)
SECONDS = 40


def noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def with_handlers(**handlers: Handler) -> dict[str, Handler]:
    return {**Honest().handlers(), **handlers}


@pytest.fixture
def prompt() -> Iterator[None]:
    """What happens here takes seconds, also on a busy machine; servers that hang do so for ever."""
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < SECONDS


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    found = EmbeddedServer()
    yield found
    found.close()


def test_nobody_listening_is_told_with_the_address(prompt: None) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Client(f"127.0.0.1:{port}") as client:
        with pytest.raises(Unavailable, match=f"127.0.0.1:{port} cannot be reached: "):
            client.info()
        with pytest.raises(Unavailable, match="cannot be reached"):
            client.apply(noise(2_000_000), IR)
        with pytest.raises(Unavailable, match="cannot be reached"):
            client.stream(IR)


def test_a_server_that_dies_is_told_at_once_wherever_it_is_waited_for(
    server: EmbeddedServer, prompt: None
) -> None:
    x = np.zeros(30_000_000, np.float32)

    def kill(done: int, total: int) -> None:
        os.kill(server.process_id, signal.SIGKILL)

    with (
        Client(server.address, progress=kill, resume=False) as client,
        client.stream(IR) as live,
    ):
        live.push(noise(100))
        with pytest.raises(Unavailable):
            client.apply(x, IR)
        with pytest.raises(Unavailable):
            live.push(noise(100))
        with pytest.raises(FailedPrecondition, match=r"the stream was lost .*; reset"):
            live.flush()
        with pytest.raises(Unavailable):
            client.info()


def test_a_stream_goes_on_after_reset_when_the_server_is_back(prompt: None) -> None:
    honest, up = Honest(), [False]

    def stream(requests: Iterator[Any], context: Any) -> Iterator[Any]:
        for count, response in enumerate(honest.stream(requests, context)):
            if count == 2 and not up[0]:
                raise Draining("the server is stopping")
            yield response

    with (
        serving(with_handlers(StreamConvolve=stream)) as address,
        Client(address, resume=False) as client,
        client.stream(IR) as live,
    ):
        first = live.push(noise(64))
        with pytest.raises(Draining, match="the server is stopping"):
            live.push(noise(64))
        up[0] = True
        live.reset()
        np.testing.assert_array_equal(live.push(noise(64)), first)
        live.push(noise(64))


def hang(requests: Any, context: Any) -> Any:
    gone = threading.Event()
    context.add_callback(gone.set)
    gone.wait()
    return pb.GetServerInfoResponse()


def hang_after_started(requests: Iterator[Any], context: Any) -> Iterator[Any]:
    started = pb.Started(data_type=pb.DATA_TYPE_FLOAT32, frame_shape=[1], total_samples=3_000_015)
    yield pb.StreamConvolveResponse(started=started)
    hang(requests, context)


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.info(),
        lambda client: client.apply(noise(3_000_000), IR),
        lambda client: client.stream(IR).push(noise(10)),
        lambda client: client.stream(IR).flush(),
    ],
    ids=["call", "signal", "push", "flush"],
)
def test_a_server_that_hangs_is_given_the_timeout_and_no_more(use: Any, prompt: None) -> None:
    handlers = with_handlers(GetServerInfo=hang, StreamConvolve=hang_after_started)
    with (
        serving(handlers) as address,
        Client(address, timeout=0.3) as client,
        pytest.raises(DeadlineExceeded, match="did not answer"),
    ):
        use(client)


def test_a_stream_opened_with_a_timeout_outlives_it_while_answers_come(prompt: None) -> None:
    handlers = Honest().handlers()
    with (
        serving(handlers) as address,
        Client(address, timeout=1.0) as client,
        client.stream(IR) as live,
    ):
        for _ in range(5):
            time.sleep(0.25)
            assert live.push(noise(10)).shape == (10,)


def test_success_without_the_last_output_is_a_loss(prompt: None) -> None:
    def stop_short(requests: Iterator[Any], context: Any) -> Iterator[Any]:
        yield next(Honest().stream(requests, context))

    with (
        serving(with_handlers(StreamConvolve=stop_short)) as address,
        Client(address, resume=False) as client,
    ):
        with pytest.raises(Unavailable, match="ended the stream before"):
            client.apply(noise(2_000_000), IR)
        live = client.stream(IR)
        with pytest.raises(Unavailable, match="ended the stream before"):
            live.push(noise(10))


def test_a_server_that_breaks_the_law_is_found_out_and_let_go(prompt: None) -> None:
    ended = threading.Event()

    def lie(requests: Iterator[Any], context: Any) -> Iterator[Any]:
        context.add_callback(ended.set)
        for response in Honest().stream(requests, context):
            lies = isinstance(response, OutputFrame)
            yield OutputFrame(response.offset + 1, response.data) if lies else response

    with serving(with_handlers(StreamConvolve=lie)) as address, Client(address) as client:
        with pytest.raises(Internal, match="the server sent outputs 1 to 11, where 0 to 10"):
            client.stream(IR).push(noise(10))
        assert ended.wait(SECONDS)
        ended.clear()
        with pytest.raises(Internal, match="where 0 was next"):
            client.apply(noise(2_000_000), IR)
        assert ended.wait(SECONDS)


def test_errors_of_the_server_keep_their_attributes(prompt: None) -> None:
    def full(request: Any, context: Any) -> Any:
        raise Overloaded("no room for 3 MiB now", 1.5)

    with (
        serving(with_handlers(Convolve=full, StreamConvolve=full)) as address,
        Client(address, resume=False) as client,
    ):
        for use in (
            lambda: client.apply(noise(10), IR),
            lambda: client.apply(noise(2_000_000), IR),
            lambda: client.stream(IR),
        ):
            with pytest.raises(ResourceExhausted, match="no room for 3 MiB now") as caught:
                use()
            assert (caught.value.reason, caught.value.retry_after) == ("OVERLOADED", 1.5)


def test_a_fault_of_the_server_says_so_and_no_more(prompt: None) -> None:
    def broken(request: Any, context: Any) -> Any:
        raise RuntimeError("secret")

    with (
        serving(with_handlers(GetServerInfo=broken)) as address,
        Client(address) as client,
        pytest.raises(Internal) as caught,
    ):
        client.info()
    assert "secret" not in str(caught.value)


def test_the_token_goes_with_every_call(prompt: None) -> None:
    honest = Honest()

    def checked(handler: Handler) -> Handler:
        def check(request: Any, context: Any) -> Any:
            if ("authorization", "Bearer s3cret") not in context.invocation_metadata():
                raise Unauthenticated("no token")
            return handler(request, context)

        return check

    handlers = {name: checked(handler) for name, handler in honest.handlers().items()}
    with serving(handlers) as address:
        with Client(address, token="s3cret") as client:
            handle = client.register(IR)
            client.apply(noise(2_000_000), handle)
            client.stream(handle).push(noise(10))
            client.info()
        with Client(address) as client, pytest.raises(Unauthenticated, match="no token"):
            client.info()


def test_an_error_of_the_callers_own_ends_the_call(prompt: None) -> None:
    ended = threading.Event()
    honest = Honest()

    def stream(requests: Iterator[Any], context: Any) -> Iterator[Any]:
        context.add_callback(ended.set)
        yield from honest.stream(requests, context)

    def progress(done: int, total: int) -> None:
        raise KeyError("the caller's own")

    with (
        serving(with_handlers(StreamConvolve=stream)) as address,
        Client(address, progress=progress) as client,
    ):
        with pytest.raises(KeyError, match="the caller's own"):
            client.apply(noise(2_000_000), IR)
        assert ended.wait(SECONDS)


def test_blocks_wait_in_the_array_while_the_server_does_not_read(
    prompt: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    released = threading.Event()
    payload = signals.payload

    def counted(view: NDArray[Any]) -> Any:
        drawn.append(view.shape[-1])
        return payload(view)

    def slow(requests: Iterator[Any], context: Any) -> Iterator[Any]:
        released.wait(60)
        yield from Honest().stream(requests, context)

    monkeypatch.setattr("convolved.session.whole.payload", counted)
    x = np.zeros(20_000_000, np.float32)
    found: list[NDArray[Any]] = []
    with serving(with_handlers(StreamConvolve=slow)) as address, Client(address) as client:
        work = threading.Thread(target=lambda: found.append(client.apply(x, IR)))
        work.start()
        until(lambda: drawn)
        waiting = 0
        while waiting != sum(drawn) * 4:
            waiting = sum(drawn) * 4
            time.sleep(0.2)
        released.set()
        work.join(60)
    assert 0 < waiting <= 16 << 20
    assert found[0].shape == (20_000_015,)


async def test_a_call_that_ended_and_does_not_say_why_is_lost() -> None:
    class Ended:
        def add_done_callback(self, callback: Callable[[Any], None]) -> None:
            """Never called."""

    class Failure:
        def details(self) -> str:
            return "Internal error from Core"

        def code(self) -> grpc.StatusCode:
            return grpc.StatusCode.INTERNAL

    found = await Status(Ended()).error(Failure(), "here:1")
    assert isinstance(found, Unavailable)
    assert str(found) == "here:1 ended the call without saying why"
