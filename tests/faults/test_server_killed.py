"""Fault 1: a server is killed in mid-stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from convolved import Unavailable
from tests.client.both import CLIENTS

from .fleet import Fleet

RANDOM = np.random.default_rng(1)
HALL = RANDOM.standard_normal(9_000).astype(np.float32)
SIGNAL = RANDOM.standard_normal(4_000_000).astype(np.float32)


@pytest.fixture(scope="module")
def alone() -> Iterator[Fleet]:
    """One server, which comes back when it is killed."""
    with Fleet(1) as fleet:
        yield fleet


def undisturbed(fleet: Fleet, use: Callable[[Any], Any]) -> Any:
    with CLIENTS["sync"](fleet.direct) as client:
        return use(client)


def push_on(live: Any) -> None:
    while True:
        live.push(SIGNAL[:512])


def test_a_live_stream_goes_on_when_the_server_is_back(
    alone: Fleet, connect: Callable[..., Any]
) -> None:
    def push(client: Any, kill_at: int = -1) -> Any:
        with client.stream(HALL, block=512) as live:
            found = []
            for begin in range(0, 60 * 512, 512):
                if begin == kill_at:
                    assert alone.kill(0)
                found.append(live.push(SIGNAL[begin : begin + 512]))
                assert live.outputs == live.inputs == begin + 512
            return np.concatenate([*found, live.flush()[0]])

    expected = undisturbed(alone, push)
    with connect(alone.targets) as client:
        np.testing.assert_array_equal(push(client, 30 * 512), expected)
        assert client.resumes == 1
    alone.wait_whole()


def test_a_signal_on_its_way_goes_on_when_the_server_is_back(
    alone: Fleet, connect: Callable[..., Any]
) -> None:
    expected = undisturbed(alone, lambda client: client.apply(SIGNAL, HALL))
    told: list[int] = []

    def progress(done: int, total: int) -> None:
        if not told:
            assert alone.kill(0)
        told.append(done)

    with connect(alone.targets, progress=progress) as client:
        np.testing.assert_array_equal(client.apply(SIGNAL, HALL), expected)
        assert client.resumes == 1
    assert told == sorted(set(told))
    assert told[-1] == expected.size
    alone.wait_whole()


def test_without_resuming_the_loss_is_told_promptly_and_never_as_an_end(
    alone: Fleet, connect: Callable[..., Any]
) -> None:
    with connect(alone.targets, resume=False) as client:
        with client.stream(HALL) as live:
            live.push(SIGNAL[:512])
            assert alone.kill(0)
            begin = time.monotonic()
            with pytest.raises(Unavailable):
                push_on(live)
        with pytest.raises(Unavailable):
            client.apply(SIGNAL, HALL)
        # With resuming it would be waited for half a minute.
        assert time.monotonic() - begin < 10
    alone.wait_whole()
