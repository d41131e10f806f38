"""When a call's time is over, however many attempts it takes."""

from __future__ import annotations

import time
from dataclasses import dataclass

__all__ = ["Deadline"]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock.

    Attributes:
        seconds: that were given; None for as long as it takes.
        at: the moment; infinite if there is none.

    >>> Deadline.after(None).remaining is None
    True
    >>> Deadline.after(60.0).remaining <= 60.0
    True
    """

    seconds: float | None
    at: float

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """The deadline of what begins now."""
        return cls(seconds, float("inf") if seconds is None else time.monotonic() + seconds)

    @property
    def remaining(self) -> float | None:
        """Seconds left, at least 0; None if there is no end."""
        return None if self.seconds is None else max(0.0, self.at - time.monotonic())
