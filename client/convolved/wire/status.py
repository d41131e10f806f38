"""Errors as `google.rpc.Status`, and back with the same words and attributes.

The table is the contract's. Texts are shortened before they are sent: a status whose details
are too long for the metadata would arrive as RESOURCE_EXHAUSTED.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from convolved_vocabulary import (
    Cancelled,
    ConvolvedError,
    DeadlineExceeded,
    FailedPrecondition,
    IntegerOverflow,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
    Unsupported,
)

from . import reasons
from .fields import field_of
from .plans import duration, seconds

__all__ = [
    "DETAILS_KEY",
    "DOMAIN",
    "RpcFailure",
    "error_from",
    "error_of",
    "resumable",
    "status_of",
]

DOMAIN = "convolved"
DETAILS_KEY = "grpc-status-details-bin"

# Five texts of this length, in base64, and the message once more stay below the 8 KiB of metadata
# that transports let pass.
_LONGEST_TEXT = 700

_CODES: list[tuple[type[BaseException], grpc.StatusCode]] = [
    (reasons.Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (InvalidArgument, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (FailedPrecondition, grpc.StatusCode.FAILED_PRECONDITION),
    (ResourceExhausted, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
    (DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED),
    (Cancelled, grpc.StatusCode.CANCELLED),
    (PermissionDenied, grpc.StatusCode.PERMISSION_DENIED),
    (Unsupported, grpc.StatusCode.UNIMPLEMENTED),
]
_BY_REASON: dict[str, type[ConvolvedError]] = {
    kind.reason: kind
    for kind in (
        InvalidArgument,
        IntegerOverflow,
        NotFound,
        FailedPrecondition,
        ResourceExhausted,
        Unavailable,
        DeadlineExceeded,
        Cancelled,
        PermissionDenied,
        Unsupported,
        Internal,
        *(getattr(reasons, name) for name in reasons.__all__),
    )
}
_BY_CODE: dict[grpc.StatusCode, type[ConvolvedError]] = {
    code: kind for kind, code in reversed(_CODES) if issubclass(kind, ConvolvedError)
} | {grpc.StatusCode.OUT_OF_RANGE: InvalidArgument}
_M = TypeVar("_M", bound=Message)


class RpcFailure(Protocol):
    """A call that failed, of gRPC's sync or asyncio interface."""

    def code(self) -> Any:
        """The status code."""

    def details(self) -> str | None:
        """The sentence."""

    def trailing_metadata(self) -> Any:
        """Keys and values that came with the status."""


def status_of(error: BaseException) -> Status:
    """The status that tells of `error`; what nobody foresaw is INTERNAL and says no more.

    >>> status = status_of(InvalidArgument("stride", 0, "at least 1"))
    >>> status.code, status.message
    (3, 'stride: got 0; want at least 1')
    """
    if isinstance(error, MemoryError):
        error = ResourceExhausted("the server has not enough memory for this")
    if not isinstance(error, ConvolvedError):
        error = Internal("a fault of the server, which has logged it; please report it")
    code = next(
        (code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL
    )
    reason = error.reason if error.reason in _BY_REASON else _BY_CODE.get(code, Internal).reason
    info = ErrorInfo(reason=reason, domain=DOMAIN)
    details: list[Message] = [info]
    message = _short(error.message)
    if isinstance(error, InvalidArgument):
        info.metadata["argument"] = _short(error.argument)
        info.metadata["came"] = _short(error.came)
        info.metadata["wanted"] = _short(error.wanted)
        violation = BadRequest.FieldViolation(field=_short(field_of(error)), description=message)
        details.append(BadRequest(field_violations=[violation]))
    if isinstance(error, ResourceExhausted) and error.retry_after is not None:
        details.append(RetryInfo(retry_delay=duration(error.retry_after)))
    status = Status(code=code.value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return status


def error_of(failure: RpcFailure, target: str = "the server") -> ConvolvedError:
    """The error that a failed call stands for.

    Args:
        failure: what gRPC raised.
        target: the server, for the words of errors that come from the transport.
    """
    error = error_from(failure.code(), failure.details(), details_of(failure), target)
    error.resumable = resumable(failure)
    return error


def error_from(
    code: grpc.StatusCode, message: str | None, details: bytes | None, target: str = "the server"
) -> ConvolvedError:
    """The error of a status: by its reason if it has one that is known, else by its code."""
    status = _parsed(details)
    info = _detail(status, ErrorInfo)
    if info is None or info.domain != DOMAIN:
        return _by_transport(code, message or "", target)
    kind = _BY_REASON.get(info.reason) or _BY_CODE.get(code, Internal)
    if issubclass(kind, InvalidArgument):
        words = info.metadata
        if "argument" in words:
            return kind(words["argument"], words["came"], words["wanted"])
        return kind("request", message or "", "what the server takes")
    sentence = (status.message if status else "") or message or ""
    if issubclass(kind, ResourceExhausted):
        retry = _detail(status, RetryInfo)
        return kind(sentence, None if retry is None else seconds(retry.retry_delay))
    return kind(sentence)


def resumable(failure: RpcFailure) -> bool:
    """Whether a stream that failed so may go on elsewhere, by a new Start.

    INTERNAL and UNKNOWN count only where no server of ours said so: a backend that died behind a
    proxy shows as one of them.
    """
    code = failure.code()
    info = _detail(_parsed(details_of(failure)), ErrorInfo)
    if code is grpc.StatusCode.UNAVAILABLE:
        return True
    if info is None or info.domain != DOMAIN:
        return code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
    return bool(info.reason == reasons.IdleTimeout.reason)


def details_of(failure: RpcFailure) -> bytes | None:
    """The bytes of the Status in the trailing metadata."""
    metadata: Iterable[tuple[str, str | bytes]] = failure.trailing_metadata() or ()
    for key, value in metadata:
        if key == DETAILS_KEY and isinstance(value, bytes):
            return value
    return None


def _by_transport(code: grpc.StatusCode, message: str, target: str) -> ConvolvedError:
    """The error of a status that no server of ours wrote."""
    kind = _BY_CODE.get(code, Internal)
    if issubclass(kind, InvalidArgument):
        return kind("request", message, "what the server takes")
    if kind is Unavailable:
        return Unavailable(f"{target} cannot be reached: {message}")
    if kind is Unsupported:
        return Unsupported(f"{target} does not offer this: {message}")
    if kind is DeadlineExceeded:
        return DeadlineExceeded(f"{target} did not answer in the time allowed: {message}")
    return kind(f"{target} answered {code.name}: {message}")


def _parsed(details: bytes | None) -> Status | None:
    if not details:
        return None
    try:
        return Status.FromString(details)
    except DecodeError:
        return None


def _detail(status: Status | None, kind: type[_M]) -> _M | None:
    for packed in status.details if status else ():
        if packed.Is(kind.DESCRIPTOR):
            found = kind()
            packed.Unpack(found)
            return found
    return None


def _short(text: str) -> str:
    """At most `_LONGEST_TEXT` bytes of UTF-8, saying so where something is left out."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= _LONGEST_TEXT:
        return raw.decode()
    return raw[: _LONGEST_TEXT - 4].decode("utf-8", "ignore") + " ..."
