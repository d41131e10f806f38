"""Errors of the contract's table whose reason is finer than their class in the vocabulary.

Whoever catches the vocabulary's class catches these, too; `error.reason` tells them apart.
"""

from __future__ import annotations

from convolved_vocabulary import (
    DeadlineExceeded,
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
)

__all__ = [
    "Draining",
    "IdleTimeout",
    "OutOfSequence",
    "Overloaded",
    "StorageFull",
    "TooLarge",
    "Unauthenticated",
    "UnknownField",
]


class UnknownField(InvalidArgument):
    """A field or enum number that this side does not know."""

    reason = "UNKNOWN_FIELD"


class OutOfSequence(InvalidArgument):
    """Messages of a stream in the wrong order, or offsets with a gap or an overlap."""

    reason = "OUT_OF_SEQUENCE"


class TooLarge(ResourceExhausted):
    """Beyond a limit, and always will be."""

    reason = "TOO_LARGE"


class Overloaded(ResourceExhausted):
    """No room now; `retry_after` says when to come again."""

    reason = "OVERLOADED"


class StorageFull(ResourceExhausted):
    """The filter cannot be stored; nothing was stored."""

    reason = "STORAGE_FULL"


class Draining(Unavailable):
    """The server is stopping, or the stream has lasted as long as it may."""

    reason = "DRAINING"


class IdleTimeout(DeadlineExceeded):
    """No message came on a stream for as long as the server waits."""

    reason = "IDLE_TIMEOUT"


class Unauthenticated(PermissionDenied):
    """No credentials, or none that hold."""

    reason = "UNAUTHENTICATED"
