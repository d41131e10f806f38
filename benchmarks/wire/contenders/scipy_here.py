"""SciPy's oaconvolve in the process of the caller: no wire at all."""

from __future__ import annotations

from scipy.signal import oaconvolve

from benchmarks.wire.cases import hall
from benchmarks.wire.contender import Contender

__all__ = ["client"]


class InProcess(Contender):
    """Convolves by `scipy.signal.oaconvolve`, as SciPy does it by default: on one core."""

    def __init__(self) -> None:
        self.variants = {"oaconvolve": lambda signal: oaconvolve(signal, hall())}


def client(_address: str) -> Contender:
    """There is nothing to connect to."""
    return InProcess()
