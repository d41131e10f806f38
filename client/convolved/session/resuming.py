"""Calls and streams that survive their server: what is tried again, when, and for how long.

A lost stream is opened again from where it stands, a lost call is made again; every call of the
contract may be. Waits grow from 50 ms to 1 s and are drawn at random, so that the clients of a
server that died do not come back all at once. Nothing here waits or calls: it tells the shell to.

Source of the waits: M. Brooker, "Exponential backoff and jitter", AWS Architecture Blog (2015).
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from convolved.connections import Lease
from convolved.wire.reasons import Draining, Overloaded
from convolved_vocabulary import ConvolvedError, InvalidArgument, NotFound, ResourceExhausted
from convolved_vocabulary.checks import finite_number

from .deadline import Deadline
from .operations import Exchange, Open, Operation, Pause, Steps, Unary

__all__ = ["Lost", "ResumeEvent", "Resuming"]

T = TypeVar("T")
C = TypeVar("C")

_FIRST_SECONDS, _LONGEST_SECONDS = 0.05, 1.0
# Neither the transport nor a proxy says these.
_ANSWERS = (Draining, InvalidArgument, NotFound, Overloaded)
_LOG = logging.getLogger("convolved")


@dataclass(frozen=True, slots=True)
class ResumeEvent:
    """A call or a stream is about to be taken up again.

    Attributes:
        error: what ended it.
        attempt: 1 for the first since something last came.
        wait_seconds: the pause before it.
        outputs: of a stream: output samples received so far; None for a call.
    """

    error: ConvolvedError
    attempt: int
    wait_seconds: float
    outputs: int | None

    def __str__(self) -> str:
        what = "call" if self.outputs is None else f"stream at output {self.outputs}"
        follows = f"attempt {self.attempt} in {self.wait_seconds:.3f} s"
        return f"{what} interrupted ({self.error}); {follows}"


@dataclass(frozen=True, slots=True)
class Lost(Generic[C]):
    """The loss of a live stream in a push.

    Attributes:
        error: what ended its call.
        lease: the connection that carried it.
        deadline: of the push.
    """

    error: ConvolvedError
    lease: Lease[C]
    deadline: Deadline


class Resuming:
    """The rule by which one client goes on after losses, and their count.

    Args:
        enabled: whether it goes on at all.
        timeout: seconds from a loss, or from the last progress after it, until it is told.
        on_resume: called before each attempt.

    Attributes:
        servers: how many are known; each is tried once before the first has answered.
        hopeless: whether the server can never come back.
    """

    def __init__(
        self,
        enabled: bool = True,
        timeout: float = 30.0,
        on_resume: Callable[[ResumeEvent], object] | None = None,
    ) -> None:
        self._enabled = bool(enabled)
        self._timeout = finite_number("resume_timeout", timeout, minimum=0.0)
        self._on_resume = on_resume
        self._resumes = 0
        self._lock = threading.Lock()
        self.servers = 1
        self.hopeless: Callable[[], bool] = lambda: False
        # A server that never answered is more likely misspelt than restarting.
        self._answered = False

    @property
    def resumes(self) -> int:
        """How often something went on after it had been lost or refused for the moment."""
        return self._resumes

    def persist(
        self, steps: Steps[T], deadline: Deadline, lost: ConvolvedError | None = None
    ) -> Steps[T]:
        """The steps, each taken again where the server was lost under it.

        Args:
            steps: of a session.
            deadline: beyond which nothing is tried again.
            lost: the loss that the first of them mends, for a stream that was lost before.

        Raises:
            ConvolvedError: that the steps do not handle, or the last loss, when it has lasted too
                long.
        """
        episode = _Episode()
        try:
            operation = next(steps)
            if lost is not None:
                if not self._mendable(lost, episode):
                    raise lost
                yield self._pause(episode, deadline, operation, lost)
            while True:
                try:
                    answer = yield operation
                except ConvolvedError as error:
                    self._answered = self._answered or _heard(operation, error)
                    if self._mendable(error, episode):
                        yield self._pause(episode, deadline, operation, error)
                        operation = _again(operation) if error.resumable else operation
                    else:
                        operation = steps.throw(error)
                        episode = self._over(episode)
                else:
                    self._answered = True
                    episode = self._over(episode)
                    operation = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    def _mendable(self, error: ConvolvedError, episode: _Episode) -> bool:
        if not self._enabled or self.hopeless():
            return False
        if isinstance(error, ResourceExhausted):
            return error.retry_after is not None
        return error.resumable and (self._answered or episode.attempt + 1 < self.servers)

    def _pause(
        self, episode: _Episode, deadline: Deadline, operation: Operation, error: ConvolvedError
    ) -> Pause:
        """The wait before the next attempt.

        Raises:
            ConvolvedError: the error itself, if it has lasted too long.
        """
        now = time.monotonic()
        if episode.note(now, _outputs(operation)):
            self._count()
        if isinstance(error, ResourceExhausted) and error.retry_after is not None:
            wait = error.retry_after * random.uniform(1.0, 1.25)
        elif isinstance(error, Draining) and episode.attempt == 1:
            wait = 0.0
        else:
            bound = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0 ** (episode.attempt - 1))
            wait = random.uniform(0.0, bound)
        if now + wait > min(episode.begun + self._timeout, deadline.at):
            raise error
        event = ResumeEvent(error, episode.attempt, wait, _outputs(operation))
        _LOG.info("%s", event)
        if self._on_resume is not None:
            self._on_resume(event)
        return Pause(wait)

    def _over(self, episode: _Episode) -> _Episode:
        """Count what went on, if anything had to; gives the beginning of the next."""
        if episode.attempt:
            self._count()
        return _Episode()

    def _count(self) -> None:
        with self._lock:
            self._resumes += 1


class _Episode:
    """Losses with no progress between them."""

    def __init__(self) -> None:
        self.begun, self.attempt = 0.0, 0
        self._outputs: int | None = None

    def note(self, now: float, outputs: int | None) -> bool:
        """Count a loss; begin anew, and return True, if outputs have come since the last."""
        went_on = self.attempt > 0 and outputs != self._outputs
        if not self.attempt or went_on:
            self.begun, self.attempt = now, 0
        self._outputs = outputs
        self.attempt += 1
        return went_on


def _heard(operation: Operation, error: ConvolvedError) -> bool:
    """Whether a server has answered: by an error of its own, or the beginning of a stream."""
    if isinstance(error, _ANSWERS):
        return True
    match operation:
        case Exchange(session):
            return session.output is not None
        case Open(session):
            return session.started
    return False


def _outputs(operation: Operation) -> int | None:
    match operation:
        case Exchange(session):
            return session.received
        case Open(session):
            return session.outputs
    return None


def _again(operation: Operation) -> Operation:
    """What to do when it is not known whether the first was done."""
    if isinstance(operation, Unary) and operation.again is not None:
        return replace(operation, request=operation.again)
    return operation
