"""What the transports of both clients have in common: everything but performing a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from convolved.channel import call_metadata, checked_timeout
from convolved.connections import Connections, Targets
from convolved.session.deadline import Deadline
from convolved.session.operations import Steps
from convolved.session.resuming import Lost, Resuming

__all__ = ["TransportFace"]

C = TypeVar("C")
T = TypeVar("T")


class TransportFace(Generic[C]):
    """The connections of one client, and the rules of its calls.

    Args:
        target: `HOST:PORT` or `unix:PATH`, or several of them.
        token: sent with every call, or None.
        timeout: seconds that a call, or a push of a stream, may take; None for no limit.
        resuming: the rule by which lost calls and streams are taken up again.
        connect: makes a channel to a server.
    """

    def __init__(
        self,
        target: str | Sequence[str],
        token: str | None,
        timeout: float | None,
        resuming: Resuming,
        connect: Callable[[str], C],
    ) -> None:
        self._targets = Targets(target)
        self._connections = Connections(self._targets, connect)
        self._timeout = checked_timeout(timeout)
        self._metadata = call_metadata(token)
        self._resuming = resuming
        resuming.servers = len(self._targets)

    @property
    def target(self) -> str:
        """The server that is used."""
        return self._targets.current

    def deadline(self) -> Deadline:
        """That of a call that begins now."""
        return Deadline.after(self._timeout)

    def _persistent(self, steps: Steps[T], lost: Lost[C] | None) -> tuple[Steps[T], Deadline]:
        """Steps that are tried again while that may help, and by when they have to be done."""
        if lost is None:
            deadline = self.deadline()
            return self._resuming.persist(steps, deadline), deadline
        self._connections.failed(lost.lease, lost.error)
        return self._resuming.persist(steps, lost.deadline, lost.error), lost.deadline
