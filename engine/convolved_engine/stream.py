"""Signals that come in blocks: a filter's layers, each open along time.

The law: after n inputs exactly filter.ready(n) outputs have come, after `flush` the length of
the whole result, however the input is cut; cutting never changes a bit. With `swap`, an output
comes when it is fixed by every filter that takes part in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convolved_engine.pipeline import Pipeline, pipeline_for
from convolved_engine.streaming.lane import Lane
from convolved_engine.streaming.past import Past
from convolved_engine.streaming.swaps import Succession, Successor
from convolved_vocabulary import (
    FailedPrecondition,
    Filter,
    InvalidArgument,
    Layer,
    as_filter,
)
from convolved_vocabulary.checks import integer
from convolved_vocabulary.dtypes import as_array
from convolved_vocabulary.swaps import (
    Swap,
    check_match,
    checked_curve,
    checked_position,
    kept,
    reach,
)

__all__ = ["Stream"]


class Stream:
    """A filter over a signal that comes in blocks; made by `stream`. It has one owner.

    Attributes:
        delay: the greatest (last input of an output) - (its index / rate), in input samples.
        block: the block length for which the work is divided.
        inputs: samples taken so far.
        outputs: samples given so far.
        frame_shape: (out_channels, *out_size) of an output.
        output_dtype: of an output.

    >>> from convolved_engine import stream
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
        history: int,
    ) -> None:
        self.block = block
        self._first = pipeline
        self._frame_in = (channels, *size)
        self._dtype = pipeline.dtype
        self._whole = total is not None
        lane = Lane(pipeline, channels, size, block, total)
        self._succession = Succession(lane)
        self.output_dtype = lane.output_dtype
        self.frame_shape = lane.frame_shape
        self.delay: Fraction = pipeline.filter.delay
        self._reach = max(history, 0 if self._whole else reach(pipeline.filter))
        self._kept = 0 if self._whole else kept(self._reach)
        self._past = Past(self._frame_in, self._dtype, self._kept)
        self.inputs = self.outputs = self._begin = 0
        self._standing, self._ended = True, False

    @property
    def filter(self) -> Filter:
        """What is applied; while swaps are to come or going on, the filter before them."""
        return self._succession.lane.filter

    @property
    def swaps(self) -> tuple[Swap, ...]:
        """Swaps to come or going on, in the order of their positions; see `swap`."""
        return self._succession.swaps

    @property
    def algorithm(self) -> str:
        """The names of what computes `filter`, in the order of the layers."""
        return self._succession.lane.algorithm

    @property
    def retain_from(self) -> int:
        """Input before this index may be forgotten: start_at(retain_from, outputs) goes on here.

        To go on with what this stream is in the midst of, and to keep to its law of bits, open
        another one with `filter`, start_at, and then swap each of `swaps`.
        """
        succession = self._succession
        if succession.plain:
            needed = succession.lane.retain_for(self.outputs)
        else:
            needed = succession.retain_from
        if not self._whole:
            needed = min(needed, self.inputs - self._kept)
        return max(self._begin, needed)

    @property
    def state_bytes(self) -> int:
        """The memory that the state takes."""
        return self._past.nbytes + sum(lane.state_bytes for lane in self._succession.lanes)

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
        if (
            type(block) is np.ndarray
            and block.dtype is self._dtype
            and block.shape[:-1] == self._frame_in
            and block.ndim
        ):
            return self.push_arranged(block)
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
        samples = block.shape[-1]
        if samples:
            self._standing = False
            self.inputs += samples
            self._past.append(block)
        succession = self._succession
        # The common case, made short.
        found = succession.lane.push(block) if succession.plain else succession.push(block)
        self.outputs += found.shape[-1]
        return found

    def flush(self) -> NDArray[Any]:
        """End the input and give back what is left: (out_channels, *out_size, m).

        The length of the whole output is that of the last filter swapped in. A swap whose
        position the end comes before, which is one beyond `outputs` now, does not take place.

        Raises:
            FailedPrecondition: if the stream has ended.
        """
        return np.concatenate([*self.flush_steps()], axis=-1)

    def flush_steps(self) -> Iterator[NDArray[Any]]:
        """`flush` in pieces, some of them empty, between which the work can be abandoned.

        Each takes but little time, however long the filter is. The input has ended with the
        call, also where not all pieces are asked for.

        Raises:
            FailedPrecondition: if the stream has ended.
        """
        if self._ended:
            raise FailedPrecondition("the stream has ended: flush after flush; reset() it first")
        self._ended = True
        return map(self._given, self._succession.flush_steps())

    def reset(self) -> None:
        """Begin anew, with the first filter, as if nothing had been pushed or swapped."""
        self.start_at(0, 0)

    def start_at(self, inputs: int, outputs: int) -> None:
        """Go on before input `inputs` and output `outputs` of a signal that was begun elsewhere.

        The filter is the one that the stream was opened with, and no swap is known. Swaps that
        are still to come or whose fade is still going on at `outputs` are swapped in anew now,
        before the first push, with the positions that they had.

        Args:
            inputs: at most what `retain_from` was when `outputs` had been given.
            outputs: the first output wanted.

        Raises:
            InvalidArgument: if the input from there on does not fix that output.
        """
        lane = self._succession.lanes[0]
        if lane.filter is not self._first.filter:
            lane = self._lane(self._first)
        lane.start_at(inputs, outputs)
        self._succession = Succession(lane)
        self._past.clear(inputs)
        self.inputs, self.outputs, self._begin = inputs, outputs, inputs
        self._standing, self._ended = True, False

    def prepare(self, filter: Filter | Layer | ArrayLike) -> Successor:
        """Make a filter ready to be swapped in: check that it matches, prepare its weights.

        This is the part of `swap` that takes time with a long filter. It reads nothing that a
        push changes, so that it may run in another thread while blocks are pushed.

        Args:
            filter: as in `swap`.

        Returns:
            what `swap` takes in place of the filter, once.

        Raises:
            InvalidArgument: as `swap`.
            FailedPrecondition: in a stream whose whole length is known.
        """
        if self._whole:
            raise FailedPrecondition(
                "a stream of a known total cannot swap filters: it may compute in larger blocks "
                "than come; open a live stream, without a total"
            )
        found = as_filter(filter)
        found.check_streamable()
        check_match(found, self._first.filter, self._frame_in, self._reach)
        pipeline = pipeline_for(found, self._dtype, self._first.options)
        if pipeline.output_dtype != self.output_dtype:
            raise InvalidArgument(
                "filter",
                f"outputs of {pipeline.output_dtype.name}",
                f"{self.output_dtype.name}, as the present filter has",
            )
        return Successor(self._lane(pipeline))

    def swap(
        self,
        filter: Filter | Layer | ArrayLike | Successor,
        *,
        at: int | None = None,
        fade: int = 0,
        curve: str = "linear",
    ) -> int:
        """Change the filter in mid-stream, sample-accurately, without a gap.

        The new filter sounds as if it had always run on the past that is retained. Output
        at + m, for m = 0 ... fade - 1, is (1 - g) * old + g * new, g being u = (m + 1/2) / fade
        or (1 - cos(pi u)) / 2: shares that sum to one in amplitude. An output is fixed when
        every filter that takes part in it has fixed it. Several swaps may wait; `swaps` tells
        them.

        Args:
            filter: a filter, a layer, the array of an impulse response, or what `prepare` made
                of one. It matches the present one in rank, channels in and out, size, dtype of
                the output, rate and delay.
            at: the output index at which the change begins: at least `outputs`, and not before
                the fade of an earlier swap ends. After `start_at`, before the first push, it
                may also lie before `outputs`. None: the earliest.
            fade: how many outputs the change takes; 0 changes from one sample to the next.
            curve: "linear" or "raised_cosine".

        Returns:
            the output index at which the change begins.

        Raises:
            InvalidArgument: for a filter that does not match, or that reaches further back than
                the first one and the `history` of the stream; for a position that is too early.
            FailedPrecondition: if the stream has ended, or was opened for a known total.

        >>> from convolved_engine import stream
        >>> live = stream([1.0], dtype="float64")
        >>> live.push([1.0, 1.0])
        array([1., 1.])
        >>> live.swap([3.0], fade=2)
        2
        >>> live.push([1.0, 1.0, 1.0])
        array([1.5, 2.5, 3. ])
        """
        if self._ended:
            raise FailedPrecondition("the stream has ended: swap after flush; reset() it first")
        begin = checked_position(at, self.outputs, self.swaps, standing=self._standing)
        length = integer("fade", fade, 0)
        checked_curve(curve)
        successor = filter if isinstance(filter, Successor) else self.prepare(filter)
        lane = successor.take()
        first = max(begin, self.outputs)
        inputs = lane.stand_for(first, self.inputs)
        if inputs < self._past.begin:
            lane.start_at(self._past.begin, first)
            inputs = self._past.begin
        swap = Swap(lane.filter, begin, length, curve)
        self._succession.add(swap, lane, self._past.read(inputs))
        return begin

    def _lane(self, pipeline: Pipeline) -> Lane:
        channels, *size = self._frame_in
        return Lane(pipeline, channels, tuple(size), self.block, None)

    def _given(self, found: NDArray[Any]) -> NDArray[Any]:
        self.outputs += found.shape[-1]
        return found
