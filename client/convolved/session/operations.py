"""The steps that a session asks its shell to take, and the only I/O there is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from convolved.methods import Method

from .differentiating import GradientsSession
from .live import LiveSession
from .whole import WholeSession

__all__ = ["Differentiate", "Exchange", "Open", "Operation", "Pause", "Steps", "Unary", "Upload"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unary:
    """Send one message; the response is sent back into the steps.

    Attributes:
        method: which.
        request: the message.
        again: the message after a loss, if another.
    """

    method: Method
    request: Any
    again: Any = None


@dataclass(frozen=True, slots=True)
class Upload:
    """Send what `requests()` gives; the one response is sent back into the steps."""

    method: Method
    requests: Callable[[], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Run a whole signal through a stream, writing and reading at the same time.

    The shell sends `session.requests()`, feeds `session.receive` with what comes, and
    `session.end` when the call has ended well.
    """

    session: WholeSession


@dataclass(frozen=True, slots=True)
class Differentiate:
    """Send a problem and receive its gradients, writing and reading at the same time.

    The shell does as for `Exchange`; what `session.end` gives is sent back into the steps.
    """

    session: GradientsSession


@dataclass(frozen=True, slots=True)
class Open:
    """Open a live stream, or take it up again where it stands.

    The shell sends `session.opening()`, and receives until it says that nothing more is due; if
    `session.ended`, these are the last messages of the call.

    What is sent back is the shell's own: its handle of the open call.
    """

    session: LiveSession


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait before the operation that follows is tried again."""

    seconds: float


Operation: TypeAlias = Unary | Upload | Exchange | Differentiate | Open | Pause
Steps: TypeAlias = Generator[Operation, Any, T]
