"""Fault 26: connections and streams last only so long; calls are unaffected, streams go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import convolved_engine as engine
from tests.client import fake
from tests.server import harness

TAPS = np.random.default_rng(3).standard_normal(300).astype(np.float32)
SIGNAL = np.random.default_rng(4).standard_normal(40 * 512).astype(np.float32)


def converse(client: Any, resumes: int) -> None:
    """Push until the stream has gone on so often, with calls between."""
    said: list[Any] = []
    found: list[Any] = []
    with client.stream(TAPS, block=512) as live:
        while client.resumes < resumes:
            said.append(SIGNAL[512 * (len(said) % 40) :][:512])
            found.append(live.push(said[-1]))
            assert client.apply(SIGNAL[:512], TAPS).size == 811
            time.sleep(0.03)
        found.append(live.flush()[0])
    expected = engine.apply(np.concatenate(said), TAPS)
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-3)


def test_a_stream_that_reached_its_lifetime_goes_on(connect: Callable[..., Any]) -> None:
    with (
        harness.serving(stream_lifetime_seconds=0.6) as server,
        connect(server.address) as client,
    ):
        converse(client, 3)


def test_a_connection_that_reached_its_age_harms_nothing(connect: Callable[..., Any]) -> None:
    # A busy machine takes its time to connect again.
    age = {"max_connection_age_ms": 1000, "max_connection_age_grace_ms": 200}
    with (
        fake.serving(fake.Honest().handlers(), **age) as address,
        connect(address) as client,
    ):
        client.info()
        converse(client, 2)
