"""How long a stream's next computing should take, by how long it took so far."""

from __future__ import annotations

__all__ = ["Pace"]

_RISE = 0.1


class Pace:
    """Seconds for each sample: falls at once, rises slowly.

    The first push prepares what later ones use, and a long filter computes in bursts; neither
    says much about the next push.

    >>> pace = Pace()
    >>> pace.predict(512) is None
    True
    >>> pace.measured(512, 0.01)
    >>> pace.measured(512, 0.0001)
    >>> pace.predict(1024)
    0.0002
    """

    def __init__(self) -> None:
        self._each: float | None = None

    def predict(self, samples: int) -> float | None:
        """Seconds for `samples`; None before anything was measured."""
        return None if self._each is None else self._each * samples

    def measured(self, samples: int, seconds: float) -> None:
        """Take note that `samples` took `seconds`."""
        if not samples:
            return
        each = seconds / samples
        if self._each is None or each < self._each:
            self._each = each
        else:
            self._each += _RISE * (each - self._each)
