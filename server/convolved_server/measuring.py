"""How much is measured for a call that asks for rigor "measure", or in a server so set.

Measuring is work of the call: it is admitted, done in the compute pool, counts against the
deadline, and ends early when the caller goes. One problem is measured at a time, in one thread;
nobody waits for that, neither on the event loop nor in a thread, but is served by the estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from convolved_engine import measuring
from convolved_engine.planner import default_rigor
from convolved_vocabulary import Options

from .admission import Admission

__all__ = ["Allowance", "nothing", "wanted"]

# For one call; the problem that was begun last is finished.
_SECONDS = 5.0
# Of a deadline, and of the memory for everything in flight.
_SHARE = 0.25


def wanted(options: Options) -> bool:
    """Whether a call asks for measuring."""
    return (options.rigor or default_rigor()) == "measure"


def nothing() -> AbstractContextManager[measuring.Bound]:
    """Let the calling thread measure nothing inside: what is not known yet is estimated."""
    return measuring.bounded(0.0)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What measuring for one call may take.

    Attributes:
        seconds: of a thread.
        nbytes: of memory.
    """

    seconds: float
    nbytes: int

    @classmethod
    def of(cls, admission: Admission, time_remaining: float | None) -> Allowance:
        """What a call may take that has so many seconds until its deadline, None if it has none."""
        seconds = _SECONDS if time_remaining is None else min(_SECONDS, _SHARE * time_remaining)
        return cls(seconds, min(measuring.MOST_BYTES, int(_SHARE * admission.memory_bytes)))

    def bounded(
        self, cancelled: Callable[[], bool] | None = None
    ) -> AbstractContextManager[measuring.Bound]:
        """Let the calling thread measure so much inside."""
        return measuring.bounded(self.seconds, self.nbytes, cancelled)
