"""What is tried again after a loss, when, and for how long; on a clock that only pauses move."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import convolved_vocabulary as vocabulary
from convolved import ResumeEvent
from convolved.methods import GET_SERVER_INFO
from convolved.session import resuming
from convolved.session.calls import Session
from convolved.session.deadline import Deadline
from convolved.session.live import LiveSession
from convolved.session.opening import Opening
from convolved.session.operations import Exchange, Open, Operation, Pause, Steps, Unary
from convolved.session.resuming import Resuming
from convolved.session.sources import Source
from convolved.session.whole import WholeSession
from convolved.v1 import convolution_pb2 as pb
from convolved.wire import reasons
from convolved.wire.framing import OutputFrame
from convolved.wire.reasons import Draining, IdleTimeout, Overloaded
from convolved_vocabulary import (
    ConvolvedError,
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    NotFound,
    Options,
    Unavailable,
    impulse_response,
)

FOREVER = Deadline.after(None)
IR = impulse_response(np.ones(4, np.float32))


@dataclass
class World:
    """A clock, chance that always takes the same share, and the pauses there were."""

    now: float = 1000.0
    share: float = 1.0
    drawn: list[tuple[float, float]] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    done: list[Operation] = field(default_factory=list)

    def draw(self, low: float, high: float) -> float:
        self.drawn.append((low, high))
        return low + self.share * (high - low)

    def perform(self, steps: Steps[Any], answers: Iterator[Any]) -> Any:
        """Take steps to their end; what an operation meets is the next of `answers`."""
        try:
            operation = next(steps)
            while True:
                if isinstance(operation, Pause):
                    self.paused.append(operation.seconds)
                    self.now += operation.seconds
                    operation = steps.send(None)
                    continue
                self.done.append(operation)
                answer = next(answers)
                if callable(answer):
                    answer = answer()
                if isinstance(answer, ConvolvedError):
                    operation = steps.throw(answer)
                else:
                    operation = steps.send(answer)
        except StopIteration as done:
            return done.value


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()
    monkeypatch.setattr(resuming, "time", SimpleNamespace(monotonic=lambda: found.now))
    monkeypatch.setattr(resuming, "random", SimpleNamespace(uniform=found.draw))
    return found


def once(operation: Operation) -> Steps[Any]:
    return (yield operation)


CALL = Unary(GET_SERVER_INFO, "request")


def gone() -> Unavailable:
    return Unavailable("nobody there")


def acquainted(world: World, **more: Any) -> Resuming:
    """A rule whose server has answered before."""
    rule = Resuming(**more)
    world.perform(rule.persist(once(CALL), FOREVER), iter(["an answer"]))
    world.done.clear()
    return rule


def attempts(world: World, rule: Resuming, *answers: Any, deadline: Deadline = FOREVER) -> Any:
    return world.perform(rule.persist(once(CALL), deadline), iter(answers))


def test_a_lost_call_is_made_again_until_it_is_answered(world: World) -> None:
    rule = acquainted(world)
    assert attempts(world, rule, gone(), gone(), "at last") == "at last"
    assert world.done == [CALL, CALL, CALL]
    assert rule.resumes == 1


def test_waits_are_drawn_below_bounds_that_double_up_to_a_second(world: World) -> None:
    rule = acquainted(world)
    attempts(world, rule, *[gone() for _ in range(8)], "at last")
    bounds = [high for _, high in world.drawn]
    assert bounds == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0])
    assert all(low == 0.0 for low, _ in world.drawn)
    assert world.paused == pytest.approx(bounds)


def test_chance_spreads_the_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(resuming, "time", SimpleNamespace(monotonic=lambda: world.now))
    for _ in range(30):
        attempts(world, acquainted(world), gone(), "at last")
    assert len(set(world.paused)) == 30
    assert 0.0 <= min(world.paused) < 0.02 < 0.03 < max(world.paused) <= 0.05


def test_a_loss_that_lasts_is_told_after_the_timeout_and_not_later(world: World) -> None:
    rule = acquainted(world, timeout=5.0)
    losses = [gone() for _ in range(100)]
    begun = world.now
    with pytest.raises(Unavailable) as caught:
        attempts(world, rule, *losses)
    assert 4.0 < world.now - begun <= 5.0
    assert caught.value is losses[len(world.done) - 1]
    assert rule.resumes == 0


def test_time_counts_from_the_loss_whatever_the_attempts_take(world: World) -> None:
    rule = acquainted(world, timeout=5.0)

    def slow() -> Unavailable:
        world.now += 4.0
        return gone()

    with pytest.raises(Unavailable):
        attempts(world, rule, *[slow for _ in range(9)])
    assert len(world.done) == 3


def test_the_deadline_of_a_call_bounds_its_attempts_too(world: World) -> None:
    rule = acquainted(world)
    deadline = Deadline(2.0, world.now + 2.0)
    with pytest.raises(Unavailable):
        attempts(world, rule, *[gone() for _ in range(100)], deadline=deadline)
    assert world.now <= deadline.at


def test_a_server_that_drains_is_left_at_once(world: World) -> None:
    rule = acquainted(world)
    attempts(world, rule, Draining("stopping"), "elsewhere")
    assert world.paused == [0.0]


def test_where_all_servers_drain_there_is_waiting_as_after_any_loss(world: World) -> None:
    rule = acquainted(world)
    attempts(world, rule, *[Draining("stopping") for _ in range(4)], "at last")
    assert world.paused == pytest.approx([0.0, 0.1, 0.2, 0.4])


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_full_server_is_given_the_time_it_asks_for_and_a_little_more(
    world: World, share: float
) -> None:
    world.share = share
    rule = Resuming()
    attempts(world, rule, Overloaded("full", 2.0), "room")
    assert world.paused == [2.0 + share * 0.5]
    assert rule.resumes == 1


def test_a_full_server_is_waited_for_no_longer_than_the_timeout(world: World) -> None:
    rule = Resuming(timeout=3.0)
    with pytest.raises(Overloaded):
        attempts(world, rule, *[Overloaded("full", 1.0) for _ in range(9)])
    assert len(world.done) == 3


def kinds() -> list[type[ConvolvedError]]:
    every = [getattr(vocabulary, name) for name in vocabulary.__all__]
    every += [getattr(reasons, name) for name in reasons.__all__]
    return [kind for kind in every if isinstance(kind, type) and issubclass(kind, ConvolvedError)]


def made(kind: type[ConvolvedError]) -> ConvolvedError:
    if issubclass(kind, InvalidArgument):
        return kind("x", "this", "that")
    if issubclass(kind, vocabulary.MissingExtra):
        return kind("this", "server")
    return kind("a sentence")


@pytest.mark.parametrize(
    "kind",
    [kind for kind in kinds() if not issubclass(kind, Unavailable)],
    ids=lambda k: k.__name__,
)
def test_an_error_that_would_come_again_is_told_at_once(
    world: World, kind: type[ConvolvedError]
) -> None:
    error = made(kind)
    with pytest.raises(kind) as caught:
        attempts(world, acquainted(world), error)
    assert caught.value is error
    assert world.paused == []


@pytest.mark.parametrize("kind", [Internal, IdleTimeout])
def test_an_error_that_tells_of_a_loss_is_mended(world: World, kind: type[ConvolvedError]) -> None:
    error = kind("a proxy's word")
    error.resumable = True
    assert attempts(world, acquainted(world), error, "at last") == "at last"


def test_a_server_that_never_answered_is_told_at_once(world: World) -> None:
    with pytest.raises(Unavailable):
        attempts(world, Resuming(), gone())
    assert world.paused == []


def test_a_server_that_drains_or_is_full_has_answered(world: World) -> None:
    for error in (Draining("stopping"), Overloaded("full", 0.1)):
        assert attempts(world, Resuming(), error, gone(), gone(), "its successor")


def test_of_several_servers_that_never_answered_each_is_tried_once(world: World) -> None:
    rule = Resuming()
    rule.servers = 3
    with pytest.raises(Unavailable):
        attempts(world, rule, gone(), gone(), gone(), "too late")
    assert len(world.done) == 3
    assert attempts(world, rule, gone(), gone(), "the third") == "the third"


def test_when_it_is_switched_off_every_loss_is_told_at_once(world: World) -> None:
    rule = acquainted(world, enabled=False)
    for error in (gone(), Draining("stopping"), Overloaded("full", 0.1)):
        with pytest.raises(type(error)):
            attempts(world, rule, error)
    assert world.paused == []


def test_a_server_that_cannot_come_back_is_not_waited_for(world: World) -> None:
    rule = acquainted(world)
    # A process that was killed is known to be dead a moment after its connections are.
    rule.hopeless = lambda: bool(world.paused)
    with pytest.raises(Unavailable):
        attempts(world, rule, gone(), gone(), "a ghost")
    assert len(world.done) == 2


def test_before_each_attempt_it_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    told: list[ResumeEvent] = []
    rule = acquainted(world, on_resume=told.append)
    losses = [gone(), gone()]
    with caplog.at_level(logging.INFO, "convolved"):
        attempts(world, rule, *losses, "at last")
    assert [(e.error, e.attempt, e.outputs) for e in told] == [
        (losses[0], 1, None),
        (losses[1], 2, None),
    ]
    assert [e.wait_seconds for e in told] == world.paused
    assert [r.getMessage() for r in caplog.records] == [
        "call interrupted (nobody there); attempt 1 in 0.050 s",
        "call interrupted (nobody there); attempt 2 in 0.100 s",
    ]
    assert {(r.name, r.levelname) for r in caplog.records} == {("convolved", "INFO")}


def test_what_the_caller_raises_when_it_is_told_ends_the_call(world: World) -> None:
    def refuse(event: ResumeEvent) -> None:
        raise KeyError(event.attempt)

    with pytest.raises(KeyError, match="1"):
        attempts(world, acquainted(world, on_resume=refuse), gone())


def test_a_timeout_that_is_none_is_refused() -> None:
    for timeout in (-1.0, float("nan"), "soon"):
        with pytest.raises(InvalidArgument, match="resume_timeout"):
            Resuming(timeout=timeout)  # type: ignore[arg-type]  # what it refuses


def whole(length: int = 100) -> WholeSession:
    return WholeSession(Source(IR), np.ones((1, length), np.float32), Options(), None)


def begin(session: WholeSession | LiveSession) -> None:
    total = None if isinstance(session, LiveSession) else 103
    started = pb.Started(data_type=pb.DATA_TYPE_FLOAT32, frame_shape=[1], total_samples=total)
    session.receive(pb.StreamConvolveResponse(started=started))


def test_a_stream_that_had_begun_goes_on_though_nothing_was_called_before(world: World) -> None:
    session = whole()

    def lost() -> Unavailable:
        begin(session)
        return gone()

    assert (
        world.perform(Resuming().persist(once(Exchange(session)), FOREVER), iter([lost, "done"]))
        == "done"
    )


def test_a_live_stream_that_had_begun_goes_on_though_it_was_lost_in_opening(world: World) -> None:
    live = LiveSession(Source(IR), Opening.checked(IR, 1, (), "float32", 0, None, Options()))

    def lost() -> Unavailable:
        begin(live)
        return gone()

    steps = Resuming().persist(once(Open(live)), FOREVER)
    assert world.perform(steps, iter([lost, "a pipe"])) == "a pipe"


def test_output_that_comes_between_losses_gives_time_and_patience_anew(world: World) -> None:
    told: list[ResumeEvent] = []
    rule = acquainted(world, timeout=2.0, on_resume=told.append)
    session = whole()
    begin(session)

    def progress() -> Unavailable:
        session.receive(OutputFrame(session.received, b"\0" * 4))
        world.now += 1.5
        return gone()

    answers = [gone(), gone(), progress, gone(), progress, progress, "done"]
    world.perform(rule.persist(once(Exchange(session)), FOREVER), iter(answers))
    assert [e.attempt for e in told] == [1, 2, 1, 2, 1, 1]
    assert [e.outputs for e in told] == [0, 0, 1, 1, 2, 3]
    assert str(told[2]).startswith("stream at output 1 interrupted")
    assert rule.resumes == 4


def test_a_loss_known_before_is_mended_before_the_first_step(world: World) -> None:
    rule = acquainted(world)
    steps = rule.persist(once(CALL), FOREVER, gone())
    assert world.perform(steps, iter(["taken up"])) == "taken up"
    assert (world.paused, rule.resumes) == ([0.05], 1)


def test_a_loss_known_before_that_is_not_to_be_mended_comes_back_itself(world: World) -> None:
    error = DeadlineExceeded("late")
    with pytest.raises(DeadlineExceeded) as caught:
        world.perform(acquainted(world).persist(once(CALL), FOREVER, error), iter([]))
    assert caught.value is error
    assert world.done == []


def test_an_error_that_the_steps_handle_is_theirs(world: World) -> None:
    def steps() -> Steps[str]:
        try:
            yield CALL
        except NotFound:
            yield CALL
        return "handled"

    rule = acquainted(world)
    answers = [gone(), NotFound("no such filter"), gone(), "found"]
    assert world.perform(rule.persist(steps(), FOREVER), iter(answers)) == "handled"
    # The second loss is the first of another call.
    assert world.paused == pytest.approx([0.05, 0.05])
    assert rule.resumes == 2


@pytest.mark.parametrize(("lost", "may_be_missing"), [(gone(), True), (Overloaded("f", 1), False)])
def test_a_delete_whose_answer_was_lost_may_have_been_done(
    world: World, lost: ConvolvedError, may_be_missing: bool
) -> None:
    steps = Session().delete_filter("filters/" + "0" * 64, allow_missing=False)
    world.perform(acquainted(world).persist(steps, FOREVER), iter([lost, "deleted"]))
    first, second = (each.request for each in world.done if isinstance(each, Unary))
    assert (first.allow_missing, second.allow_missing) == (False, may_be_missing)
