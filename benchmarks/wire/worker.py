"""The client of one contender: `python -m benchmarks.wire.worker KEY ADDRESS`.

Each contender's client has a process of its own, so that none gains or suffers by what another one
has done to the allocator or the threads.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time

import numpy as np

from benchmarks.asking import say_ready, serve
from benchmarks.rounds import repeat_for

from .cases import Signal, hall, noise
from .contender import Contender, Push, Streaming, Stuck
from .contenders import CONTENDERS

__all__ = ["Worker"]

_PERIOD = 1 << 20
# What SciPy holds at one time of a long signal, its spectra included, in signals.
_TEMPORARIES = 12


class Worker:
    """Does what it is told with one contender.

    Args:
        contender: the client.
    """

    def __init__(self, contender: Contender) -> None:
        self._contender = contender
        self._signals: dict[int, Signal] = {}
        self._pushes: list[Push] = []
        self._stalled: Stuck | None = None

    def variants(self) -> list[str]:
        """The manners of `apply`."""
        return list(self._contender.variants)

    def apply(self, samples: int, variant: str, seconds: float) -> list[float]:
        """Times of calls with a signal, for about so many seconds."""
        call, signal = self._contender.variants[variant], self._signal(samples)
        if seconds:
            _bring_memory(_TEMPORARIES * signal.nbytes)
        return repeat_for(seconds, lambda: call(signal))

    def check(self, samples: int, variant: str) -> float | None:
        """The greatest error of an output against SciPy in float64, relative to its peak."""
        signal = self._signal(samples)
        found = self._contender.variants[variant](signal)
        if found is None:
            return None
        # Only now: where nothing is to be checked, SciPy need not be loaded.
        from scipy.signal import oaconvolve

        wanted = oaconvolve(signal.astype(np.float64), hall().astype(np.float64))
        return float(np.abs(found - wanted).max() / np.abs(wanted).max())

    def large_variants(self) -> list[str]:
        """The manners of `large`."""
        return list(self._streaming.large_variants())

    def large(self, nbytes: int, variant: str) -> list[float]:
        """The seconds that a large signal took, and the bytes that came back."""
        # Made for each call, so that the clients together do not hold one each.
        signal = np.resize(self._signal(_PERIOD), nbytes // 4)
        call = self._streaming.large_variants()[variant]
        _bring_memory(nbytes)
        begun = time.perf_counter()
        returned = call(signal)
        return [time.perf_counter() - begun, returned]

    def open(self, streams: int) -> None:
        """Open streams, and push until they have found their pace."""
        self._pushes = self._streaming.open_streams(streams)
        self.push(20 * streams)

    def push(self, blocks: int) -> list[float]:
        """Push blocks, shared by the streams; median, 99th percentile, and time of all."""
        times: list[float] = []
        share = blocks // len(self._pushes)
        threads = [
            threading.Thread(target=_push, args=(push, share, times)) for push in self._pushes
        ]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed = time.perf_counter() - begun
        if len(times) != share * len(threads):
            raise RuntimeError("a stream ended")
        return [statistics.median(times), float(np.percentile(times, 99)), elapsed]

    def close(self) -> None:
        """Close the streams."""
        self._streaming.close_streams()

    def stall(self, streams: int, blocks: int, manner: str) -> int:
        """Send and do not read; how many blocks were taken."""
        self._stalled = self._streaming.stall(streams, blocks, manner)
        return self._stalled.wait_until_stuck()

    def unstall(self) -> None:
        """End these streams."""
        if self._stalled is not None:
            self._stalled.close()

    @property
    def _streaming(self) -> Streaming:
        if not isinstance(self._contender, Streaming):
            raise TypeError(f"{type(self._contender).__name__} applies whole signals only")
        return self._contender

    def _signal(self, samples: int) -> Signal:
        if samples not in self._signals:
            self._signals = {samples: noise(samples)}
        return self._signals[samples]


def _bring_memory(nbytes: int) -> None:
    """Touch as much memory as will be needed, and free it again.

    The host of a virtual machine takes back what is free for some seconds; to get it again costs
    several times what the system's own first touch does, and would be counted as the contender's.
    """
    np.empty(nbytes + nbytes // 4, np.uint8).fill(1)


def _push(push: Push, blocks: int, times: list[float]) -> None:
    for _ in range(blocks):
        begun = time.perf_counter()
        push()
        times.append(time.perf_counter() - begun)


if __name__ == "__main__":
    key, address = sys.argv[1:]
    worker = Worker(CONTENDERS[key].client(address))
    say_ready()
    serve(worker)
