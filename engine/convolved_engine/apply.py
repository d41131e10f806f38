"""Whole signals in, whole results out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike, DTypeLike, NDArray

from convolved_engine.pipeline import pipeline_for
from convolved_vocabulary import Filter, Layer, Options, Plan, arrange, as_filter, layout_of
from convolved_vocabulary.checks import integer
from convolved_vocabulary.dtypes import checked_dtype

__all__ = ["apply", "apply_arranged", "plan"]

DEFAULT_OPTIONS = Options()


def apply_arranged(
    signal: NDArray[Any],
    filter: Filter,
    options: Options = DEFAULT_OPTIONS,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> NDArray[Any]:
    """Apply a filter to a signal (batch, channels, *spatial); the result has the same axes.

    The weights stay prepared for the next call with an equal filter.

    Args:
        signal: what to filter.
        filter: what to apply.
        options: the wishes of the caller.
        cancelled: asked between layers; once it returns True the work is given up.

    Raises:
        InvalidArgument: if the filter does not take such a signal.
        Cancelled: if `cancelled` said so.

    >>> import numpy as np
    >>> apply_arranged(np.ones((1, 1, 3)), as_filter([1.0, 0.5]))
    array([[[1. , 1.5, 1.5, 0.5]]])
    """
    filter.shapes(signal.shape)
    return pipeline_for(filter, signal.dtype, options).run(signal, cancelled)


def apply(
    x: ArrayLike,
    filter: Filter | Layer | ArrayLike,
    *,
    sample_rate_hertz: float | None = None,
    accuracy: str = "fast",
    algorithm: str = "auto",
) -> NDArray[Any]:
    """Apply a filter to a signal.

    Args:
        x: (channels, *spatial) or (batch, channels, *spatial), time last; a bare spatial array
            is one channel, which is left out of the result if one comes out.
        filter: a filter, a layer, or the array of an impulse response.
        sample_rate_hertz: of the signal, if the filter's rate shall be checked.
        accuracy: "fast" or "strict"; see `Options`.
        algorithm: the name of an algorithm, or "auto".

    Returns:
        an array laid out as `x`; its dtype follows from x and the filter.

    Raises:
        InvalidArgument: naming what is wrong with the signal or the filter.

    >>> import numpy as np
    >>> apply(np.ones(4, np.float32), np.array([1.0, 0.5]))
    array([1. , 1.5, 1.5, 1.5, 0.5], dtype=float32)
    """
    found = as_filter(filter)
    signal, layout = arrange(x, found, sample_rate_hertz)
    output = apply_arranged(signal, found, Options(accuracy=accuracy, algorithm=algorithm))
    return layout.result(output)


def plan(
    filter: Filter | Layer | ArrayLike,
    shape: Sequence[int],
    *,
    dtype: DTypeLike = "float32",
    block: int | None = None,
    accuracy: str = "fast",
    algorithm: str = "auto",
) -> Plan:
    """Say how a filter would be applied to a signal of `shape`, and why so.

    Args:
        filter: a filter, a layer, or the array of an impulse response.
        shape: as `apply` takes it: spatial, (channels, *spatial) or (batch, channels, *spatial).
        dtype: of the signal.
        block: plan a live stream with blocks of this many samples instead.
        accuracy: "fast" or "strict"; see `Options`.
        algorithm: the name of an algorithm, or "auto".

    Returns:
        a plan, which prints itself.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> import numpy as np
    >>> plan(np.ones(15), (1000,)).output_shape
    (1, 1, 1014)
    """
    found = as_filter(filter)
    layout = layout_of(tuple(shape), found, "shape")
    options = Options(accuracy=accuracy, algorithm=algorithm)
    pipeline = pipeline_for(found, checked_dtype("dtype", dtype), options, keep=False)
    return pipeline.plan(layout.shape, None if block is None else integer("block", block, 1))
