"""Admission: what is held comes back, and what does not fit hears when to come again."""

from __future__ import annotations

from typing import Any

import pytest

from convolved.wire.reasons import Overloaded, TooLarge
from convolved_server.admission import Admission


def admission(**budgets: Any) -> Admission:
    return Admission(
        **{"memory_bytes": 1000, "queue_seconds": 1.0, "streams": 2, "threads": 2} | budgets
    )


def test_a_ticket_gives_back_what_it_holds_once() -> None:
    desk = admission()
    with desk.admit(400, 0.1) as ticket:
        assert (desk.bytes_held, desk.seconds_held) == (400, 0.1)
        ticket.resize(700)
        assert desk.bytes_held == 700
        ticket.release()
    assert (desk.bytes_held, desk.seconds_held) == (0, 0.0)


def test_what_never_fits_is_too_large_and_what_does_not_fit_now_is_not() -> None:
    desk = admission()
    with pytest.raises(TooLarge) as never:
        desk.admit(1001)
    assert never.value.retry_after is None
    with desk.admit(600):
        with pytest.raises(Overloaded) as later:
            desk.admit(600)
        assert later.value.retry_after is not None
    desk.admit(600).release()


def test_a_refusal_takes_nothing() -> None:
    desk = admission()
    ticket = desk.admit(600)
    for refused in (lambda: desk.admit(600), lambda: ticket.resize(1001)):
        with pytest.raises((Overloaded, TooLarge)):
            refused()
        assert desk.bytes_held == 600


def test_work_waits_only_up_to_its_budget_but_long_work_alone_is_let_in() -> None:
    desk = admission(queue_seconds=1.0, threads=2)
    with desk.admit(0, 30.0), pytest.raises(Overloaded, match=r"15\.0 s of work waiting"):
        desk.admit(0, 0.1)
    with desk.admit(0, 1.5), desk.admit(0, 0.5), pytest.raises(Overloaded):
        desk.admit(0, 0.5)


def test_a_call_that_could_not_begin_before_its_deadline_is_refused_at_once() -> None:
    desk = admission(queue_seconds=10.0, threads=1)
    with desk.admit(0, 2.0):
        with pytest.raises(Overloaded, match=r"only 1\.0 s left"):
            desk.admit(0, 0.1, time_remaining=1.0)
        desk.admit(0, 0.1, time_remaining=3.0).release()


def test_the_time_to_come_again_follows_the_work_that_waits() -> None:
    desk = admission(threads=1, queue_seconds=100.0)
    assert desk.retry_after == pytest.approx(0.05)
    with desk.admit(0, 4.0):
        assert desk.retry_after == pytest.approx(2.0)
    with desk.admit(0, 90.0):
        assert desk.retry_after == pytest.approx(5.0)


def test_streams_are_counted() -> None:
    desk = admission(streams=2)
    first, second = desk.admit_stream(10), desk.admit_stream(10)
    with pytest.raises(Overloaded, match="2 streams"):
        desk.admit_stream(10)
    first.release()
    desk.admit_stream(10).release()
    second.release()
    assert (desk.streams_held, desk.bytes_held) == (0, 0)
