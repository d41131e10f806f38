"""SciPy and NumPy at their best: overlap-add, one transform, direct loops, polyphase.

They sum over no channels; a layer that mixes channels is not theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, signal

from benchmarks.engine.cases import Case

from . import Solution, Unable

__all__ = ["array", "contenders"]

_MOST_BY_LOOPS = 3_000_000_000


def contenders(threads: int) -> Mapping[str, Callable[[Case], Mapping[str, Solution]]]:
    """See `Library`."""
    return {"SciPy": partial(_scipy, threads=threads)}


def array(found: Any) -> Any:
    """See `Library`."""
    return found


def _scipy(case: Case, threads: int) -> Mapping[str, Solution]:
    if case.is_pool:
        return _pool(case)
    if case.kind == "transpose":
        raise Unable("SciPy has no transposed layers")
    x, w = case.signal(), case.weights()
    if case.weight[1] > 1:
        raise Unable("SciPy sums over no channels")
    taps = w if case.kind == "convolve" else np.flip(w, tuple(range(2, w.ndim)))
    if case.shape[1] > 1 and case.weight[0] != case.groups:
        raise Unable("SciPy has no groups")
    taps = taps[None, :, 0]
    if case.stride > 1:
        return _strided(case, x, taps)
    if case.dilation > 1:
        return _dilated(case, x, taps)
    return _plain(case, x, taps, threads)


def _plain(case: Case, x: NDArray[Any], taps: NDArray[Any], threads: int) -> Mapping[str, Solution]:
    axes = tuple(range(2, x.ndim))
    mode = _mode(case)
    solutions: dict[str, Solution] = {}
    for name in ("oaconvolve", "fftconvolve"):
        function: Any = getattr(signal, name)
        if mode == "same" and taps.shape[1] > x.shape[1]:
            # Both cut also the axis along which the taps are spread.
            solutions[name] = partial(_centered, function, x, taps, axes)
        else:
            solutions[name] = partial(function, x, taps, mode, axes=axes)
        if threads > 1:
            solutions[f"{name}, {threads} workers"] = partial(
                _with_workers, solutions[name], threads
            )
    one = taps.shape[1] == 1
    if one and mode == "same" and case.multiply_adds <= _MOST_BY_LOOPS:
        solutions["ndimage"] = partial(
            _ndimage, x, taps[0, 0], math.prod(case.shape[:2]) == 1 or case.rank == 1
        )
        if x.size == max(x.shape):
            solutions["numpy.convolve"] = partial(np.convolve, x.ravel(), taps.ravel(), "same")
    return solutions


def _centered(
    function: Any, x: NDArray[Any], taps: NDArray[Any], axes: tuple[int, ...]
) -> NDArray[Any]:
    whole = function(x, taps, "full", axes=axes)
    where = (
        slice((k - 1) // 2, (k - 1) // 2 + n)
        for k, n in zip(taps.shape[2:], x.shape[2:], strict=True)
    )
    return np.asarray(whole[(slice(None), slice(None), *where)])


def _ndimage(x: NDArray[Any], taps: NDArray[Any], plain: bool) -> NDArray[Any]:
    if taps.ndim == 1:
        return np.asarray(ndimage.convolve1d(x, taps, mode="constant"))
    if plain:
        return np.asarray(ndimage.convolve(x[0, 0], taps, mode="constant"))
    return np.asarray(ndimage.convolve(x, taps[None, None], mode="constant"))


def _strided(case: Case, x: NDArray[Any], taps: NDArray[Any]) -> Mapping[str, Solution]:
    if case.rank > 1:
        raise Unable("SciPy has no strides on several axes")
    if taps.shape[1] > 1:
        raise Unable("SciPy's polyphase filters take one kernel")
    if any(case.pads):
        raise Unable("no padding")
    first = taps.shape[-1] - 1
    begin, phase = divmod(first, case.stride)
    # A shift by the phase makes valid outputs fall on kept ones.
    shifted = np.concatenate([np.zeros((case.stride - phase) % case.stride, x.dtype), taps.ravel()])
    begin += phase > 0
    count = case.output_size[0]

    def polyphase() -> NDArray[Any]:
        found = signal.upfirdn(shifted, x, down=case.stride, axis=-1)
        return np.asarray(found[..., begin : begin + count])

    return {"upfirdn": polyphase}


def _dilated(case: Case, x: NDArray[Any], taps: NDArray[Any]) -> Mapping[str, Solution]:
    stuffed = np.zeros(
        (*taps.shape[:2], *(case.dilation * (k - 1) + 1 for k in case.kernel)), taps.dtype
    )
    where: Any = (..., *(slice(None, None, case.dilation),) * case.rank)
    stuffed[where] = taps
    axes = tuple(range(2, x.ndim))
    mode = _mode(case)
    solutions: dict[str, Solution] = {
        "oaconvolve of stuffed taps": partial(signal.oaconvolve, x, stuffed, mode, axes=axes),
    }
    if taps.shape[1] == 1 and mode == "same" and case.rank == 1:
        solutions["ndimage of stuffed taps"] = partial(_ndimage, x, stuffed[0, 0], True)
    return solutions


def _pool(case: Case) -> Mapping[str, Solution]:
    x = case.signal()
    if case.stride > 1:
        raise Unable("SciPy's filters keep every output")
    size = (1, 1, *case.kernel)
    if case.kind == "max":
        return {
            "ndimage.maximum_filter": partial(
                ndimage.maximum_filter, x, size, mode="constant", cval=-np.inf
            )
        }
    return {"ndimage.uniform_filter": partial(ndimage.uniform_filter, x, size, mode="constant")}


def _mode(case: Case) -> str:
    spans = tuple(case.dilation * (k - 1) for k in case.kernel)
    if not any(case.pads):
        return "valid"
    if case.pads == spans:
        return "full"
    if all(2 * pad == span for pad, span in zip(case.pads, spans, strict=True)):
        return "same"
    raise Unable("SciPy has no such padding")


def _with_workers(solution: Solution, workers: int) -> Any:
    with fft.set_workers(workers):
        return solution()
