"""Signals on their way through servers that die and wires that are cut, all drawn from a seed."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved import Client
from tests.client.both import CLIENTS

from .cases import Case, drawn, drawn_swapping
from .fleet import Fleet

__all__ = ["Disturbance", "Outcome", "disturb"]

PATIENCE_SECONDS = 60.0


class Disturbance:
    """Cuts a wire, or kills a server, whenever a drawn number of bytes has passed.

    Args:
        chance: draws.

    Attributes:
        cuts: done so far.
        gap: the mean number of bytes between two; None while nothing shall happen.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._lock = threading.Lock()
        self._left, self._most = 0.0, 0
        self.cuts = self.cuts_wanted = self.kills_wanted = 0
        self.gap: float | None = None
        self.fleet: Fleet | None = None

    def arm(self, gap: float, most: int) -> None:
        """Begin, and go on until all that is wanted is done, or `most` of it."""
        with self._lock:
            self.gap, self._most = gap, most
            self._left = self._chance.uniform(0.0, 2.0 * gap)

    def rest(self) -> None:
        """Let everything pass."""
        self.gap = None

    @property
    def done(self) -> bool:
        """Whether all that is wanted is done."""
        return not self.cuts_wanted and not self.kills_wanted

    def passed(self, server: int, direction: str, count: int) -> int:
        """What a wire asks before it forwards."""
        with self._lock:
            if self.gap is None or self.done or not self._most:
                return count
            self._left -= count
            if self._left > 0:
                return count
            kept = max(0, min(count - 1, count + int(self._left)))
            self._left = self._chance.uniform(0.0, 2.0 * self.gap)
            kill = self._chance.random() * (self.cuts_wanted + self.kills_wanted)
            if kill < self.kills_wanted and self.fleet is not None and self.fleet.kill(server):
                self.kills_wanted -= 1
                self._most -= 1
                return count
            if not self.cuts_wanted:
                return count
            self.cuts_wanted -= 1
            self._most -= 1
            self.cuts += 1
            return kept


@dataclass
class Outcome:
    """What came of disturbing.

    Attributes:
        cases: how many signals went through.
        resumes: how often clients say that they went on.
        wrong: what came out otherwise than undisturbed, in words.
        seconds_to_resume: from each kill to the next output.
    """

    cases: int = 0
    resumes: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds_to_resume: list[float] = field(default_factory=list)


def disturb(
    fleet: Fleet,
    disturbance: Disturbance,
    seed: int,
    *,
    cuts: int,
    kills: int,
    swapping: bool = False,
) -> Outcome:
    """Send signals until so many connections were cut and servers killed under them.

    Args:
        fleet: of servers.
        disturbance: of their wires.
        seed: of everything that is drawn.
        cuts: of connections.
        kills: of servers.
        swapping: whether filters are swapped, in live streams only.
    """
    numbers, chance = np.random.default_rng(seed), random.Random(seed)
    disturbance.fleet = fleet
    disturbance.cuts_wanted, disturbance.kills_wanted = cuts, kills
    outcome = Outcome()
    while not disturbance.done:
        index = outcome.cases
        kind = list(CLIENTS)[index % 2]
        if swapping:
            case = drawn_swapping(numbers, chance, index=index)
        else:
            case = drawn(numbers, chance, live=index % 4 < 2, index=index)
        with Client(fleet.direct) as steady:
            expected = case.use(steady, case.filter, case.signal)
        targets = chance.sample(fleet.targets, len(fleet.targets))
        clock = _Clock(fleet)
        with CLIENTS[kind](
            targets, resume_timeout=PATIENCE_SECONDS, progress=clock.progress
        ) as client:
            # Of servers that never answered nobody knows that they will be back.
            client.info()
            disturbance.arm(_gap(case, expected, chance), max(3, (cuts + kills) // 25))
            filter = client.register(case.filter) if case.registered else case.filter
            found = case.use(clock.watched(client), filter, case.signal)
            disturbance.rest()
            outcome.resumes += client.resumes
        outcome.cases += 1
        outcome.seconds_to_resume += clock.seconds
        if not _same(found, expected):
            outcome.wrong.append(
                f"case {index}, {kind}: {case.name}: {_difference(found, expected)}"
            )
        if not fleet.whole and not disturbance.cuts_wanted:
            fleet.wait_whole()
    return outcome


def _gap(case: Case, expected: NDArray[Any], chance: random.Random) -> float:
    """A mean distance of disturbances between which something can come through."""
    each = case.signal.nbytes // case.signal.shape[-1]
    # Twice as far back as the filter reaches, where it works on a grid.
    repeated: int = 3 * each * (2 * int(case.filter.time.receptive_field.size) + case.longest)
    return repeated + (case.signal.nbytes + expected.nbytes) / chance.uniform(2.0, 12.0)


def _same(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    return found.dtype == expected.dtype and np.array_equal(found, expected)


def _difference(found: NDArray[Any], expected: NDArray[Any]) -> str:
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return f"{found.shape} {found.dtype} for {expected.shape} {expected.dtype}"
    differs = np.flatnonzero(np.any(found != expected, tuple(range(found.ndim - 1))))
    largest = np.abs(found - expected).max()
    return f"{differs.size} samples from {differs[0]} to {differs[-1]}, by up to {largest:g}"


class _Clock:
    """Measures how long it takes from a kill to the next output."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet, self._seen = fleet, len(fleet.kills)
        self.seconds: list[float] = []

    def progress(self, *_: int) -> None:
        """Note that output has come."""
        now = time.monotonic()
        kills = self._fleet.kills
        while self._seen < len(kills):
            self.seconds.append(now - kills[self._seen])
            self._seen += 1

    def watched(self, client: Any) -> Any:
        """The client, whose pushes are noted."""
        return _Watched(client, self)


class _Watched:
    def __init__(self, client: Any, clock: _Clock) -> None:
        self._client, self._clock = client, clock

    def stream(self, *arguments: Any, **named: Any) -> Any:
        stream = self._client.stream(*arguments, **named)
        return _WatchedStream(stream, self._clock)

    def register(self, *arguments: Any) -> Any:
        return self._client.register(*arguments)

    def apply(self, *arguments: Any, **named: Any) -> Any:
        return self._client.apply(*arguments, **named)


class _WatchedStream:
    def __init__(self, stream: Any, clock: _Clock) -> None:
        self._stream, self._clock = stream, clock

    def __enter__(self) -> _WatchedStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def push(self, block: NDArray[Any]) -> NDArray[Any]:
        found: NDArray[Any] = self._stream.push(block)
        self._clock.progress()
        return found

    def flush(self) -> NDArray[Any]:
        found: NDArray[Any] = self._stream.flush()
        self._clock.progress()
        return found
