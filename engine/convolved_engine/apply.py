"""Whole signals in, whole results out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from convolved_engine.pipeline import ByName, pipeline_for
from convolved_vocabulary import (
    Filter,
    InvalidArgument,
    Layer,
    Options,
    Plan,
    arrange,
    as_filter,
    layout_of,
)
from convolved_vocabulary.calculators import dense_against_separable
from convolved_vocabulary.checks import integer
from convolved_vocabulary.dtypes import checked_dtype

__all__ = ["apply", "apply_arranged", "plan", "plan_arranged"]

DEFAULT_OPTIONS = Options()


def apply_arranged(
    signal: NDArray[Any],
    filter: Filter,
    options: Options = DEFAULT_OPTIONS,
    *,
    out: NDArray[Any] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> NDArray[Any]:
    """Apply a filter to a signal (batch, channels, *spatial); the result has the same axes.

    The weights stay prepared for the next call with an equal filter.

    Args:
        signal: what to filter.
        filter: what to apply.
        options: the wishes of the caller.
        out: where to put the result, which is then returned. Reused for many calls it saves the
            page faults that fresh memory costs.
        cancelled: asked between layers; once it returns True the work is given up.

    Raises:
        InvalidArgument: if the filter does not take such a signal, or `out` is not C-contiguous,
            of another shape or dtype than the result, or shares memory with the signal.
        Cancelled: if `cancelled` said so.

    >>> import numpy as np
    >>> apply_arranged(np.ones((1, 1, 3)), as_filter([1.0, 0.5]))
    array([[[1. , 1.5, 1.5, 0.5]]])
    """
    shape = _output_shape(filter.name, ByName(filter), signal.shape)
    pipeline = pipeline_for(filter, signal.dtype, options)
    if out is not None:
        _check_out(out, shape, pipeline.output_dtype, signal)
    return pipeline.run(signal, cancelled, out)


def plan_arranged(
    shape: tuple[int, ...],
    filter: Filter,
    dtype: DTypeLike,
    options: Options = DEFAULT_OPTIONS,
) -> Plan:
    """Say how `apply_arranged` would compute a signal of that shape; the call finds it planned.

    Args:
        shape: (batch, channels, *spatial).
        filter: what would be applied.
        dtype: of the signal.
        options: the wishes of the caller.

    Raises:
        InvalidArgument: if the filter does not take such a signal, or what is wished cannot be.

    >>> plan_arranged((1, 1, 1000), as_filter([1.0, 0.5]), "float64").algorithm
    'direct'
    """
    return pipeline_for(filter, np.dtype(dtype), options).plan(shape)


@lru_cache(maxsize=64)
def _output_shape(name: str, held: ByName, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the result, remembered: blocks of one shape come again and again.

    Raises:
        InvalidArgument: if the filter does not take such a signal.
    """
    del name
    return held.filter.shapes(shape)[-1]


def _check_out(
    out: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any], signal: NDArray[Any]
) -> None:
    if out.shape != shape:
        raise InvalidArgument("out", f"shape {out.shape}", f"shape {shape}")
    if out.dtype != dtype:
        raise InvalidArgument("out", f"dtype {out.dtype}", f"dtype {dtype}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise InvalidArgument("out", "its layout", "a C-contiguous array that may be written")
    if np.may_share_memory(out, signal):
        raise InvalidArgument("out", "memory of the signal", "an array apart from it")


def apply(
    x: ArrayLike,
    filter: Filter | Layer | ArrayLike,
    *,
    sample_rate_hertz: float | None = None,
    accuracy: str = "fast",
    algorithm: str = "auto",
    rigor: str | None = None,
) -> NDArray[Any]:
    """Apply a filter to a signal.

    Args:
        x: (channels, *spatial) or (batch, channels, *spatial), time last; a bare spatial array
            is one channel, which is left out of the result if one comes out.
        filter: a filter, a layer, or the array of an impulse response.
        sample_rate_hertz: of the signal, if the filter's rate shall be checked.
        accuracy: "fast" or "strict"; see `Options`.
        algorithm: the name of an algorithm, or "auto".
        rigor: "estimate", "measure", or None for the setting; see `Options`.

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
    output = apply_arranged(
        signal, found, Options(accuracy=accuracy, algorithm=algorithm, rigor=rigor)
    )
    return layout.result(output)


def plan(
    filter: Filter | Layer | ArrayLike,
    shape: Sequence[int],
    *,
    dtype: DTypeLike = "float32",
    block: int | None = None,
    accuracy: str = "fast",
    algorithm: str = "auto",
    rigor: str | None = None,
) -> Plan:
    """Say how a filter would be applied to a signal of `shape`, and why so.

    Args:
        filter: a filter, a layer, or the array of an impulse response.
        shape: as `apply` takes it: spatial, (channels, *spatial) or (batch, channels, *spatial).
        dtype: of the signal.
        block: plan a live stream with blocks of this many samples instead.
        accuracy: "fast" or "strict"; see `Options`.
        algorithm: the name of an algorithm, or "auto".
        rigor: "estimate", "measure", or None for the setting; see `Options`.

    Returns:
        a plan, which prints itself.

    Raises:
        InvalidArgument: naming what is wrong; a filter with "wrap" along time has no plan for
            blocks, since it cannot stream.

    >>> import numpy as np
    >>> plan(np.ones(15), (1000,)).output_shape
    (1, 1, 1014)
    """
    found = as_filter(filter)
    layout = layout_of(shape, found, "shape")
    options = Options(accuracy=accuracy, algorithm=algorithm, rigor=rigor)
    if block is not None:
        block = integer("block", block, 1)
        found.check_streamable()
    pipeline = pipeline_for(found, checked_dtype("dtype", dtype), options, keep=False)
    told = pipeline.plan(layout.shape, block)
    return dataclasses.replace(told, separable=dense_against_separable(found, layout.shape))
