"""Every error that users meet, in one tree; engine, client and wire raise the same words.

    ConvolvedError
    ├── InvalidArgument      (ValueError)       an argument that no server would take
    │   └── IntegerOverflow  (OverflowError)    an exact integer result has no room in its dtype
    ├── NotFound             (LookupError)      no filter of that name
    ├── FailedPrecondition                      right in itself, but not in this state
    ├── ResourceExhausted                       too large, or too busy: see `retry_after`
    ├── Unavailable          (ConnectionError)  the server is gone or going
    ├── DeadlineExceeded     (TimeoutError)     not done in the time allowed
    ├── Cancelled                               somebody stopped the work
    ├── PermissionDenied     (PermissionError)  not allowed, or not known
    ├── Unsupported          (NotImplementedError)  this server does not offer it
    ├── Internal                                a fault of ours; please report it
    └── MissingExtra         (ImportError)      an optional part is not installed

A message names the argument, what came and what would do, in this order.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "Cancelled",
    "ConvolvedError",
    "DeadlineExceeded",
    "FailedPrecondition",
    "IntegerOverflow",
    "Internal",
    "InvalidArgument",
    "MissingExtra",
    "NotFound",
    "PermissionDenied",
    "ResourceExhausted",
    "Unavailable",
    "Unsupported",
]


class ConvolvedError(Exception):
    """The root: one `except ConvolvedError` catches whatever this product raises on purpose.

    Attributes:
        message: the whole sentence, as `str(error)` gives it.
        reason: a constant word for machines, the same in `google.rpc.ErrorInfo.reason`.
        resumable: whether the server was lost, so that the same may be tried again elsewhere.
    """

    reason: ClassVar[str] = "UNKNOWN"
    resumable: bool = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidArgument(ConvolvedError, ValueError):
    """An argument is wrong whatever the state of the server.

    Attributes:
        argument: the path of the argument, such as `layers[0].stride`.
        came: what was given, in words.
        wanted: what would do.

    >>> raise InvalidArgument("stride", came="0", wanted="at least 1 on every axis")
    Traceback (most recent call last):
        ...
    convolved_vocabulary.errors.InvalidArgument: stride: got 0; want at least 1 on every axis
    """

    reason = "INVALID_ARGUMENT"

    def __init__(self, argument: str, came: object, wanted: str) -> None:
        self.argument = argument
        self.came: str = str(came)
        self.wanted = wanted
        super().__init__(f"{argument}: got {self.came}; want {wanted}")

    def within(self, path: str) -> InvalidArgument:
        """Return the same error with its argument placed below `path`.

        >>> str(InvalidArgument("stride", "0", "at least 1").within("layers[2]"))
        'layers[2].stride: got 0; want at least 1'
        """
        return type(self)(f"{path}.{self.argument}", self.came, self.wanted)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.argument, self.came, self.wanted)


class IntegerOverflow(InvalidArgument, OverflowError):
    """An exact integer result does not fit the dtype that it would have to have."""

    reason = "INTEGER_OVERFLOW"


class NotFound(ConvolvedError, LookupError):
    """No filter of that name is held by the server."""

    reason = "FILTER_NOT_FOUND"


class FailedPrecondition(ConvolvedError):
    """The request is right in itself but not in the present state."""

    reason = "FAILED_PRECONDITION"


class ResourceExhausted(ConvolvedError):
    """The request is larger than a limit, or the server has no room now.

    Attributes:
        retry_after: seconds after which it is worth trying again, or None if never as it is.
    """

    reason = "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(ConvolvedError, ConnectionError):
    """The server cannot be reached, died, or is draining."""

    reason = "UNAVAILABLE"
    resumable = True


class DeadlineExceeded(ConvolvedError, TimeoutError):
    """The work was not done in the time allowed."""

    reason = "DEADLINE_EXCEEDED"


class Cancelled(ConvolvedError):
    """The work was stopped by its owner or by the server."""

    reason = "CANCELLED"


class PermissionDenied(ConvolvedError, PermissionError):
    """The caller is not known to the server, or not allowed to do this."""

    reason = "PERMISSION_DENIED"


class Unsupported(ConvolvedError, NotImplementedError):
    """This server does not offer what was asked."""

    reason = "UNSUPPORTED"


class Internal(ConvolvedError):
    """A fault of the product itself."""

    reason = "INTERNAL"


class MissingExtra(ConvolvedError, ImportError):
    """An optional part is not installed.

    >>> str(MissingExtra("convolved apply", "cli"))
    "convolved apply needs a part that is not installed: pip install 'convolved[cli]'"
    """

    reason = "MISSING_EXTRA"

    def __init__(self, what: str, extra: str) -> None:
        self.what = what
        self.extra = extra
        super().__init__(
            f"{what} needs a part that is not installed: pip install 'convolved[{extra}]'"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.what, self.extra)
