"""NaN and Inf stay where direct convolution would leave them.

A transform spreads one NaN over its whole block. So the samples that are not finite are set to 0
before, and afterwards their products are added to the outputs that they really reach. As sums go
inf + finite = inf, inf - inf = NaN and NaN + anything = NaN, it does not matter in which order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["few", "looks_finite", "spread", "take_out"]

# How many times longer one product takes in `spread` than in direct convolution.
_SLOWNESS = 32


def looks_finite(blocks: NDArray[Any]) -> bool:
    """Whether transformed blocks (rows, *lengths) came out of finite samples.

    Every output of a transform depends on every sample, so that two of each block tell.
    """
    lines = blocks
    while lines.ndim > 2:
        lines = lines[:, 0]
    return bool(np.isfinite(lines[:, :2]).all())


def take_out(samples: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Set what is not finite to 0; return its indices (count, axes) and its values."""
    bad = ~np.isfinite(samples)
    values = samples[bad]
    samples[bad] = 0
    return np.argwhere(bad), values


def few(found: int, samples: NDArray[Any]) -> bool:
    """Whether so few samples are not finite that `spread` is faster than direct convolution."""
    return found * _SLOWNESS <= samples.size


def spread(
    results: NDArray[Any],
    places: NDArray[np.intp],
    values: NDArray[Any],
    weight: NDArray[Any],
    groups: int,
) -> None:
    """Add the products of single samples to the results of an undilated cross-correlation.

    Args:
        results: (out_channels, batch, *lengths), changed in place; result q reads the samples
            from q on.
        places: (count, 2 + axes): channel, batch and place of each sample.
        values: (count,) the samples.
        weight: (out_channels, in_channels / groups, *kernel) of the channels in `results`.
        groups: how many groups these channels form.
    """
    from .kernels.plain import scatter

    missing = 3 - (weight.ndim - 2)
    lengths, kernel = (1,) * missing + results.shape[2:], (1,) * missing + weight.shape[2:]
    group_outputs = len(weight) // groups
    padded = np.zeros((len(places), 5), np.int64)
    padded[:, :2] = places[:, :2]
    padded[:, 2 + missing :] = places[:, 2:]
    scatter(
        results.reshape(*results.shape[:2], *lengths),
        padded,
        values,
        np.ascontiguousarray(weight.reshape(*weight.shape[:2], *kernel)),
        group_outputs,
    )
