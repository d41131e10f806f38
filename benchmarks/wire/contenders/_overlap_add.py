"""What a server of a few lines has behind it: SciPy, for whole signals and for blocks."""

from __future__ import annotations

import scipy.fft
from scipy.signal import oaconvolve

from benchmarks.wire.cases import Signal

__all__ = ["OverlapAdd", "convolve"]


def convolve(signal: Signal, taps: Signal, workers: int) -> Signal:
    """The whole convolution, transforms on `workers` cores."""
    with scipy.fft.set_workers(workers):
        found: Signal = oaconvolve(signal, taps)
    return found


class OverlapAdd:
    """Convolves a signal that comes in blocks.

    Args:
        taps: of the filter.
        workers: cores for the transforms.

    >>> import numpy as np
    >>> ones = np.ones(3, np.float32)
    >>> overlap = OverlapAdd(ones, workers=1)
    >>> np.concatenate([overlap.feed(ones), overlap.feed(ones), overlap.tail()]).round().tolist()
    [1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 2.0, 1.0]
    """

    def __init__(self, taps: Signal, workers: int) -> None:
        self._taps, self._workers = taps, workers
        self._carried: Signal = taps[:0]

    def feed(self, block: Signal) -> Signal:
        """The outputs that a block completes, as many as it has samples."""
        found = convolve(block, self._taps, self._workers)
        found[: len(self._carried)] += self._carried
        self._carried = found[len(block) :]
        return found[: len(block)]

    def tail(self) -> Signal:
        """What is left after the last block."""
        return self._carried
