"""Over the wire: how many streams one server process holds at the pace of a sound card.

The law: a count is held if 99 of 100 blocks have their answer within one block's duration of the
moment when they were due. Clients share the machine with the server, and ask ours and the echoes by
the same code; what they cost is part of what limits both.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.asking import Asked
from benchmarks.children import Children, ServerChild, settle
from benchmarks.results import Bar, Measurement
from benchmarks.rounds import interleave, ratio_of_medians

from .cases import WIRE_BLOCK, WIRE_SECONDS, Effort
from .pacing import PERIOD
from .servers import ECHO, ECHO_ALIKE, ENVIRONMENT, MODULES, SERVICE

__all__ = ["COST", "HELD", "Server", "greatest", "measure"]

HELD = "streams held"
COST = "server's processor time a block"

_LIMIT = 0.7
_IN_TIME = 0.99
_STEP = 1.5
_FIRST = 64
# Counts that differ by less are taken for the same.
_RESOLUTION = 1.07
_START_SECONDS = 120.0
_SETTLE_SECONDS = 30.0


def measure(effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Find the greatest counts that are held, in turns."""
    case = f"{WIRE_SECONDS:g} s, blocks of {WIRE_BLOCK}"
    with _servers(effort) as servers:
        found = interleave(
            {name: partial(server.next_count, effort) for name, server in servers.items()},
            effort.counts,
        )
        costs = {name: server.cost for name, server in servers.items()}
    measurements = [
        Measurement(HELD, case, name, "streams", values) for name, values in found.items()
    ]
    measurements += [Measurement(COST, case, name, "s", (cost,)) for name, cost in costs.items()]
    # The echo is bare, as gRPC comes; what setting gRPC alone gains is told beside that.
    bars = [
        Bar(
            f"concurrent streams over the wire, {SERVICE} / {echo}",
            case,
            *ratio_of_medians(found[SERVICE], found[echo]),
            "at least",
            limit,
        )
        for echo, limit in ((ECHO, _LIMIT), (ECHO_ALIKE, None))
    ]
    return measurements, bars


def greatest(holds: Callable[[int], bool], first: int, step: float, most: int) -> int:
    """The greatest count that is held, found by steps and then by halving; 0 if none is.

    >>> greatest(lambda count: count <= 37, first=10, step=1.5, most=512)
    37
    >>> greatest(lambda count: True, first=10, step=1.5, most=64)
    64
    """
    held, lost = 0, most + 1
    count = min(first, most)
    while held < most:
        if holds(count):
            held = count
        else:
            lost = count
        if lost > most:
            count = min(most, max(held + 1, round(held * step)))
        elif not held and lost > 1:
            count = max(1, round(lost / step) if lost > 2 else 1)
        elif lost <= max(held + 1, held * _RESOLUTION):
            break
        else:
            count = (held + lost) // 2
    return held


class Server:
    """One server, and the processes of its clients.

    Args:
        process: of the server.
        clients: of its clients.

    Attributes:
        cost: the server's processor time for a block, at the greatest count held so far.
    """

    def __init__(self, process: ServerChild, clients: Sequence[Asked]) -> None:
        self._process = process
        self._clients = clients
        self._last = 0
        self.cost = 0.0

    def next_count(self, effort: Effort) -> float:
        """Find the greatest count anew; the last one says where to begin."""

        def holds(count: int) -> bool:
            # A disturbance of the machine is met once; what is too much is too much twice.
            return self.holds(count, effort) or self.holds(count, effort)

        first = self._last or _FIRST
        step = 1.1 if self._last else _STEP
        self._last = greatest(holds, first, step, effort.most)
        return float(self._last)

    def holds(self, count: int, effort: Effort) -> bool:
        """Whether so many streams are held for as long as they are watched."""
        shares = [range(index, count, len(self._clients)) for index in range(len(self._clients))]
        try:
            now = max(self._ask("open", [{"streams": len(share)} for share in shares]))
            skip, blocks = round(effort.warm / PERIOD), round(effort.watched / PERIOD)
            spent = self._process.processor_seconds()
            # Sound cards are not in step with each other.
            pushes = [
                {
                    "begin": now + 0.2,
                    "phases": [stream / count for stream in share],
                    "skip": skip,
                    "blocks": blocks,
                }
                for share in shares
            ]
            late = np.concatenate(self._ask("push", pushes))
            spent = self._process.processor_seconds() - spent
        finally:
            self._ask("close", [{} for _ in shares])
        held = float(np.mean(late <= PERIOD)) >= _IN_TIME
        if held:
            self.cost = spent / (count * (skip + blocks))
        # The server forgets its streams before it is asked for others.
        time.sleep(0.1)
        return held

    def _ask(self, do: str, arguments: Sequence[dict[str, Any]]) -> list[Any]:
        for client, given in zip(self._clients, arguments, strict=True):
            client.tell(do, **given)
        return [client.answer() for client in self._clients]


@contextmanager
def _servers(effort: Effort) -> Iterator[dict[str, Server]]:
    with tempfile.TemporaryDirectory() as name, Children() as children:
        started = {}
        for index, (server, (module, arguments)) in enumerate(MODULES.items()):
            path = str(Path(name) / str(index))
            given = [argument.format(path) for argument in arguments]
            started[server] = children.add(ServerChild(module, given, ENVIRONMENT.get(server)))
        for process in started.values():
            process.await_ready(_START_SECONDS)
        clients = {
            server: [
                children.add(Asked("benchmarks.stream.pacing", [server, process.address]))
                for _ in range(effort.clients)
            ]
            for server, process in started.items()
        }
        for group in clients.values():
            for client in group:
                client.greet()
        settle(list(started.values()), _SETTLE_SECONDS)
        servers = {key: Server(process, clients[key]) for key, process in started.items()}
        for each in servers.values():
            # What is done once, when streams come for the first time, is no part of holding them.
            each.holds(min(_FIRST, effort.most), effort)
        yield servers
