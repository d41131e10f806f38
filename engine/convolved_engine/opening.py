"""How streams are opened: what the caller says about filter and signal, checked."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike, DTypeLike

from convolved_engine.apply import DEFAULT_OPTIONS
from convolved_engine.pipeline import pipeline_for
from convolved_engine.stream import Stream
from convolved_vocabulary import Filter, InvalidArgument, Layer, Options, as_filter
from convolved_vocabulary.checks import integer
from convolved_vocabulary.dtypes import checked_dtype

__all__ = ["open_stream", "stream"]


def open_stream(
    filter: Filter,
    *,
    channels: int,
    size: Sequence[int] = (),
    dtype: DTypeLike,
    block: int = 0,
    total: int | None = None,
    options: Options = DEFAULT_OPTIONS,
    history: int = 0,
) -> Stream:
    """Open a stream with everything that can be said about it.

    Args:
        filter: what to apply.
        channels: of the input.
        size: the spatial axes before time.
        dtype: of the input.
        block: samples that come at a time; 0 if that is not known.
        total: the length of the whole input, where known. Outputs may then be held back to work
            in larger blocks: only order and total are promised.
        options: the wishes of the caller.
        history: past input samples to keep, so that a filter that is swapped in later finds the
            past that it reaches back to; as far as the first filter reaches is kept anyway.

    Raises:
        InvalidArgument: if the filter does not take such a signal, or has "wrap" along time and
            `total` is not known.

    >>> open_stream(as_filter([1.0, 0.5]), channels=2, dtype="float32").frame_shape
    (2,)
    """
    count = integer("channels", channels, 1)
    spatial = tuple(integer("size", length, 1) for length in size)
    length = 1 if total is None else integer("total", total, 1)
    if len(spatial) != filter.rank - 1:
        raise InvalidArgument(
            "size", f"{spatial}", f"{filter.rank - 1} spatial axes before time for this filter"
        )
    if total is None:
        filter.check_streamable()
        length = _enough(filter)
    filter.shapes((count, *spatial, length))
    pipeline = pipeline_for(filter, checked_dtype("dtype", dtype), options)
    return Stream(
        pipeline,
        count,
        spatial,
        integer("block", block, 0),
        total,
        integer("history", history, 0),
    )


def stream(
    filter: Filter | Layer | ArrayLike,
    *,
    channels: int = 1,
    size: Sequence[int] = (),
    dtype: DTypeLike = "float32",
    block: int = 512,
    sample_rate_hertz: float | None = None,
    accuracy: str = "fast",
    algorithm: str = "auto",
    rigor: str | None = None,
    history: int = 0,
) -> Stream:
    """Open a stream: push blocks of a signal, get back what they fix.

    Args:
        filter: a filter, a layer, or the array of an impulse response.
        channels: of the input.
        size: the spatial axes before time: () for audio, (height,) for spectrograms.
        dtype: of the input.
        block: samples that usually come at a time; blocks of any length are taken.
        sample_rate_hertz: of the signal, if the filter's rate shall be checked.
        accuracy: "fast" or "strict"; see `Options`.
        algorithm: the name of an algorithm, or "auto".
        rigor: "estimate", "measure", or None for the setting; see `Options`.
        history: past input samples to keep for filters that are swapped in later; as far as
            this filter reaches is kept anyway.

    Returns:
        a `Stream`.

    Raises:
        InvalidArgument: naming what is wrong; a filter with "wrap" along time cannot stream.

    >>> import numpy as np
    >>> live = stream(np.array([1.0, 0.5]))
    >>> live.push(np.ones(3, np.float32)), live.flush()
    (array([1. , 1.5, 1.5], dtype=float32), array([[0.5]], dtype=float32))
    """
    found = as_filter(filter)
    found.check_sample_rate(sample_rate_hertz)
    options = Options(accuracy=accuracy, algorithm=algorithm, rigor=rigor)
    return open_stream(
        found,
        channels=channels,
        size=size,
        dtype=dtype,
        block=block,
        options=options,
        history=history,
    )


def _enough(filter: Filter) -> int:
    """A length of input that has outputs, for the checks that need one."""
    length = 1
    while not filter.time.output_length(length):
        length *= 2
    return length
