"""Fourier transforms of blocks, by FFTW or, without it, by SciPy: one face for both.

A `Workspace` holds the buffers and plans for one shape of work. FFTW's plans own their buffers
and only their execution is thread-safe, hence: plans are made under a lock, one thread leases a
workspace at a time, and workspaces wait in a pool of bounded size for the next lease. Planning may
take a second, for which nobody waits who finds a workspace in the pool. Equal shapes get equal
plans every time, so that equal blocks give equal bits.
"""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BACKENDS", "Shape", "Workspace", "default_backend", "fast_length", "lease"]

BACKENDS = ("fftw", "scipy")
_POOL_BYTES = 64 << 20
# Bytes of which a row of a spectrum is a multiple, and the bins from which it is the wide one.
_NARROW_ROW, _WIDE_ROW, _LONG_ROW = 16, 64, 128


@cache
def default_backend() -> str:
    """FFTW where pyFFTW is installed, else SciPy."""
    return "fftw" if importlib.util.find_spec("pyfftw") else "scipy"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a workspace is made for.

    Attributes:
        inputs: blocks transformed at once.
        outputs: blocks transformed back at once.
        lengths: samples of a block along each axis.
        dtype: of the samples; real ones have half a spectrum.
        backend: one of `BACKENDS`.
        aligned: whether each row of a spectrum is filled up with zeros, so that the next one begins
            where vector registers like to load; the zeros count as bins.
        measured: whether FFTW may take the time to measure which plan is fast.
    """

    inputs: int
    outputs: int
    lengths: tuple[int, ...]
    dtype: np.dtype[Any]
    backend: str
    aligned: bool = False
    measured: bool = False

    @property
    def bins(self) -> int:
        """Bins along the last axis of a spectrum, without what fills up its rows."""
        return self.lengths[-1] if self.dtype.kind == "c" else self.lengths[-1] // 2 + 1

    @property
    def spectrum_lengths(self) -> tuple[int, ...]:
        """Bins of a spectrum along each axis, with what fills up its rows."""
        last = self.bins
        if self.aligned:
            last = self._filled(last, self.spectrum_dtype, len(self.lengths) == 3)
        return (*self.lengths[:-1], last)

    @property
    def held_lengths(self) -> tuple[int, ...]:
        """Samples of a block along each axis, with what lies between its rows in memory."""
        last = self.lengths[-1]
        if self.aligned and self.dtype.kind == "c":
            last = self._filled(last, self.dtype, False)
        return (*self.lengths[:-1], last)

    def _filled(self, length: int, dtype: np.dtype[Any], thin: bool) -> int:
        """The length of a row that ends where another one may begin.

        Rows of images are made an odd number of units long where they would often be a power of
        two, for then a column would meet always the same few places of the cache.
        """
        image = len(self.lengths) > 1
        unit = _WIDE_ROW if length >= _LONG_ROW and not image else _NARROW_ROW
        each = unit // dtype.itemsize
        count = -(-length // each)
        if image and (thin or self.dtype.kind == "c"):
            count |= 1
        return count * each

    @property
    def spectrum_dtype(self) -> np.dtype[Any]:
        """complex64 or complex128."""
        return np.result_type(self.dtype, np.complex64)


class Workspace:
    """Buffers and transforms of one shape.

    Attributes:
        samples: (inputs, *lengths), what `forward` reads.
        spectra: (inputs, *spectrum_lengths), what `forward` writes.
        products: (outputs, *spectrum_lengths), what `backward` reads and may destroy.
        results: (outputs, *lengths), what `backward` writes, scaled by the number of samples.

    Where there are as many outputs as inputs, products are spectra and results are samples: less
    memory, and it stays in the cache.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        wide = shape.spectrum_dtype
        within = (..., slice(shape.lengths[-1]))
        held, dtype = shape.held_lengths, shape.dtype
        self.samples = _aligned(shape, (shape.inputs, *held), dtype)[within]
        self.spectra = _aligned(shape, (shape.inputs, *shape.spectrum_lengths), wide)
        if shape.inputs == shape.outputs:
            self.products, self.results = self.spectra, self.samples
        else:
            self.products = _aligned(shape, (shape.outputs, *shape.spectrum_lengths), wide)
            self.results = _aligned(shape, (shape.outputs, *held), dtype)[within]
        arrays = {id(a): a for a in (self.samples, self.spectra, self.products, self.results)}
        self.nbytes = sum(each.nbytes for each in arrays.values())
        if shape.backend == "fftw":
            self.forward, self.backward = _fftw(self)
        else:
            self.forward, self.backward = _scipy(self)


def _aligned(shape: Shape, size: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    if shape.backend != "fftw":
        return np.zeros(size, dtype)
    import pyfftw

    array: NDArray[Any] = pyfftw.zeros_aligned(size, dtype, n=64)
    return array


def _fftw(work: Workspace) -> tuple[Callable[[], object], Callable[[], object]]:
    from . import fftw

    within = (..., slice(work.shape.bins))
    return fftw.there_and_back(
        work.samples,
        work.spectra[within],
        work.products[within],
        work.results,
        measured=work.shape.measured,
    )


def _scipy(work: Workspace) -> tuple[Callable[[], object], Callable[[], object]]:
    import scipy.fft

    axes = tuple(range(1, work.samples.ndim))
    within = (..., slice(work.shape.bins))
    lengths = work.shape.lengths
    is_complex = work.shape.dtype.kind == "c"

    def forward() -> None:
        transform = scipy.fft.fftn if is_complex else scipy.fft.rfftn
        work.spectra[within] = transform(work.samples, lengths, axes)

    def backward() -> None:
        transform = scipy.fft.ifftn if is_complex else scipy.fft.irfftn
        work.results[...] = transform(work.products[within], lengths, axes, norm="forward")

    return forward, backward


class _Pool:
    """Workspaces that wait for their next lease, the longest waiting given up first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.lock = threading.Lock()
        # FFTW's planner is not thread-safe.
        self.planning = threading.Lock()
        self.free: OrderedDict[Shape, list[Workspace]] = OrderedDict()
        self.nbytes = 0

    def take(self, shape: Shape) -> Workspace:
        found = self._waiting(shape)
        if found is None:
            with self.planning:
                # One may have been given back meanwhile.
                found = self._waiting(shape) or Workspace(shape)
        return found

    def _waiting(self, shape: Shape) -> Workspace | None:
        with self.lock:
            waiting = self.free.get(shape)
            if not waiting:
                return None
            found = waiting.pop()
            if not waiting:
                del self.free[shape]
            self.nbytes -= found.nbytes
            return found

    def give_back(self, work: Workspace) -> None:
        with self.lock:
            if work.nbytes > self.most:
                return
            self.free.setdefault(work.shape, []).append(work)
            self.free.move_to_end(work.shape)
            self.nbytes += work.nbytes
            while self.nbytes > self.most:
                oldest = next(iter(self.free))
                self.nbytes -= self.free[oldest].pop().nbytes
                if not self.free[oldest]:
                    del self.free[oldest]


_pool = _Pool(_POOL_BYTES)


@contextlib.contextmanager
def lease(shape: Shape) -> Iterator[Workspace]:
    """A workspace that is the caller's alone inside; its contents are undefined at first."""
    work = _pool.take(shape)
    try:
        yield work
    finally:
        _pool.give_back(work)


def fast_length(least: int) -> int:
    """The smallest length of at least `least` whose transform is fast: 2^a 3^b 5^c 7^d, even.

    >>> fast_length(1000), fast_length(577), fast_length(1025)
    (1000, 588, 1050)
    """
    known = _smooth(1 << max(12, (least - 1).bit_length()))
    return known[bisect_left(known, least)]


@cache
def _smooth(most: int) -> tuple[int, ...]:
    found = {2}
    for prime in (2, 3, 5, 7):
        grown = set()
        for number in found:
            while number <= most:
                grown.add(number)
                number *= prime
        found |= grown
    return tuple(sorted(found))
