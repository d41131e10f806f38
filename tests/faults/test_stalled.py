"""Faults 5 and 6: a reader that stops, and a server that does not read; memory stays bounded."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convolved import Client
from tests.server.harness import PATIENCE
from tests.server.process import process, resident_bytes, serving_on

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="tells a process's memory by /proc"
)

MIB = 1 << 20
TAPS = np.ones(63, np.float32)
# Pages that nobody wrote to take no memory until they are copied.
SIGNAL = np.zeros(64 * MIB, np.float32)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    # What compiling takes is no part of what is measured here.
    warm = ("--warm-up-seconds", "100")
    with process("--listen", "127.0.0.1:0", "--log-level", "error", *warm) as found:
        yield found


def own_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def steady(measure: Callable[[], int]) -> int:
    """The greatest of what is measured until it grows no more."""
    seen = [measure()]
    while len(seen) < 10 or seen[-1] - seen[-6] > MIB:
        time.sleep(0.1)
        seen.append(measure())
    return max(seen)


def test_readers_that_stop_cost_the_server_less_than_16_mib_each(
    child: subprocess.Popen[str], connect: Callable[..., Any]
) -> None:
    streams = 3
    address = serving_on(child)
    with Client(address) as first:
        first.apply(SIGNAL[: 4 * MIB], TAPS)
    before = resident_bytes(child)
    go_on = threading.Event()
    stopped = threading.Barrier(streams + 1)

    def stop(done: int, total: int) -> None:
        if not go_on.is_set():
            stopped.wait(PATIENCE)
            go_on.wait(PATIENCE)

    found: list[Any] = []

    def apply() -> None:
        with connect(address, progress=stop) as client:
            found.append(client.apply(SIGNAL[: 32 * MIB], TAPS))

    threads = [threading.Thread(target=apply) for _ in range(streams)]
    for thread in threads:
        thread.start()
    stopped.wait(PATIENCE)
    grown = steady(lambda: resident_bytes(child)) - before
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert [each.size for each in found] == [32 * MIB + 62] * streams
    assert grown / streams < 16 * MIB


@pytest.mark.parametrize("live", [False, True])
def test_a_server_that_does_not_read_costs_the_client_little(
    child: subprocess.Popen[str], connect: Callable[..., Any], live: bool
) -> None:
    found: list[Any] = []
    address = serving_on(child)

    def use() -> None:
        with connect(address) as client:
            if live:
                with client.stream(TAPS, dtype="int16") as stream:
                    found.append(stream.push(SIGNAL.view(np.int16)[: 32 * MIB]))
            else:
                found.append(client.apply(SIGNAL[: 16 * MIB], TAPS))

    with Client(address) as first:
        first.apply(SIGNAL[: 4 * MIB], TAPS)
    child.send_signal(signal.SIGSTOP)
    try:
        before = own_bytes()
        thread = threading.Thread(target=use)
        thread.start()
        grown = steady(own_bytes) - before
        assert thread.is_alive()
    finally:
        child.send_signal(signal.SIGCONT)
    thread.join(PATIENCE)
    assert grown < 24 * MIB
    (output,) = found
    assert output.size == (32 * MIB if live else 16 * MIB + 62)
    assert not output.any()
