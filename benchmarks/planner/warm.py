"""The first call in a server that has warmed up, over the tenth: what a restart costs its callers.

Each figure has a server of its own, which is asked what it is before, so that the connection
stands. The filter is registered, at which the server makes it ready for signals of some lengths,
but not of this one. So the first call is the connection's first of its size, too. What the filter
alone costs is told by the first call with another one, of another length, over the same connection.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.children import Children, ServerChild
from benchmarks.results import Bar, Measurement
from benchmarks.rounds import ratio_of_medians
from convolved import Client, Conv, Filter, RegisteredFilter, impulse_response

from .problems import Effort

__all__ = ["ANOTHER", "FIRST", "LATER", "measure"]

FIRST = "first call in a warm server"
LATER = "tenth call"
ANOTHER = "first call with another filter"

_CALLS = 12
# The calls whose median stands for the tenth.
_LATER = slice(8, 11)
_START_SECONDS = 120.0


@dataclass(frozen=True)
class _Case:
    name: str
    filter: Filter
    signal: NDArray[np.float32]
    another: Filter

    @property
    def shorter(self) -> NDArray[np.float32]:
        """A signal of another length."""
        return np.ascontiguousarray(self.signal[..., : -max(1, self.signal.shape[-1] // 50)])


@dataclass(frozen=True)
class _Times:
    calls: list[float]
    another: float


def measure(effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Call servers that have just started."""
    measurements: list[Measurement] = []
    bars: list[Bar] = []
    for case in _cases()[: effort.warm_cases]:
        times = [_calls(case) for _ in range(effort.servers)]
        first = tuple(found.calls[0] for found in times)
        later = tuple(statistics.median(found.calls[_LATER]) for found in times)
        another = tuple(found.another for found in times)
        measurements += [
            Measurement(FIRST, case.name, "convolved", "s", first),
            Measurement(LATER, case.name, "convolved", "s", later),
            Measurement(ANOTHER, case.name, "convolved", "s", another),
        ]
        ratio = ratio_of_medians(first, later)
        bars.append(Bar(f"{FIRST} / {LATER}", case.name, *ratio, "at most", 1.5))
    return measurements, bars


def _cases() -> list[_Case]:
    random = np.random.default_rng(0)

    def noise(*shape: int) -> NDArray[np.float32]:
        return random.standard_normal(shape, dtype=np.float32)

    def response(name: str, taps: int, samples: int) -> _Case:
        filter, another = impulse_response(noise(taps)), impulse_response(noise(taps))
        return _Case(name, filter, noise(samples), another)

    def kernels() -> Filter:
        return Filter(Conv(noise(16, 1, 5, 5), padding="same"))

    return [
        response("1 s through 63 taps", 63, 48_000),
        response("1 s through a response of 1 s", 48_000, 48_000),
        response("10 s through a response of 1 s", 48_000, 480_000),
        _Case("16 kernels of 5 x 5 over 128 x 500", kernels(), noise(1, 128, 500), kernels()),
    ]


def _calls(case: _Case) -> _Times:
    """The times of the first calls that a new server gets."""
    with tempfile.TemporaryDirectory() as folder, Children() as children:
        address = f"unix:{Path(folder, 'socket')}"
        waiting = ["--until-stdin-closes", "--warm-up-seconds", "60"]
        server = children.add(ServerChild("convolved_server", ["--listen", address, *waiting]))
        server.await_ready(_START_SECONDS)
        with Client(server.address) as client:
            client.info()
            held = client.register(case.filter)
            times = [_seconds(client, held, case.signal) for _ in range(_CALLS)]
            held = client.register(case.another)
            return _Times(times, _seconds(client, held, case.shorter))


def _seconds(client: Client, held: RegisteredFilter, signal: NDArray[np.float32]) -> float:
    begun = time.perf_counter()
    client.apply(signal, held)
    return time.perf_counter() - begun
