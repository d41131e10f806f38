"""The servers that a client knows, and its connections to them.

The law: a connection over which a call was lost is used for no further call. The next one makes
its own, so that neither a server that drains nor the transport's waits hold it; what still runs
over the old one goes on to its end, and then nothing is left of it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from convolved_vocabulary import (
    ConvolvedError,
    FailedPrecondition,
    InvalidArgument,
    ResourceExhausted,
)

__all__ = ["Connections", "Lease", "Targets"]

C = TypeVar("C")

# To a host without a port gRPC would go at that of HTTPS; colons in brackets are of the host.
_ADDRESS = re.compile(r":[^\]]*$")


class Targets:
    """The servers that a client knows, and the one that it uses.

    Args:
        target: `HOST:PORT` or `unix:PATH`, or several of them.

    >>> targets = Targets(["one:50051", "two:50051"])
    >>> targets.turn_from("one:50051")
    >>> targets.current
    'two:50051'
    """

    def __init__(self, target: str | Sequence[str]) -> None:
        several = target if isinstance(target, list | tuple) else (target,)
        known = [each for each in several if isinstance(each, str) and _ADDRESS.search(each)]
        if not known or len(known) != len(several):
            raise InvalidArgument(
                "target", repr(target), "'HOST:PORT' or 'unix:PATH', or a list of them"
            )
        self._known = list(dict.fromkeys(known))
        self.current: str = known[0]

    def __len__(self) -> int:
        return len(self._known)

    def turn_from(self, lost: str) -> None:
        """Use the next one, unless that was done already."""
        if self.current == lost:
            following = self._known.index(lost) + 1
            self.current = self._known[following % len(self._known)]


class _Connection(Generic[C]):
    def __init__(self, target: str, channel: C) -> None:
        self.target = target
        self.channel = channel
        self.leases: set[Lease[C]] = set()
        self.methods: dict[str, Any] = {}


class Lease(Generic[C]):
    """The use of a connection by one call, until it is ended; a context manager that ends it."""

    def __init__(self, connection: _Connection[C]) -> None:
        self._connection = connection
        connection.leases.add(self)

    @property
    def target(self) -> str:
        """The server at its other end."""
        return self._connection.target

    @property
    def channel(self) -> C:
        """What carries it."""
        return self._connection.channel

    @property
    def methods(self) -> dict[str, Any]:
        """What calls its methods, by path, kept as long as the connection."""
        return self._connection.methods

    def another(self) -> Lease[C]:
        """A lease of the same connection, while this one lasts."""
        return Lease(self._connection)

    def end(self) -> None:
        """End the use. May be repeated, at any moment and from any thread."""
        self._connection.leases.discard(self)

    def __enter__(self) -> Lease[C]:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class Connections(Generic[C]):
    """The connections of one client: one in use for each server, and what was given up.

    Args:
        targets: the servers.
        connect: makes a channel to one.
    """

    def __init__(self, targets: Targets, connect: Callable[[str], C]) -> None:
        self.targets = targets
        self._connect = connect
        self._lock = threading.Lock()
        self._in_use: dict[str, _Connection[C]] = {}
        self._given_up: list[_Connection[C]] = []
        self._closed = False

    def lease(self) -> Lease[C]:
        """Use the connection to the present server, made when it is first needed.

        Raises:
            FailedPrecondition: after `close`.
        """
        with self._lock:
            if self._closed:
                raise FailedPrecondition("the client is closed: make another")
            target = self.targets.current
            if target not in self._in_use:
                self._in_use[target] = _Connection(target, self._connect(target))
            return Lease(self._in_use[target])

    def failed(self, lease: Lease[C], error: ConvolvedError) -> None:
        """Draw the conclusions from the error of a call.

        A loss ends the use of its connection. After it, and after a refusal for the moment, the
        next server is used.
        """
        refused = isinstance(error, ResourceExhausted) and error.retry_after is not None
        with self._lock:
            if error.resumable:
                self._give_up(lease._connection)
            if error.resumable or refused:
                self.targets.turn_from(lease.target)

    def unused(self) -> list[C]:
        """Channels that were given up and carry nothing any more, each told once, to be closed."""
        if not self._given_up:
            return []
        with self._lock:
            found = [each for each in self._given_up if not each.leases]
            self._given_up = [each for each in self._given_up if each not in found]
        return [each.channel for each in found]

    def close(self) -> list[C]:
        """Make no more; gives every channel there is, to be closed."""
        with self._lock:
            self._closed = True
            found = [*self._in_use.values(), *self._given_up]
            self._in_use, self._given_up = {}, []
        return [each.channel for each in found]

    def _give_up(self, connection: _Connection[C]) -> None:
        if self._in_use.get(connection.target) is connection:
            del self._in_use[connection.target]
            self._given_up.append(connection)
