"""The tree of errors: what each is also, what it says, and that it survives being sent."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import convolved_vocabulary
from convolved_vocabulary import errors
from convolved_vocabulary.errors import (
    Cancelled,
    ConvolvedError,
    DeadlineExceeded,
    FailedPrecondition,
    IntegerOverflow,
    Internal,
    InvalidArgument,
    MissingExtra,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
    Unsupported,
)

SAID: list[tuple[ConvolvedError, type[Exception], str]] = [
    (InvalidArgument("stride", 0, "at least 1"), ValueError, "stride: got 0; want at least 1"),
    (IntegerOverflow("weight", "much", "less"), OverflowError, "weight: got much; want less"),
    (NotFound("no filter filters/ab"), LookupError, "no filter filters/ab"),
    (FailedPrecondition("the stream has ended"), ConvolvedError, "the stream has ended"),
    (ResourceExhausted("busy", retry_after=0.5), ConvolvedError, "busy"),
    (Unavailable("draining"), ConnectionError, "draining"),
    (DeadlineExceeded("too late"), TimeoutError, "too late"),
    (Cancelled("stopped"), ConvolvedError, "stopped"),
    (PermissionDenied("no"), PermissionError, "no"),
    (Unsupported("not here"), NotImplementedError, "not here"),
    (Internal("a fault"), ConvolvedError, "a fault"),
    (
        MissingExtra("convolved apply", "cli"),
        ImportError,
        "convolved apply needs a part that is not installed: pip install 'convolved[cli]'",
    ),
]
each_error = pytest.mark.parametrize(
    ("error", "also", "sentence"), SAID, ids=[type(row[0]).__name__ for row in SAID]
)


@each_error
def test_it_is_caught_as_ours_and_as_pythons_own(
    error: ConvolvedError, also: type[Exception], sentence: str
) -> None:
    assert isinstance(error, ConvolvedError)
    assert isinstance(error, also)
    assert str(error) == error.message == sentence


@each_error
@pytest.mark.parametrize(
    "carry", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_it_says_the_same_in_another_process(
    error: ConvolvedError, also: type[Exception], sentence: str, carry: Any
) -> None:
    back = carry(error)
    assert type(back) is type(error)
    assert str(back) == sentence
    assert vars(back) == vars(error)
    assert back.reason == error.reason


def test_each_error_has_a_reason_of_its_own_for_machines() -> None:
    reasons = [type(error).reason for error, _, _ in SAID]
    assert len(set(reasons)) == len(reasons)
    assert all(reason.isupper() for reason in reasons)


def test_the_table_above_is_complete_and_everything_is_exported() -> None:
    assert {type(error).__name__ for error, _, _ in SAID} | {"ConvolvedError"} == set(
        errors.__all__
    )
    assert set(errors.__all__) <= set(convolved_vocabulary.__all__)


def test_every_exported_name_exists_and_the_list_is_sorted() -> None:
    names = convolved_vocabulary.__all__
    assert all(hasattr(convolved_vocabulary, name) for name in names)
    upper = [name for name in names if name.isupper()]
    classes = [name for name in names if name[0].isupper() and name not in upper]
    functions = [name for name in names if name[0].islower()]
    assert names == sorted(upper) + sorted(classes) + sorted(functions)


def test_an_argument_can_be_placed_below_a_path_and_keeps_its_kind() -> None:
    placed = IntegerOverflow("weight", "much", "less").within("layers[2]")
    assert type(placed) is IntegerOverflow
    assert str(placed) == "layers[2].weight: got much; want less"


def test_never_and_later_are_told_apart() -> None:
    assert ResourceExhausted("too large").retry_after is None
    assert ResourceExhausted("busy", 2.0).retry_after == 2.0
