"""The call of a stream that is mapped: what it brings is read before it is asked for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from typing import Any

import grpc

from convolved.session.deadline import Deadline
from convolved.session.live import LiveSession
from convolved.session.resuming import Lost
from convolved.transport import Pipe
from convolved_vocabulary import ConvolvedError, DeadlineExceeded, Unavailable

__all__ = ["Inbox"]


class Inbox:
    """Reads in a thread, so that it can be seen whether anything is there; takes it in in ours.

    Nothing bounds it but what the server has been asked for.

    Args:
        live: takes the messages in.
        pipe: the call.
        deadline: gives that of an answer that is awaited from now on.
        reopen: gives the call that takes the stream up where it stood, all that was on its way
            answered.
    """

    def __init__(
        self,
        live: LiveSession,
        pipe: Pipe,
        deadline: Callable[[], Deadline],
        reopen: Callable[[Lost[grpc.Channel]], Pipe],
    ) -> None:
        self._live = live
        self._deadline, self._reopen = deadline, reopen
        self._begin(pipe)

    def send(self, messages: Iterable[Any], *, last: bool) -> None:
        """Send messages; `last`: no others follow."""
        self._pipe.send(messages, last=last)

    def hear(self, *, wait: bool) -> None:
        """Take in what is there; `wait`: at least one message.

        Raises:
            ConvolvedError: if the call is lost, and cannot be taken up again.
        """
        if self._live.finished or (self._queue.empty() and not wait):
            return
        deadline = self._deadline()
        try:
            while wait or not self._queue.empty():
                wait = False
                self._live.receive(self._next(deadline))
                if self._live.finished:
                    self._end(deadline)
                    return
        except ConvolvedError as error:
            self.close()
            if self._live.outlives(error):
                return
            self._begin(self._reopen(Lost(error, self._pipe.lease, deadline)))

    def close(self) -> None:
        """End the call and the thread."""
        self._pipe.close()
        self._thread.join()

    def _begin(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=_fill, args=(self._queue, pipe), name="convolved-inbox", daemon=True
        )
        self._thread.start()

    def _next(self, deadline: Deadline) -> Any:
        found = self._take(deadline)
        if found is None:
            raise Unavailable(f"{self._pipe.lease.target} ended the stream before its end")
        return found

    def _end(self, deadline: Deadline) -> None:
        if self._take(deadline) is not None:
            raise Unavailable(f"{self._pipe.lease.target} went on after the end of the stream")

    def _take(self, deadline: Deadline) -> Any:
        try:
            found = self._queue.get(timeout=deadline.remaining)
        except queue.Empty:
            raise DeadlineExceeded(
                f"{self._pipe.lease.target} did not answer within {deadline.seconds:g} s"
            ) from None
        if isinstance(found, BaseException):
            raise found
        return found


def _fill(inbox: queue.SimpleQueue[Any], pipe: Pipe) -> None:
    """Read to the end; the last item is None, or the error with which the call ended."""
    found: Any = ...
    while found is not None and not isinstance(found, BaseException):
        try:
            found = pipe.read()
        except BaseException as error:  # noqa: BLE001  # whoever takes it shall hear of it
            found = error
        inbox.put(found)
