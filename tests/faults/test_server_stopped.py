"""Fault 2: a server is asked to stop (SIGTERM) while it works."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from convolved import Client
from tests.client.both import CLIENTS
from tests.server.harness import PATIENCE, until
from tests.server.process import processor_seconds

from .fleet import Fleet

RANDOM = np.random.default_rng(2)
HALL = RANDOM.standard_normal(2_000).astype(np.float32)
LONG = RANDOM.standard_normal(100_000).astype(np.float32)
SIGNAL = RANDOM.standard_normal(500_000).astype(np.float32)
# Nothing compiles beside a server that serves, so that its processor's time is that of calls.
ONE_THREAD = ("--threads", "1", "--warm-up-seconds", str(PATIENCE))

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="tells by /proc that a process computes"
)


class Work(threading.Thread):
    """A call of a second or more, which `server` has begun to compute."""

    def __init__(
        self, connect: Callable[..., Any], targets: list[str], server: subprocess.Popen[str]
    ) -> None:
        super().__init__()
        self._connect, self._targets = connect, targets
        self.found: Any = None
        self.resumes = -1
        self._begun = threading.Event()
        self.start()
        assert self._begun.wait(PATIENCE)
        before = processor_seconds(server)
        until(lambda: processor_seconds(server) > before + 0.1)

    def run(self) -> None:
        with self._connect(self._targets) as client:
            hall = client.register(LONG)
            client.apply(SIGNAL[:1000], hall, algorithm="direct")
            self._begun.set()
            self.found = client.apply(SIGNAL, hall, algorithm="direct")
            self.resumes = client.resumes


@pytest.fixture
def expected() -> Any:
    return np.convolve(SIGNAL[:3000].astype(float), LONG)[:3000]


def health(address: str) -> Callable[[], str]:
    channel = grpc.insecure_channel(address)
    stub: Any = health_pb2_grpc.HealthStub(channel)
    names = health_pb2.HealthCheckResponse.ServingStatus

    def ask() -> str:
        return names.Name(stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE).status)

    assert ask() == "SERVING"
    return ask


def test_what_is_in_flight_ends_and_streams_go_on_elsewhere(
    connect: Callable[..., Any], expected: Any
) -> None:
    blocks = np.split(SIGNAL[: 100 * 512], 100)
    with Fleet(2, "--grace-seconds", str(PATIENCE), *ONE_THREAD) as fleet:
        stopping = fleet.process(0)
        ask = health(fleet.direct[0])
        with Client(fleet.direct) as steady, steady.stream(HALL) as undisturbed:
            due = [undisturbed.push(block) for block in blocks]
        with connect(fleet.targets) as client, client.stream(HALL) as live:
            found = [live.push(blocks[0])]
            work = Work(connect, fleet.targets[:1], stopping)
            stopping.send_signal(signal.SIGTERM)
            while ask() != "NOT_SERVING":
                time.sleep(0.01)
            assert work.is_alive(), "the call was over before the server was stopped"
            found += [live.push(block) for block in blocks[1:]]
            np.testing.assert_array_equal(np.concatenate(found), np.concatenate(due))
            assert (client.resumes, client.target) == (1, fleet.targets[1])
            # A call in flight is let finish where it is.
            work.join(PATIENCE)
            assert work.resumes == 0
            np.testing.assert_allclose(work.found[:3000], expected, rtol=1e-2, atol=1e-2)
        assert stopping.wait(PATIENCE) == 0


def test_what_outlasts_the_grace_is_done_again_elsewhere(expected: Any) -> None:
    with Fleet(2, "--grace-seconds", "0.1", *ONE_THREAD) as fleet:
        stopping = fleet.process(0)
        work = Work(CLIENTS["sync"], fleet.targets, stopping)
        stopping.send_signal(signal.SIGTERM)
        work.join(PATIENCE)
        assert work.resumes == 1
        np.testing.assert_allclose(work.found[:3000], expected, rtol=1e-2, atol=1e-2)
        assert stopping.wait(PATIENCE) == 0
