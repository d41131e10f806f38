"""Gradients of pools: spread over the samples of each window, or given to its maximum."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.pools import Windows, windows_of
from convolved_vocabulary import Pool

__all__ = ["pooling"]


def pooling(layer: Pool, x: NDArray[Any], grad: NDArray[Any]) -> NDArray[Any]:
    """The gradient with respect to the input x (batch, channels, *spatial)."""
    windows = windows_of(layer, x.shape[2:])
    if layer.function == "max":
        return _to_the_greatest(x, grad, windows)
    return _to_all(grad, windows, layer.count_include_pad)


def _to_all(grad: NDArray[Any], windows: tuple[Windows, ...], include_pad: bool) -> NDArray[Any]:
    for axis, along in enumerate(windows, start=2):
        share = grad / along.places(include_pad).reshape(-1, *(1,) * (grad.ndim - axis - 1))
        found = np.zeros((*grad.shape[:axis], along.samples, *grad.shape[axis + 1 :]), share.dtype)
        for tap in along.taps:
            to, source = along.meeting(tap)
            if to.start < to.stop:
                outer: Any = (slice(None),) * axis
                found[(*outer, source)] += share[(*outer, to)]
        grad = found
    return grad


def _to_the_greatest(
    x: NDArray[Any], grad: NDArray[Any], windows: tuple[Windows, ...]
) -> NDArray[Any]:
    """Taps are tried in the order of the signal, so that the first of equal maxima is found."""
    places = np.arange(x[0, 0].size).reshape(x.shape[2:])
    best = np.empty(grad.shape, x.dtype)
    where = np.full(grad.shape, -1)
    for taps in itertools.product(*(along.taps for along in windows)):
        met = [along.meeting(tap) for along, tap in zip(windows, taps, strict=True)]
        if any(to.start == to.stop for to, _ in met):
            continue
        target: Any = (slice(None), slice(None), *(to for to, _ in met))
        source: Any = tuple(source for _, source in met)
        samples = x[(slice(None), slice(None), *source)]
        greater = (samples > best[target]) | np.isnan(samples) | (where[target] < 0)
        np.copyto(best[target], samples, where=greater)
        np.copyto(where[target], places[source], where=greater)
    found = np.zeros((x.shape[0] * x.shape[1], places.size), grad.dtype)
    rows = np.repeat(np.arange(len(found)), where[0, 0].size)
    inside = where.reshape(-1) >= 0
    np.add.at(found, (rows[inside], where.reshape(-1)[inside]), grad.reshape(-1)[inside])
    return found.reshape(x.shape)
