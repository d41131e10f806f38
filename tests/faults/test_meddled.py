"""Faults 33 and 34: a proxy whose backend dies, and one that loses, doubles and shuffles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import grpc
import numpy as np
import pytest

import convolved_engine as engine
from convolved import Internal, InvalidArgument
from tests.server.harness import serving

from .fleet import Fleet
from .forwarder import forwarding

TAPS = np.random.default_rng(5).standard_normal(100).astype(np.float32)
SIGNAL = np.random.default_rng(6).standard_normal(1_500_000).astype(np.float32)


def whole(client: Any) -> Any:
    return client.apply(SIGNAL, TAPS)


def live(client: Any) -> Any:
    with client.stream(TAPS) as stream:
        found = [stream.push(block) for block in np.array_split(SIGNAL[:5000], 10)]
        return np.concatenate([*found, stream.flush()[0]])


def lost(messages: Iterator[bytes]) -> Iterator[bytes]:
    yield from islice(messages, 2)
    next(messages)
    yield from messages


def doubled(messages: Iterator[bytes]) -> Iterator[bytes]:
    for count, message in enumerate(messages):
        yield message
        if count == 2:
            yield message


def shuffled(messages: Iterator[bytes]) -> Iterator[bytes]:
    yield from islice(messages, 1)
    first, second = next(messages), next(messages)
    yield second
    yield first
    yield from messages


@pytest.mark.parametrize("meddle", [lost, doubled, shuffled])
def test_what_the_client_sends_is_refused_where_it_is_out_of_sequence(
    connect: Callable[..., Any], meddle: Any
) -> None:
    with (
        serving() as server,
        forwarding(server.address, up=meddle) as address,
        connect(address) as client,
    ):
        with pytest.raises(InvalidArgument, match="offset") as caught:
            whole(client)
        assert caught.value.reason == "OUT_OF_SEQUENCE"
        assert client.resumes == 0


# Of a live stream one answer at most is under way: none can pass another, and one that is lost is
# waited for.
@pytest.mark.parametrize(
    ("use", "meddle"), [(whole, lost), (whole, doubled), (whole, shuffled), (live, doubled)]
)
def test_what_the_server_sends_is_refused_where_it_is_out_of_sequence(
    connect: Callable[..., Any], meddle: Any, use: Any
) -> None:
    with (
        serving() as server,
        forwarding(server.address, down=meddle) as address,
        connect(address) as client,
    ):
        with pytest.raises(Internal, match="the server sent outputs"):
            use(client)
        assert client.resumes == 0


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN])
def test_a_backend_that_dies_behind_a_proxy_is_replaced(
    connect: Callable[..., Any], code: grpc.StatusCode
) -> None:
    with (
        Fleet(1) as fleet,
        forwarding(fleet.targets[0], loss=code) as address,
        connect(address) as client,
        client.stream(TAPS) as stream,
    ):
        blocks = np.array_split(SIGNAL[:5000], 10)
        found = [stream.push(block) for block in blocks[:5]]
        fleet.proxy(0).cut()
        found += [stream.push(block) for block in blocks[5:]]
        found.append(stream.flush()[0])
        assert client.resumes == 1
    np.testing.assert_allclose(np.concatenate(found), engine.apply(SIGNAL[:5000], TAPS), atol=1e-3)
