"""Who is let in: bytes, predicted work and streams, counted before anything is taken for them.

A call states what it will need and gets a `Ticket`, or a refusal with the moment at which to come
again. Whatever a ticket holds comes back when it is released, once, however the call ends. All of
it happens on the event loop, so that there is nothing to lock.
"""

from __future__ import annotations

from types import TracebackType

from convolved.wire.reasons import Overloaded, TooLarge

__all__ = ["Admission", "Ticket"]

_SOONEST = 0.05
_LATEST = 5.0


class Ticket:
    """What one call holds; a context manager that gives it back.

    Attributes:
        nbytes: bytes held.
        seconds: predicted work held, in seconds of one thread.
    """

    def __init__(self, admission: Admission, nbytes: int, seconds: float, streams: int) -> None:
        self._admission = admission
        self._streams = streams
        self._released = False
        self.nbytes, self.seconds = nbytes, seconds

    def resize(self, nbytes: int) -> None:
        """Hold `nbytes` instead.

        Raises:
            TooLarge: if it would never fit.
            Overloaded: if it does not fit now; then nothing has changed.
        """
        self._admission.check(nbytes, nbytes - self.nbytes)
        self._admission.bytes_held += nbytes - self.nbytes
        self.nbytes = nbytes

    def release(self) -> None:
        """Give everything back; a second time does nothing."""
        if self._released:
            return
        self._released = True
        self._admission.bytes_held -= self.nbytes
        self._admission.streams_held -= self._streams
        self._admission.nanoseconds_held -= round(self.seconds * 1e9)
        self.nbytes, self.seconds = 0, 0.0

    def __enter__(self) -> Ticket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class Admission:
    """The budgets of a server and what is held of them.

    Args:
        memory_bytes: for everything in flight.
        queue_seconds: of predicted work that may wait for each thread.
        streams: at one time.
        threads: that compute.

    Attributes:
        bytes_held: of all tickets.
        streams_held: streams that are open.

    >>> admission = Admission(memory_bytes=1000, queue_seconds=1.0, streams=1, threads=2)
    >>> with admission.admit(600, 0.5):
    ...     admission.bytes_held, admission.seconds_held
    (600, 0.5)
    >>> admission.bytes_held
    0
    """

    def __init__(
        self, *, memory_bytes: int, queue_seconds: float, streams: int, threads: int
    ) -> None:
        self.memory_bytes = memory_bytes
        self.queue_seconds = queue_seconds
        self.streams = streams
        self.threads = threads
        self.bytes_held = 0
        self.streams_held = 0
        # Whole numbers: sums of many reals would leave dust behind.
        self.nanoseconds_held = 0

    @property
    def seconds_held(self) -> float:
        """Predicted work of all tickets, in seconds of one thread."""
        return self.nanoseconds_held / 1e9

    @property
    def retry_after(self) -> float:
        """Seconds after which half of the waiting work should be done."""
        return min(_LATEST, max(_SOONEST, self.seconds_held / self.threads / 2))

    def admit(
        self, nbytes: int, seconds: float = 0.0, time_remaining: float | None = None
    ) -> Ticket:
        """Let a call in.

        Args:
            nbytes: that it will take besides what has already come.
            seconds: of work that it is predicted to be.
            time_remaining: until its deadline, None if it has none.

        Raises:
            TooLarge: if it would never fit.
            Overloaded: if it does not fit now, or could not be done before its deadline.
        """
        self.check(nbytes, nbytes)
        waiting = self.seconds_held / self.threads
        # Work that is long by itself is let in when nothing else waits.
        if self.seconds_held and waiting + seconds / self.threads > self.queue_seconds:
            raise Overloaded(
                f"the server has {waiting:.1f} s of work waiting, of at most "
                f"{self.queue_seconds:g} s; come again later",
                self.retry_after,
            )
        if self.seconds_held and time_remaining is not None and waiting > time_remaining:
            raise Overloaded(
                f"the server has {waiting:.1f} s of work waiting and the call has only "
                f"{time_remaining:.1f} s left; come again later",
                self.retry_after,
            )
        return self._ticket(nbytes, seconds, 0)

    def admit_stream(self, nbytes: int) -> Ticket:
        """Let a stream in that will take `nbytes`.

        Raises:
            TooLarge: if it would never fit.
            Overloaded: if it does not fit now, or there are as many streams as may be.
        """
        if self.streams_held >= self.streams:
            raise Overloaded(
                f"the server has {self.streams} streams, as many as it takes; come again later",
                max(self.retry_after, 1.0),
            )
        self.check(nbytes, nbytes)
        return self._ticket(nbytes, 0.0, 1)

    def check(self, whole: int, more: int) -> None:
        """Refuse a call that holds `whole` bytes if `more` of them cannot be had."""
        if whole > self.memory_bytes:
            raise TooLarge(
                f"this needs {whole:,} bytes of memory; the server has {self.memory_bytes:,} for "
                "everything in flight"
            )
        if more > 0 and self.bytes_held + more > self.memory_bytes:
            raise Overloaded(
                f"the server has {self.memory_bytes - self.bytes_held:,} bytes of memory left and "
                f"this needs {more:,}; come again later",
                self.retry_after,
            )

    def _ticket(self, nbytes: int, seconds: float, streams: int) -> Ticket:
        self.bytes_held += nbytes
        self.nanoseconds_held += round(seconds * 1e9)
        self.streams_held += streams
        return Ticket(self, nbytes, seconds, streams)
