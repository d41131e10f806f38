"""A Start, read and checked: everything that a stream needs to be opened, and what it will take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.fields import located
from convolved.wire.options import decode_options
from convolved.wire.parts import Assembler, announced_shapes
from convolved.wire.reasons import OutOfSequence, TooLarge
from convolved.wire.strict import refuse_unknown
from convolved.wire.tensors import numpy_dtype
from convolved_server.limits import Limits
from convolved_server.measuring import nothing
from convolved_server.requests import FIELDS, Find, check_bulk, in_fields, read_rate, read_source
from convolved_server.uploads import Received, told
from convolved_vocabulary import Filter, InvalidArgument, Options
from convolved_vocabulary.geometry import Sliding
from convolved_vocabulary.swaps import check_match, kept, reach

from .wishes import MOST_SWAPS, SwapWish, read_swap

__all__ = ["Opening", "announced_in", "read_start"]

_MOST_FRAME_AXES = 3
_BUFFER_BYTES = 1 << 20
_SMALLEST_BUFFER = 64 << 10
_BUFFERED_BLOCKS = 16
# A filter that waits for its turn, besides what it holds of the signal.
_SWAP_BYTES = 64 << 10

# Where the arguments of the engine stand in a Start.
_FIELDS = {
    argument: f"start.{field}"
    for argument, field in {
        **FIELDS,
        "x": "frame_shape",
        "channels": "frame_shape",
        "size": "frame_shape",
        "dtype": "data_type",
        "total": "total_samples",
        "input_offset": "output_offset",
        "history": "history_samples",
    }.items()
}


@dataclass(frozen=True)
class Opening:
    """What a stream is to be.

    Attributes:
        filter: what to apply.
        dtype: of the input.
        frame: (channels, *size) of one input sample.
        total: samples of the whole input, None in the live manner.
        block: samples that come at a time; 0 if unknown.
        sample_rate: in hertz, None if unstated.
        options: the wishes.
        input_offset: the first input that will come.
        output_offset: the first output that is wanted.
        history: past input to keep for filters that are swapped in.
        swaps: to come or in progress, of a stream that is taken up.
    """

    filter: Filter
    dtype: np.dtype[Any]
    frame: tuple[int, ...]
    total: int | None
    block: int
    sample_rate: float | None
    options: Options
    input_offset: int
    output_offset: int
    history: int = 0
    swaps: tuple[SwapWish, ...] = ()

    @property
    def live(self) -> bool:
        """Whether each push is answered at once."""
        return self.total is None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one input sample."""
        return math.prod(self.frame) * self.dtype.itemsize

    @cached_property
    def out_frame(self) -> tuple[int, ...]:
        """(channels, *size) of one output sample."""
        across = zip(self.filter.chains, self.frame[1:], strict=False)
        return (
            self.filter.out_channels(self.frame[0]),
            *(chain.output_length(length) for chain, length in across),
        )

    @cached_property
    def out_dtype(self) -> np.dtype[Any]:
        """Of the output."""
        return self.options.output_dtype or self.filter.output_dtype(self.dtype)

    @property
    def out_frame_bytes(self) -> int:
        """Bytes of one output sample."""
        return math.prod(self.out_frame) * self.out_dtype.itemsize

    @property
    def rate(self) -> Fraction:
        """Outputs per input."""
        return self.filter.time.rate

    @cached_property
    def widest_bytes(self) -> Fraction:
        """Bytes for each input sample where the signal is widest, between layers too."""
        rate, frame = Fraction(1), self.frame
        found = [Fraction(self.frame_bytes), self.rate * self.out_frame_bytes]
        filter = self.filter
        for layer, signal in zip(filter.layers, filter.output_types(self.dtype), strict=True):
            *across, time = layer.axes(filter.rank)
            channels = frame[0] if filter.per_channel else layer.out_channels(frame[0])
            sizes = zip(across, frame[1:], strict=True)
            frame = (channels, *(axis.output_length(length) for axis, length in sizes))
            rate *= time.rate
            found.append(rate * math.prod(frame) * signal.dtype.itemsize)
        return max(found)

    @property
    def buffer_bytes(self) -> int:
        """What may wait in each direction: some blocks of a live stream, megabytes of a whole."""
        if not self.live:
            return _BUFFER_BYTES
        greater = max(self.frame_bytes, math.ceil(self.rate * self.out_frame_bytes))
        return min(_BUFFER_BYTES, max(_SMALLEST_BUFFER, _BUFFERED_BLOCKS * self.block * greater))

    @cached_property
    def predicted_bytes(self) -> int:
        """What it will take at most, known before anything is taken: buffers, past and tail."""
        per_sample = self.frame_bytes + self.rate * self.out_frame_bytes
        # Padding is computed from as if it were signal, at the start and at the end.
        span = self.filter.receptive_field[-1].size + sum(
            axis.before + axis.after for axis in self.filter.time.maps if isinstance(axis, Sliding)
        )
        held = 4 * math.ceil(span * per_sample) + 2 * self.buffer_bytes
        if self.live and not self.needs_whole:
            held += kept(max(self.history, reach(self.filter))) * self.frame_bytes
        held += sum(map(self.check_swap, self.swaps))
        if self.needs_whole and self.total is not None:
            held += math.ceil(self.total * per_sample)
        return held

    def check_swap(self, wish: SwapWish) -> int:
        """Refuse a filter that cannot take over; return the bytes that it will take at most.

        Raises:
            InvalidArgument: saying in what it differs from the present one.
        """
        if not self.live:
            # The engine says why not.
            return 0
        with wish.in_fields():
            wish.filter.check_streamable()
            furthest = max(self.history, reach(self.filter))
            check_match(wish.filter, self.filter, self.frame, furthest)
            wish.filter.check_sample_rate(self.sample_rate)
        return _SWAP_BYTES + replace(self, filter=wish.filter, history=0, swaps=()).predicted_bytes

    @property
    def needs_whole(self) -> bool:
        """Whether the first output needs the last input: "wrap" along time."""
        return any(
            isinstance(axis, Sliding) and axis.boundary == "wrap" and (axis.before or axis.after)
            for axis in self.filter.time.maps
        )

    def open(self, measuring: AbstractContextManager[object] | None = None) -> engine.Stream:
        """The engine's stream; prepares weights, so it belongs in a thread.

        Args:
            measuring: inside which as much is measured as it allows; None allows nothing.

        Raises:
            InvalidArgument: if the filter does not take such a signal.
        """
        with measuring or nothing(), in_fields(_FIELDS, "start.filter"):
            stream = engine.open_stream(
                self.filter,
                channels=self.frame[0],
                size=self.frame[1:],
                dtype=self.dtype,
                block=self.block,
                total=self.total,
                options=self.options,
                history=self.history,
            )
            if self.input_offset or self.output_offset:
                stream.start_at(self.input_offset, self.output_offset)
        for swap in self.swaps:
            with swap.in_fields():
                stream.swap(
                    swap.filter, at=swap.when.at, fade=swap.when.fade, curve=swap.when.curve
                )
        return stream


def announced_in(
    message: Received | None, limits: Limits
) -> tuple[pb.Start, list[tuple[np.dtype[Any], tuple[int, ...]]]]:
    """The Start that the first message must be, and the tensors that it announces.

    Raises:
        OutOfSequence: if it is something else.
        TooLarge: if the filter is.
    """
    if not isinstance(message, pb.StreamConvolveRequest) or not message.HasField("start"):
        if isinstance(message, pb.StreamConvolveRequest):
            refuse_unknown(message)
        came = "the end of the stream" if message is None else f"a {told(message)}"
        with located("start"):
            raise OutOfSequence("message", came, "a Start first")
    start = message.start
    if len(start.swaps) > MOST_SWAPS:
        with located("start.swaps"):
            raise InvalidArgument("swaps", f"{len(start.swaps)} swaps", f"at most {MOST_SWAPS}")
    sources = {"start.filter": start.filter}
    sources |= {f"start.swaps[{i}].filter": swap.filter for i, swap in enumerate(start.swaps)}
    for path, source in sources.items():
        check_bulk(source.inline, f"{path}.inline", limits)
    refuse_unknown(message)
    announced = announced_shapes(message)
    for source in sources.values():
        nbytes = Assembler(announced_shapes(source)).nbytes
        limits.check_filter(nbytes, len(source.inline.layers))
    return start, announced


def read_start(
    start: pb.Start, tensors: Sequence[NDArray[Any]], find: Find, limits: Limits
) -> Opening:
    """What a Start asks for, checked as far as the contract goes; the engine checks the rest.

    Args:
        start: the message.
        tensors: the arrays of the tensors that it announces.
        find: gives registered filters.
        limits: of the server.

    Raises:
        ConvolvedError: for what is wrong with it.
    """
    announced = iter(tensors)
    filter = read_source(start.filter, "start.filter", find, limits, announced)
    swaps = tuple(
        read_swap(swap, f"start.swaps[{index}]", find, limits, announced)
        for index, swap in enumerate(start.swaps)
    )
    for swap in swaps:
        if swap.when.at is None:
            with located(f"{swap.path}.at_output"):
                raise InvalidArgument("at", "nothing", "the index that a Swapped has told")
    dtype = numpy_dtype(start.data_type, "start.data_type")
    frame = tuple(start.frame_shape[: _MOST_FRAME_AXES + 1])
    if len(frame) != filter.rank or min(frame) < 1:
        with located("start.frame_shape"):
            raise InvalidArgument(
                "x",
                f"frame {frame}",
                f"(channels, *size) with {filter.rank - 1} spatial axes before time, none empty",
            )
    filter.check_sample_rate(read_rate(start.sample_rate_hertz, "start.sample_rate_hertz"))
    for name in ("block_samples", "history_samples", "input_offset", "output_offset"):
        if getattr(start, name) < 0:
            with located(f"start.{name}"):
                raise InvalidArgument(name, getattr(start, name), "at least 0")
    total = start.total_samples if start.HasField("total_samples") else None
    if total is not None:
        with located("start.total_samples"):
            if total < 1:
                raise InvalidArgument(
                    "total_samples", total, "at least 1, or unset for a live stream"
                )
            if start.input_offset > total:
                raise InvalidArgument(
                    "total_samples", total, f"at least the input_offset, {start.input_offset}"
                )
    found = Opening(
        filter=filter,
        dtype=dtype,
        frame=frame,
        total=total,
        block=start.block_samples,
        sample_rate=start.sample_rate_hertz or None,
        options=decode_options(start.options, "start.options"),
        input_offset=start.input_offset,
        output_offset=start.output_offset,
        history=start.history_samples,
        swaps=swaps,
    )
    _check_size(found, limits)
    # Long for filters with much upsampling, so it is found out here, in a thread.
    _ = found.predicted_bytes, filter.delay
    return found


def _check_size(opening: Opening, limits: Limits) -> None:
    with in_fields(_FIELDS, "start.filter"):
        limits.check_frame("input", opening.frame_bytes)
        limits.check_frame("output", opening.out_frame_bytes)
    if opening.total is None:
        return
    with located("start.total_samples"):
        if not opening.needs_whole:
            opening.filter.shapes((*opening.frame, opening.total))
            return
    nbytes = opening.total * opening.frame_bytes
    if nbytes > limits.whole_signal_bytes:
        raise TooLarge(
            f"padding by wrap along time needs the whole signal of {nbytes:,} bytes at once; at "
            f"most {limits.whole_signal_bytes:,} are taken"
        )
