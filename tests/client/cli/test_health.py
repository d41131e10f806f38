"""`convolved health`: 0 for SERVING, 1 for everything else, and soon."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from convolved.cli.health import listening_here
from tests.client.cli.run import convolved, program

STATUS = health_pb2.HealthCheckResponse


@pytest.fixture
def servicer(tmp_path: Path) -> Iterator[health.HealthServicer]:
    """The health of a server that says what it is told to, at unix:health."""
    server = grpc.server(futures.ThreadPoolExecutor(1))
    found = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(found, server)
    server.add_insecure_port(f"unix:{tmp_path}/health")
    server.start()
    yield found
    server.stop(None).wait()


def test_a_server_that_serves_is_told_by_one_word_and_0(address: str) -> None:
    ended = convolved("health", "--server", address)
    assert (ended.code, ended.out, ended.err) == (0, "SERVING\n", "")


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (STATUS.SERVING, "SERVING"),
        (STATUS.NOT_SERVING, "NOT_SERVING"),
        (STATUS.SERVICE_UNKNOWN, "SERVICE_UNKNOWN"),
        (STATUS.UNKNOWN, "UNKNOWN"),
    ],
)
def test_every_status_has_its_word_and_only_serving_is_0(
    tmp_path: Path, servicer: health.HealthServicer, status: int, word: str
) -> None:
    servicer.set("", status)
    ended = convolved("health", "--server", f"unix:{tmp_path}/health")
    assert ended.out == word + "\n"
    assert ended.code == (0 if word == "SERVING" else 1)


def test_nobody_there_is_1_too_and_says_why(tmp_path: Path) -> None:
    ended = convolved("health", "--server", f"unix:{tmp_path}/nobody", "--json")
    assert ended.code == 1
    assert ended.report["status"] == "UNREACHABLE"
    assert ended.err.startswith(f"convolved: unix:{tmp_path}/nobody: UNAVAILABLE: ")
    assert len(ended.err.splitlines()) == 1


def test_it_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    begun = time.monotonic()
    # An address that answers nothing: packets to it are dropped or refused, never served.
    ended = convolved("health", "--server", "192.0.2.1:1", "--timeout", 0.2)
    assert ended.code == 1
    # gRPC itself would go on for 20 s.
    assert time.monotonic() - begun < 10


def test_machines_get_an_object(address: str) -> None:
    begun = time.monotonic()
    report = convolved("health", "--server", address, "--json").report
    assert report["server"] == address
    assert report["status"] == "SERVING"
    assert 0 < report["seconds"] < time.monotonic() - begun


@pytest.mark.parametrize(
    ("listen", "asked"),
    [
        (None, "127.0.0.1:50051"),
        ("0.0.0.0:7000", "127.0.0.1:7000"),
        ("[::]:7000", "[::1]:7000"),
        ("10.1.2.3:7000", "10.1.2.3:7000"),
        ("unix:/run/s", "unix:/run/s"),
    ],
)
def test_without_an_address_it_asks_the_server_of_this_container(
    monkeypatch: pytest.MonkeyPatch, listen: str | None, asked: str
) -> None:
    monkeypatch.delenv("CONVOLVED_LISTEN", raising=False)
    if listen is not None:
        monkeypatch.setenv("CONVOLVED_LISTEN", listen)
    assert listening_here() == asked


def test_as_a_program_it_takes_its_server_from_the_environment(address: str) -> None:
    assert program("health", env={"CONVOLVED_SERVER": address}).out == "SERVING\n"
