"""An error that crosses the wire keeps its class, its words and its attributes."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from convolved.wire import reasons
from convolved.wire.fields import located
from convolved.wire.status import error_from, error_of, resumable, status_of
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

CODES = {code.value[0]: code for code in grpc.StatusCode}

ERRORS: list[tuple[ConvolvedError, str, str]] = [
    (InvalidArgument("stride", 0, "at least 1"), "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
    (IntegerOverflow("x", "wide", "narrow"), "INVALID_ARGUMENT", "INTEGER_OVERFLOW"),
    (reasons.UnknownField("filter", 9, "less"), "INVALID_ARGUMENT", "UNKNOWN_FIELD"),
    (reasons.OutOfSequence("block.offset", 9, "8"), "INVALID_ARGUMENT", "OUT_OF_SEQUENCE"),
    (NotFound("no filter filters/00"), "NOT_FOUND", "FILTER_NOT_FOUND"),
    (FailedPrecondition("not now"), "FAILED_PRECONDITION", "FAILED_PRECONDITION"),
    (ResourceExhausted("full", 1.5), "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"),
    (reasons.TooLarge("5 MiB; 4 fit"), "RESOURCE_EXHAUSTED", "TOO_LARGE"),
    (reasons.Overloaded("come again", 0.25), "RESOURCE_EXHAUSTED", "OVERLOADED"),
    (reasons.StorageFull("no room"), "RESOURCE_EXHAUSTED", "STORAGE_FULL"),
    (Unavailable("gone"), "UNAVAILABLE", "UNAVAILABLE"),
    (reasons.Draining("going"), "UNAVAILABLE", "DRAINING"),
    (DeadlineExceeded("late"), "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
    (reasons.IdleTimeout("idle"), "DEADLINE_EXCEEDED", "IDLE_TIMEOUT"),
    (Cancelled("stopped"), "CANCELLED", "CANCELLED"),
    (PermissionDenied("not yours"), "PERMISSION_DENIED", "PERMISSION_DENIED"),
    (reasons.Unauthenticated("who?"), "UNAUTHENTICATED", "UNAUTHENTICATED"),
    (Unsupported("no gradients"), "UNIMPLEMENTED", "UNSUPPORTED"),
    (Internal("our fault"), "INTERNAL", "INTERNAL"),
]


class Failure:
    """A failed call, as both interfaces of gRPC tell it."""

    def __init__(
        self, code: grpc.StatusCode, message: str = "", details: bytes | None = None
    ) -> None:
        self._code, self._message, self._details = code, message, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._message

    def trailing_metadata(self) -> list[tuple[str, Any]]:
        return [] if self._details is None else [("grpc-status-details-bin", self._details)]


def failure(status: Status) -> Failure:
    return Failure(CODES[status.code], status.message, status.SerializeToString())


def detail(status: Status, kind: type[Any]) -> Any:
    found = kind()
    for packed in status.details:
        if packed.Unpack(found):
            return found
    return None


@pytest.mark.parametrize(("error", "code", "reason"), ERRORS, ids=lambda value: str(value))
def test_an_error_comes_back_as_it_was_raised(
    error: ConvolvedError, code: str, reason: str
) -> None:
    status = status_of(error)
    assert CODES[status.code].name == code
    info = detail(status, ErrorInfo)
    assert (info.domain, info.reason) == ("convolved", reason)
    received = error_of(failure(status))
    assert type(received) is type(error)
    assert str(received) == str(error)
    assert told(received) == told(error)


def told(error: ConvolvedError) -> dict[str, Any]:
    return {key: value for key, value in vars(error).items() if key not in ("field", "resumable")}


def test_every_reason_of_our_own_is_tried_above() -> None:
    tried = {reason for _, _, reason in ERRORS}
    assert {getattr(reasons, name).reason for name in reasons.__all__} <= tried


def test_the_field_is_named_for_clients_that_read_bad_request() -> None:
    with pytest.raises(InvalidArgument) as caught, located("filter.inline.layers[0].conv.groups"):
        raise InvalidArgument("groups", 3, "a divisor of 4")
    (violation,) = detail(status_of(caught.value), BadRequest).field_violations
    assert violation.field == "filter.inline.layers[0].conv.groups"
    assert violation.description == "groups: got 3; want a divisor of 4"


@pytest.mark.parametrize(
    ("argument", "field"),
    [
        ("x", "input"),
        ("layers[2].dtype", "filter.inline.layers[2]"),
        ("algorithm", "options.algorithm"),
        ("sample_rate_hertz", "sample_rate_hertz"),
    ],
)
def test_an_argument_of_the_vocabulary_is_placed_in_the_request(argument: str, field: str) -> None:
    status = status_of(InvalidArgument(argument, "this", "that"))
    (violation,) = detail(status, BadRequest).field_violations
    assert violation.field == field


def test_retry_info_says_when_to_come_again() -> None:
    retry = detail(status_of(reasons.Overloaded("full", 1.25)), RetryInfo)
    assert (retry.retry_delay.seconds, retry.retry_delay.nanos) == (1, 250_000_000)
    assert detail(status_of(reasons.TooLarge("never")), RetryInfo) is None


def test_what_nobody_foresaw_is_internal_and_gives_nothing_away() -> None:
    status = status_of(KeyError("a secret"))
    assert CODES[status.code] is grpc.StatusCode.INTERNAL
    assert b"secret" not in status.SerializeToString()


def test_a_server_out_of_memory_is_exhausted() -> None:
    assert isinstance(error_of(failure(status_of(MemoryError()))), ResourceExhausted)


@given(st.text(max_size=3000), st.text(max_size=3000), st.text(max_size=3000))
def test_a_status_never_outgrows_the_metadata(argument: str, came: str, wanted: str) -> None:
    status = status_of(InvalidArgument(argument, came, wanted))
    assert len(status.SerializeToString()) <= 6 << 10
    received = error_of(failure(status))
    assert isinstance(received, InvalidArgument)
    if len(came.encode("utf-8", "replace")) <= 700:
        assert received.came == came.encode("utf-8", "replace").decode()
    else:
        assert received.came.endswith(" ...")


@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        (
            grpc.StatusCode.UNAVAILABLE,
            Unavailable,
            "here:1 cannot be reached: words",
        ),
        (
            grpc.StatusCode.UNIMPLEMENTED,
            Unsupported,
            "here:1 does not offer this: words",
        ),
        (
            grpc.StatusCode.DEADLINE_EXCEEDED,
            DeadlineExceeded,
            "here:1 did not answer in the time allowed: words",
        ),
        (grpc.StatusCode.UNAUTHENTICATED, reasons.Unauthenticated, None),
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidArgument, None),
        (grpc.StatusCode.OUT_OF_RANGE, InvalidArgument, None),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ResourceExhausted, None),
        (grpc.StatusCode.CANCELLED, Cancelled, None),
        (grpc.StatusCode.NOT_FOUND, NotFound, "here:1 answered NOT_FOUND: words"),
        (grpc.StatusCode.UNKNOWN, Internal, "here:1 answered UNKNOWN: words"),
        (grpc.StatusCode.DATA_LOSS, Internal, None),
    ],
)
@pytest.mark.parametrize("details", [None, b"not a status", b""])
def test_a_status_of_the_transport_goes_by_its_code(
    code: grpc.StatusCode, kind: type[ConvolvedError], sentence: str | None, details: bytes | None
) -> None:
    error = error_from(code, "words", details, "here:1")
    assert type(error) is kind
    assert sentence in (None, str(error))
    assert "words" in str(error)


def test_a_reason_that_this_client_does_not_know_goes_by_the_code() -> None:
    status = status_of(Unavailable("gone"))
    info = ErrorInfo(domain="convolved", reason="ECLIPSE")
    status.details[0].Pack(info)
    assert type(error_of(failure(status))) is Unavailable


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unavailable("gone"), True),
        (reasons.Draining("going"), True),
        (reasons.IdleTimeout("idle"), True),
        (Internal("our fault"), False),
        (DeadlineExceeded("late"), False),
        (InvalidArgument("x", 1, "2"), False),
    ],
    ids=lambda value: str(value),
)
def test_a_stream_lost_to_the_server_may_be_resumed(error: ConvolvedError, expected: bool) -> None:
    assert resumable(failure(status_of(error))) is expected
    assert error_of(failure(status_of(error))).resumable is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.UNAVAILABLE, True),
        (grpc.StatusCode.INTERNAL, True),
        (grpc.StatusCode.UNKNOWN, True),
        (grpc.StatusCode.DEADLINE_EXCEEDED, False),
        (grpc.StatusCode.CANCELLED, False),
    ],
)
def test_a_backend_that_died_behind_a_proxy_may_be_resumed(
    code: grpc.StatusCode, expected: bool
) -> None:
    assert resumable(Failure(code)) is expected
    assert error_of(Failure(code)).resumable is expected
