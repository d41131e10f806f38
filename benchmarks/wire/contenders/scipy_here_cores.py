"""SciPy's oaconvolve in the process of the caller, its transforms on all cores."""

from __future__ import annotations

import os

import scipy.fft
from scipy.signal import oaconvolve

from benchmarks.wire.cases import Signal, hall
from benchmarks.wire.contender import Contender

__all__ = ["client"]


class InProcess(Contender):
    """Convolves by `scipy.signal.oaconvolve` under `scipy.fft.set_workers`."""

    def __init__(self) -> None:
        self._cores = len(os.sched_getaffinity(0))
        self.variants = {f"oaconvolve, {self._cores} workers": self._apply}

    def _apply(self, signal: Signal) -> Signal:
        with scipy.fft.set_workers(self._cores):
            found: Signal = oaconvolve(signal, hall())
        return found


def client(_address: str) -> Contender:
    """There is nothing to connect to."""
    return InProcess()
