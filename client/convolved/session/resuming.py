"""Calls and streams that survive their server: what is tried again, when, and for how long.

A lost stream is opened again from where it stands, a lost call is made again; every call of the
contract may be. Waits grow from 50 ms to 1 s and are drawn at random, so that the clients of a
server that died do not come back all at once. Nothing here waits or calls: it tells the shell to.

Source of the waits: M. Brooker, "Exponential backoff and jitter", AWS Architecture Blog (2015).
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from convolved.wire.reasons import Draining
from convolved_vocabulary import ConvolvedError, ResourceExhausted
from convolved_vocabulary.checks import finite_number

from .operations import Exchange, Open, Operation, Pause, Steps

__all__ = ["ResumeEvent", "Resuming"]

T = TypeVar("T")

_FIRST_SECONDS, _LONGEST_SECONDS = 0.05, 1.0
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
        return f"{what} lost ({self.error}); attempt {self.attempt} in {self.wait_seconds:.3f} s"


class Resuming:
    """The rule by which one client goes on after losses, and their count.

    Args:
        enabled: whether it goes on at all.
        timeout: seconds from a loss, or from the last progress after it, until it is told.
        on_resume: called before each attempt.

    Attributes:
        resumes: how often something was taken up again.
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
        self.resumes: int = 0
        self.hopeless: Callable[[], bool] = lambda: False
        # A server that never answered is more likely misspelt than restarting.
        self._answered = False

    def persist(self, steps: Steps[T], lost: ConvolvedError | None = None) -> Steps[T]:
        """The steps, each taken again where the server was lost under it.

        Args:
            steps: of a session.
            lost: the loss that the first of them mends, for a stream that was lost before.

        Raises:
            ConvolvedError: that the steps do not handle, or the last loss, when it has lasted too
                long.
        """
        episode = _Episode()
        try:
            operation = next(steps)
            if lost is not None:
                yield self._pause(episode, operation, lost)
            while True:
                try:
                    answer = yield operation
                except ConvolvedError as error:
                    self._answered = self._answered or _begun(operation)
                    if self._mendable(error):
                        yield self._pause(episode, operation, error)
                    else:
                        operation = steps.throw(error)
                else:
                    self._answered = True
                    episode = _Episode()
                    operation = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    def _mendable(self, error: ConvolvedError) -> bool:
        if not self._enabled or self.hopeless():
            return False
        if isinstance(error, ResourceExhausted):
            return error.retry_after is not None
        return error.resumable and self._answered

    def _pause(self, episode: _Episode, operation: Operation, error: ConvolvedError) -> Pause:
        """The wait before the next attempt.

        Raises:
            ConvolvedError: the error itself, if it has lasted too long.
        """
        if not self._mendable(error):
            raise error
        now = time.monotonic()
        episode.note(now, _outputs(operation))
        if isinstance(error, ResourceExhausted) and error.retry_after is not None:
            wait = error.retry_after * random.uniform(1.0, 1.25)
        elif isinstance(error, Draining) and episode.attempt == 1:
            wait = 0.0
        else:
            bound = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0 ** (episode.attempt - 1))
            wait = random.uniform(0.0, bound)
        if now + wait - episode.begun > self._timeout:
            raise error
        self.resumes += 1
        event = ResumeEvent(error, episode.attempt, wait, _outputs(operation))
        _LOG.info("%s", event)
        if self._on_resume is not None:
            self._on_resume(event)
        return Pause(wait)


class _Episode:
    """Losses with no progress between them."""

    def __init__(self) -> None:
        self.begun, self.attempt = 0.0, 0
        self._outputs: int | None = None

    def note(self, now: float, outputs: int | None) -> None:
        """Count a loss; begin anew if outputs have come since the last."""
        if not self.attempt or (outputs is not None and outputs != self._outputs):
            self.begun, self.attempt = now, 0
        self._outputs = outputs
        self.attempt += 1


def _begun(operation: Operation) -> bool:
    """Whether a server has answered the beginning of a stream."""
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
