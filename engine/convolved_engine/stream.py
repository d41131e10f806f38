"""Signals that come in blocks: a filter's layers, each open along time.

The law: after n inputs exactly filter.ready(n) outputs have come, after `flush` the length of
the whole result, however the input is cut; cutting never changes a bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from convolved_engine.apply import DEFAULT_OPTIONS
from convolved_engine.operations.base import converted
from convolved_engine.pipeline import Pipeline, pipeline_for
from convolved_vocabulary import (
    FailedPrecondition,
    Filter,
    InvalidArgument,
    Layer,
    Options,
    as_filter,
)
from convolved_vocabulary.checks import integer
from convolved_vocabulary.dtypes import as_array, checked_dtype
from convolved_vocabulary.geometry import Sliding

__all__ = ["Stream", "open_stream", "stream"]


class Stream:
    """A filter over a signal that comes in blocks; made by `stream`. It has one owner.

    Attributes:
        filter: what is applied.
        delay: the greatest (last input of an output) - (its index / rate), in input samples.
        block: the block length for which the work is divided.
        inputs: samples taken so far.
        outputs: samples given so far.
        frame_shape: (out_channels, *out_size) of an output.
        output_dtype: of an output.
        algorithm: the names of what computes, in the order of the layers.

    >>> live = stream([1.0, 0.5], dtype="float64")
    >>> live.push([1.0, 1.0]), live.push([1.0]), live.flush()
    (array([1. , 1.5]), array([1.5]), array([[0.5]]))
    >>> live.inputs, live.outputs, live.delay
    (3, 4, Fraction(0, 1))
    """

    def __init__(
        self,
        pipeline: Pipeline,
        channels: int,
        size: tuple[int, ...],
        block: int,
        total: int | None,
    ) -> None:
        self.filter = pipeline.filter
        self.block = block
        self._frame_in = (channels, *size)
        self._dtype = pipeline.dtype
        self.output_dtype = pipeline.output_dtype
        self._stages = pipeline.open(channels, size, block, total)
        self._spread, self._gather = pipeline.spread, pipeline.gather
        self.frame_shape = pipeline.frame_shape(channels, size)
        self.delay: Fraction = self.filter.delay
        self.algorithm = "+".join(dict.fromkeys(stage.algorithm for stage in self._stages))
        self.inputs = self.outputs = self._skip = 0
        self._ended = False

    @property
    def retain_from(self) -> int:
        """Input before this index may be forgotten: start_at(retain_from, outputs) goes on here."""
        needed = self.outputs
        for stage in reversed(self._stages):
            needed = stage.retain_for(needed)
        return needed

    @property
    def state_bytes(self) -> int:
        """The memory that the state takes."""
        return sum(stage.state_bytes for stage in self._stages)

    def push(self, block: ArrayLike) -> NDArray[Any]:
        """Take a block in and give back all the output that it fixes.

        Args:
            block: (channels, *size, n) for any n, also 0; with one channel (*size, n) does.

        Returns:
            (out_channels, *out_size, m); without the channel axis if the block came without it
            and one channel comes out.

        Raises:
            InvalidArgument: for another shape or dtype than the stream was opened for.
            FailedPrecondition: if the stream has ended.
        """
        array = as_array("block", block)
        bare = array.ndim == len(self._frame_in)
        if bare and self._frame_in[0] == 1:
            array = array[None]
        if array.shape[:-1] != self._frame_in or array.ndim == 0:
            wanted = ", ".join(map(str, self._frame_in))
            raise InvalidArgument("block", f"shape {np.shape(block)}", f"shape ({wanted}, n)")
        if array.dtype != self._dtype:
            raise InvalidArgument(
                "block",
                f"dtype {array.dtype.name}",
                f"dtype {self._dtype.name}, for which the stream was opened",
            )
        found = self.push_arranged(array)
        return found[0] if bare and found.shape[0] == 1 else found

    def push_arranged(self, block: NDArray[Any]) -> NDArray[Any]:
        """`push` for a block known to be (channels, *size, n) of the stream's dtype.

        Raises:
            FailedPrecondition: if the stream has ended.
        """
        if self._ended:
            raise FailedPrecondition("the stream has ended: push after flush; reset() it first")
        self.inputs += block.shape[-1]
        return self._given(self._through(self._spread(block), 0), block.shape[0])

    def flush(self) -> NDArray[Any]:
        """End the input and give back what is left: (out_channels, *out_size, m).

        Raises:
            FailedPrecondition: if the stream has ended.
        """
        if self._ended:
            raise FailedPrecondition("the stream has ended: flush after flush; reset() it first")
        self._ended = True
        tails = [
            self._through(stage.flush(), index + 1) for index, stage in enumerate(self._stages)
        ]
        found = np.concatenate(tails, axis=-1) if len(tails) > 1 else tails[0]
        return self._given(found, self._frame_in[0])

    def reset(self) -> None:
        """Begin anew, as if nothing had been pushed."""
        self.start_at(0, 0)

    def start_at(self, inputs: int, outputs: int) -> None:
        """Go on before input `inputs` and output `outputs` of a signal that was begun elsewhere.

        Args:
            inputs: at most what `retain_from` was when `outputs` had been given.
            outputs: the first output wanted.

        Raises:
            InvalidArgument: if the input from there on does not fix that output.
        """
        position = inputs
        for stage in self._stages:
            position = stage.start_at(position)
        if position > outputs:
            raise InvalidArgument(
                "input_offset",
                f"{inputs}, from where output {position} is the first that can be made",
                f"an earlier one, as output {outputs} is wanted",
            )
        self.inputs, self.outputs = inputs, outputs
        self._skip = outputs - position
        self._ended = False

    def _through(self, block: NDArray[Any], first: int) -> NDArray[Any]:
        for stage in self._stages[first:]:
            block = stage.push(block)
        return block

    def _given(self, found: NDArray[Any], channels: int) -> NDArray[Any]:
        found = self._gather(found, channels)[0]
        if self._skip:
            dropped = min(self._skip, found.shape[-1])
            self._skip -= dropped
            found = found[..., dropped:]
        self.outputs += found.shape[-1]
        return converted(found, self.output_dtype)


def open_stream(
    filter: Filter,
    *,
    channels: int,
    size: Sequence[int] = (),
    dtype: DTypeLike,
    block: int = 0,
    total: int | None = None,
    options: Options = DEFAULT_OPTIONS,
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
        _check_streamable(filter)
        length = _enough(filter)
    filter.shapes((count, *spatial, length))
    pipeline = pipeline_for(filter, checked_dtype("dtype", dtype), options)
    return Stream(pipeline, count, spatial, integer("block", block, 0), total)


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
    options = Options(accuracy=accuracy, algorithm=algorithm)
    return open_stream(
        found, channels=channels, size=size, dtype=dtype, block=block, options=options
    )


def _check_streamable(filter: Filter) -> None:
    for index, axis in enumerate(filter.time.maps):
        if isinstance(axis, Sliding) and axis.boundary == "wrap" and (axis.before or axis.after):
            raise InvalidArgument(
                f"layers[{index}].boundary",
                "'wrap' along time, whose first output needs the end of the signal",
                "another boundary to stream, or the whole signal at once with apply",
            )


def _enough(filter: Filter) -> int:
    """A length of input that has outputs, for the checks that need one."""
    length = 1
    while not filter.time.output_length(length):
        length *= 2
    return length
