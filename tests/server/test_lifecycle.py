"""A server's life: one line when it serves, health first when it stops, exit code 0."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.v1 import convolution_pb2_grpc as pb_grpc
from convolved.wire.tensors import encode_tensor
from convolved_server.server import Server
from convolved_server.settings import load
from convolved_server.transport import listen
from convolved_vocabulary import InvalidArgument, impulse_response
from tests.server.harness import (
    PATIENCE,
    Conversation,
    Failure,
    Running,
    block,
    end,
    failure,
    inline,
    serving,
    start,
    until,
)
from tests.server.process import COMMAND, process, serving_on
from tests.server.slow import held_up

FILTER = impulse_response(np.ones(2001, np.float32))
X = np.ones((1, 500_000), np.float32)


def health(channel: grpc.Channel) -> str:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def ask(server: Running) -> Any:
    request = pb.ConvolveRequest(filter=inline(FILTER), input=encode_tensor(X))
    return server.stub.Convolve.future(request)


def test_the_process_says_where_it_serves_and_ends_in_order_on_sigterm() -> None:
    with process("--listen", "127.0.0.1:0") as found:
        address = serving_on(found)
        assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d*", address)
        with grpc.insecure_channel(address) as channel:
            assert health(channel) == "SERVING"
        found.send_signal(signal.SIGTERM)
        out, log = found.communicate(timeout=PATIENCE)
        assert found.returncode == 0
        assert out == ""
        assert '"event": "serving"' in log
        assert '"event": "stopped"' in log
        assert "Traceback" not in log


def test_a_child_ends_when_its_standard_input_closes(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with process("--listen", f"unix:{path}", "--until-stdin-closes") as found:
        assert serving_on(found) == f"unix:{path}"
        with grpc.insecure_channel(f"unix:{path}") as channel:
            stub: Any = pb_grpc.ConvolutionServiceStub(channel)
            assert stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=PATIENCE).version
        found.communicate(timeout=PATIENCE)
        assert found.returncode == 0
    assert not path.exists()


def test_a_taken_address_is_a_clear_error_and_exit_code_2(server: Running, tmp_path: Path) -> None:
    taken = subprocess.run(
        [*COMMAND, "--listen", server.address], capture_output=True, text=True, timeout=PATIENCE
    )
    assert taken.returncode == 2
    assert f"error: listen: got {server.address}" in taken.stderr
    assert taken.stdout == ""


def test_bad_settings_are_exit_code_2() -> None:
    bad = subprocess.run(
        [*COMMAND, "--streams", "none"], capture_output=True, text=True, timeout=PATIENCE
    )
    assert bad.returncode == 2
    assert bad.stderr.startswith("error: --streams: got 'none'")


def test_settings_reach_the_process_by_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "convolved.toml"
    path.write_text("streams = 5\nfilter_layers = 6\n", encoding="utf-8")
    environment = os.environ | {
        "CONVOLVED_CONFIG": str(path),
        "CONVOLVED_FILTER_LAYERS": "7",
        "CONVOLVED_LISTEN": "127.0.0.1:0",
        "CONVOLVED_LOG_FORMAT": "text",
        "CONVOLVED_STREEMS": "8",
    }
    with process(env=environment) as found:
        with grpc.insecure_channel(serving_on(found)) as channel:
            stub: Any = pb_grpc.ConvolutionServiceStub(channel)
            limits = stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=PATIENCE).limits
        assert (limits.streams, limits.filter_layers) == (5, 7)
        found.send_signal(signal.SIGINT)
        _, log = found.communicate(timeout=PATIENCE)
        assert found.returncode == 0
        assert "CONVOLVED_STREEMS" in log


def test_a_second_signal_does_not_wait_for_the_grace() -> None:
    with (
        process("--listen", "127.0.0.1:0", "--grace-seconds", "600") as found,
        grpc.insecure_channel(serving_on(found)) as channel,
    ):
        stub: Any = pb_grpc.ConvolutionServiceStub(channel)
        stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=PATIENCE)
        call = Conversation(stub.CreateFilter.future)
        # What is answered on the same connection came behind the call that is in flight.
        assert health(channel) == "SERVING"
        found.send_signal(signal.SIGTERM)
        until(lambda: health(channel) == "NOT_SERVING")
        time.sleep(0.2)
        assert found.poll() is None
        found.send_signal(signal.SIGTERM)
        assert found.wait(PATIENCE) == 0
        call.close()


def test_a_stale_socket_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with serving(listen=f"unix:{path}") as server:
        server.stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=PATIENCE)
        with (
            pytest.raises(InvalidArgument, match="where a server listens"),
            serving(listen=f"unix:{path}"),
        ):
            pass
        server.stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=PATIENCE)


@pytest.mark.parametrize(
    "address",
    ["", "50051", "host:", ":50051", "host:port", "127.0.0.1:65536", "unix:", "unix:/nowhere/s"],
)
async def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^listen: got "):
        listen(grpc.aio.server(), address)


async def test_a_path_that_cannot_be_a_socket_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / ("x" * 120)):
        with pytest.raises(InvalidArgument, match=r"^listen: got unix:"):
            listen(grpc.aio.server(), f"unix:{path}")


def test_draining_lets_work_in_flight_end_and_begins_nothing() -> None:
    with serving() as server, held_up() as gate:
        working = ask(server)
        gate.wait_begun()
        drained = server.drain(grace=10 * PATIENCE)
        until(lambda: health(server.channel) == "NOT_SERVING")
        for found in (
            failure(lambda: server.stub.GetServerInfo(pb.GetServerInfoRequest())),
            failure(ask(server).result),
        ):
            assert (found.code.name, found.reason) == ("UNAVAILABLE", "DRAINING")
        assert not working.done()
        gate.open.set()
        assert working.result(PATIENCE).output.shape == [1, 502_000]
        assert drained.result(PATIENCE) is True


@pytest.mark.parametrize("whole", [False, True])
def test_draining_ends_streams_between_two_answers(whole: bool) -> None:
    with serving() as server:
        call = Conversation(server.stub.StreamConvolve)
        call.say(start(FILTER, X, **({"total_samples": 500_000} if whole else {})))
        call.hear()
        call.say(block(0, X[:, :200_000]))
        heard = call.hear()
        server.drain(grace=10 * PATIENCE)
        found = call.error()
        assert (found.code.name, found.reason) == ("UNAVAILABLE", "DRAINING")
        assert heard.input_end == 200_000


def test_a_stream_that_is_drained_goes_on_at_another_server() -> None:
    with serving() as other:
        with serving() as server:
            call = Conversation(server.stub.StreamConvolve)
            call.say(start(FILTER, X, block_samples=512))
            call.hear()
            call.say(block(0, X[:, :5000]))
            last = call.hear()
            server.drain(grace=10 * PATIENCE)
            assert call.error().reason == "DRAINING"
        received = last.offset + len(last.data) // 4
        again = Conversation(other.stub.StreamConvolve)
        resumed = {"input_offset": last.retain_from, "output_offset": received}
        again.say(start(FILTER, X, block_samples=512, **resumed))
        again.say(block(last.retain_from, X[:, last.retain_from : 6000]), end(6000))
        rest = again.rest()
        assert rest[1].offset == received
        assert rest[-1].total_samples == 8000


def test_what_outlasts_the_grace_is_told_to_go_elsewhere() -> None:
    with serving() as server, held_up() as gate:
        working = ask(server)
        gate.wait_begun()
        drained = server.drain(grace=0.2)
        found = failure(working.result)
        assert (found.code.name, found.reason) == ("UNAVAILABLE", "DRAINING")
        assert drained.result(PATIENCE) is False


async def test_before_it_is_warm_a_server_says_not_serving_and_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warm = threading.Event()
    monkeypatch.setattr(engine, "warm_up", lambda: warm.wait(PATIENCE))
    server = Server(load({"listen": "127.0.0.1:0", "warm_up_seconds": 2 * PATIENCE}))
    starting = asyncio.create_task(server.start())
    while server.address.endswith(":0"):  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)
    async with grpc.aio.insecure_channel(server.address) as channel:
        check: Any = health_pb2_grpc.HealthStub(channel)
        stub: Any = pb_grpc.ConvolutionServiceStub(channel)
        answer = await check.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as found:
            await stub.GetServerInfo(pb.GetServerInfoRequest())
        assert Failure(found.value).reason == "UNAVAILABLE"
        warm.set()
        await starting
        answer = await check.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    await server.drain(1)
    server.close()


async def test_nothing_of_the_rehearsal_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "warm_up", lambda: None)
    server = Server(load({"listen": "127.0.0.1:0", "warm_up_seconds": 10}))
    await server.start()
    shared = server.resources
    assert (shared.store.nbytes, shared.calls.in_flight) == (0, set())
    await server.drain(1)
    server.close()


async def test_a_server_that_ends_while_it_compiles_says_that_a_thread_is_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled = threading.Event()
    monkeypatch.setattr(engine, "warm_up", lambda: compiled.wait(PATIENCE))
    server = Server(load({"listen": "127.0.0.1:0", "warm_up_seconds": 0.0}))
    await server.start()
    await server.drain(1)
    assert not server.close()
    compiled.set()
    for thread in threading.enumerate():
        if thread.name == "convolved-warm-up":
            await asyncio.to_thread(thread.join, PATIENCE)
    assert server.close()


def test_a_server_that_cannot_warm_up_serves_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(engine, "warm_up", fail)
    with serving(warm_up_seconds=5.0) as server:
        assert server.stub.GetServerInfo(pb.GetServerInfoRequest()).version


@pytest.mark.parametrize("part", ["structlog", "numba"])
def test_a_missing_part_is_named_with_its_fix(part: str) -> None:
    hide = f"import sys; sys.modules[{part!r}] = None; sys.argv = ['convolved_server']; "
    run = "from convolved_server.__main__ import main; sys.exit(main())"
    found = subprocess.run(
        [sys.executable, "-c", hide + run], capture_output=True, text=True, timeout=PATIENCE
    )
    assert found.returncode == 2
    assert "pip install 'convolved[server]'" in found.stderr


def test_without_uvloop_it_serves_on_the_loop_of_asyncio() -> None:
    hide = "import sys; sys.modules['uvloop'] = None; "
    flags = "sys.argv = ['server', '--listen', '127.0.0.1:0', '--until-stdin-closes']; "
    run = "from convolved_server.__main__ import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", hide + flags + run],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as found:
        with grpc.insecure_channel(serving_on(found)) as channel:
            assert health(channel) == "SERVING"
        found.communicate(timeout=PATIENCE)
        assert found.returncode == 0
