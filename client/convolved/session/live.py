"""A live stream: pushes in, the output that they fix back, at absolute offsets.

The law: after n inputs exactly `filter.ready(n)` outputs have been returned, after the end
the length of the whole result. A server that breaks it is found out here. What the future may
still read of the input is retained, so that a new call can take the stream up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.framing import BlockFrame, OutputFrame, PartFrame
from convolved.wire.options import encode_options
from convolved.wire.swaps import When
from convolved.wire.tensors import data_type, numpy_dtype
from convolved_vocabulary import ConvolvedError, FailedPrecondition, Internal, InvalidArgument
from convolved_vocabulary.checks import integer
from convolved_vocabulary.dtypes import as_array
from convolved_vocabulary.swaps import checked_curve, checked_position

from .opening import Opening
from .pushes import Push, Pushes
from .signals import block_length, payload, samples_of
from .sources import Source
from .succession import Succession

__all__ = ["LiveSession"]

Request = pb.StreamConvolveRequest | PartFrame | BlockFrame


class LiveSession:
    """A stream as its caller sees it, whatever calls carry it.

    Use: send `opening()`, feed `receive` until it returns True. Then for each push send
    `push(block)`, feed `receive` until True, and `take()` the output; `flush()` alike, once. If
    the call is lost, send `opening()` in a new one and go on.

    More may be pushed before the answer is there: then `take()` an output, in the order of the
    pushes, for as long as `complete` tells that there is one.

    A filter takes over by `swap`, sent and confirmed like a push; it is asked for again wherever
    the stream goes on before that.

    Attributes:
        filters: what is applied, and what is to take over.
        inputs: samples pushed.
        outputs: samples received.
        retain_from: the input before this index is not needed any more.
        ended: whether `flush` was called.
        block: the block length for which the server divides its work.
        algorithm: what computes.
        output_dtype: of the outputs.
        frame_shape: (out_channels, *out_size).
    """

    def __init__(self, source: Source, opening: Opening) -> None:
        self._source, self._opening = source, opening
        self.frame_in: tuple[int, ...] = (opening.channels, *opening.size)
        self._step = block_length(self.frame_in, opening.dtype, "size")
        self.block: int = opening.block
        self.algorithm: str = ""
        self.output_dtype: np.dtype[Any] = opening.dtype
        self.frame_shape: tuple[int, ...] = ()
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.inputs: int = 0
        self.outputs: int = 0
        self.retain_from: int = 0
        self.started: bool = False
        self.ended: bool = False
        self.finished: bool = False
        self.filters: Succession = Succession(self._source)
        self._promised = 0
        self._retained: deque[tuple[int, NDArray[Any]]] = deque()
        self._pushes = Pushes()

    @property
    def delay(self) -> Fraction:
        """The greatest (last input of an output) - (its index / rate), in input samples."""
        return self.filters.first.filter.delay

    def opening(self) -> Iterator[Request]:
        """The messages that open the stream, or take it up in a new call.

        Then they bring again what the outputs to come still read, and what awaits its answer.
        """
        # The messages are drawn later, by another thread: what they tell is settled here.
        pushes = [(push.begin, push.block) for push in self._pushes if push.block is not None]
        waiting = bool(pushes)
        begun = pushes[0][0] if pushes else self.inputs
        again: list[Iterator[Request]] = []
        for offset, block in self._retained:
            skip = max(0, self.retain_from - offset)
            more = waiting or offset + block.shape[-1] < begun
            again.append(self._blocks(block[..., skip:], offset + skip, more=more))
        again += [self._blocks(block, begin, more=False) for begin, block in pushes]
        if (swap := self.filters.request()) is not None:
            again.append(iter((swap,)))
        if self.ended:
            again.append(iter((self._last(),)))
        filters = self.filters.present.opening(self._start(), self.filters.again())
        return chain(filters, *again)

    def push(self, block: ArrayLike) -> Iterator[BlockFrame]:
        """Begin a push; the messages to send, none if the block is empty.

        Raises:
            InvalidArgument: for another shape or dtype than the stream was opened for.
            FailedPrecondition: after `flush`.
        """
        array = as_array("block", block)
        bare = array.ndim == len(self.frame_in)
        if bare and self.frame_in[0] == 1:
            array = array[None]
        if array.shape[:-1] != self.frame_in or array.ndim == 0:
            wanted = ", ".join(map(str, self.frame_in))
            raise InvalidArgument("block", f"shape {np.shape(block)}", f"shape ({wanted}, n)")
        if array.dtype != self._opening.dtype:
            raise InvalidArgument(
                "block",
                f"dtype {array.dtype.name}",
                f"dtype {self._opening.dtype.name}, for which the stream was opened",
            )
        self._refuse_after_end("push")
        begin = self.inputs
        self.inputs += array.shape[-1]
        self._await(begin, array, bare, self.filters.ready(self.inputs))
        return self._blocks(array, begin, more=False)

    def flush(self) -> Iterator[Request]:
        """End the input; the message to send.

        Raises:
            FailedPrecondition: after `flush`.
        """
        self._refuse_after_end("flush")
        self.ended = True
        length = self.filters.length(self.inputs)
        self._await(self.inputs, None, False, length)
        return iter((self._last(),))

    def swap(self, source: Source, when: When) -> Iterator[Request]:
        """Ask for another filter; the message to send.

        Raises:
            InvalidArgument: for a filter that does not match, or a position that is too early.
            FailedPrecondition: after `flush`.
        """
        self._refuse_after_end("swap")
        at, filters = when.at, self.filters
        checked_position(at, self._promised, filters.swaps)
        fade = integer("fade", when.fade, 0)
        curve = checked_curve(when.curve)
        self._opening.check_swap(source.filter, filters.first.filter)
        if source.has_weights and self.started:
            found = source.filter.output_dtype(self._opening.dtype)
            if found != self.output_dtype:
                raise InvalidArgument(
                    "filter",
                    f"outputs of {found.name}",
                    f"{self.output_dtype.name}, as the present filter has",
                )
        filters.ask(source, When(None if at is None else int(at), fade, curve))
        request = filters.request()
        return iter(() if request is None else (request,))

    def forgo(self) -> None:
        """Ask for no other filter any more."""
        self.filters.forgo()

    def reset(self) -> None:
        """Begin anew, as if nothing had been pushed; the next call opens again."""
        self._begin_anew()

    @property
    def awaiting(self) -> bool:
        """Whether something was sent whose answer is not complete."""
        return len(self._pushes) > 0 or self.filters.asked

    @property
    def complete(self) -> int:
        """How many outputs `take` has."""
        return self._pushes.complete

    @property
    def in_flight(self) -> int:
        """Pushes, the flush included, whose outputs are not complete."""
        return len(self._pushes)

    def receive(self, message: pb.StreamConvolveResponse | OutputFrame) -> bool:
        """Take in a message; True if it completes all that is awaited.

        Raises:
            Internal: if it is not what the contract promises.
        """
        if isinstance(message, OutputFrame):
            return self._write(message)
        if message.HasField("started"):
            self._open(message.started)
            return not self.awaiting
        if message.HasField("swapped"):
            self.filters.confirm(message.swapped)
            return not self.awaiting
        if message.HasField("finished"):
            self._finish(message.finished)
            return True
        return False

    def outlives(self, error: ConvolvedError) -> bool:
        """Whether nothing is lost with a call that ended so: all had come, but for its status."""
        return self.finished and error.resumable

    def take(self) -> NDArray[Any]:
        """The output of the oldest push or flush that is complete."""
        return self._pushes.take().output

    def _start(self) -> pb.Start:
        return pb.Start(
            data_type=data_type(self._opening.dtype),
            frame_shape=self.frame_in,
            block_samples=self.block,
            sample_rate_hertz=self._opening.sample_rate_hertz or 0.0,
            options=encode_options(self._opening.options),
            input_offset=self.retain_from,
            output_offset=self.outputs,
            history_samples=self._history(),
        )

    def _history(self) -> int:
        """The past that filters may reach back to, which the first one determined."""
        opening, filters = self._opening, self.filters
        if filters.present is filters.first:
            return opening.history
        return opening.furthest(filters.first.filter)

    def _last(self) -> pb.StreamConvolveRequest:
        return pb.StreamConvolveRequest(end=pb.End(total_samples=self.inputs))

    def _blocks(self, array: NDArray[Any], offset: int, *, more: bool) -> Iterator[BlockFrame]:
        length = array.shape[-1]
        for begin in range(0, length, self._step):
            end = min(begin + self._step, length)
            yield BlockFrame(offset + begin, payload(array[..., begin:end]), more or end < length)

    def _await(self, begin: int, block: NDArray[Any] | None, bare: bool, outputs: int) -> None:
        wanted = max(0, outputs - self._promised)
        self._promised += wanted
        room = np.empty((*self.frame_shape, wanted), self.output_dtype)
        self._pushes.add(Push(begin, block, bare, room))

    def _refuse_after_end(self, what: str) -> None:
        if self.ended:
            raise FailedPrecondition(f"the stream has ended: {what} after flush; reset() it first")

    def _open(self, started: pb.Started) -> None:
        dtype, frame = numpy_dtype(started.data_type), tuple(started.frame_shape)
        if self.started and (frame, dtype) != (self.frame_shape, self.output_dtype):
            raise Internal(
                f"the server went on with outputs of shape {frame}, {dtype.name}, that had begun "
                f"as {self.frame_shape}, {self.output_dtype.name}"
            )
        self.output_dtype, self.frame_shape = dtype, frame
        self.algorithm = started.algorithm
        self.block = started.block_samples or self.block
        self.started = True

    def _write(self, message: OutputFrame) -> bool:
        block = samples_of(message, self.output_dtype, self.frame_shape)
        missing = self._pushes.missing
        if message.offset != self.outputs or block.shape[-1] > missing:
            raise Internal(
                f"the server sent outputs {message.offset} to {message.offset + block.shape[-1]}, "
                f"where {self.outputs} to {self.outputs + missing} were due"
            )
        self._pushes.lay_out(block)
        self.outputs += block.shape[-1]
        self.filters.received(self.outputs)
        if message.more:
            return False
        self.retain_from = max(self.retain_from, message.retain_from)
        for push in self._pushes.answer(message.input_end):
            self._check_complete(push)
            self._retain(push)
        while self._retained and self._end(self._retained[0]) <= self.retain_from:
            self._retained.popleft()
        return not self.awaiting

    def _finish(self, finished: pb.Finished) -> None:
        if not self.ended or finished.total_samples != self.outputs:
            raise Internal(
                f"the server finished at {finished.total_samples} outputs; {self.outputs} had come"
            )
        for push in self._pushes:
            self._check_complete(push)
        self._pushes.finish()
        self.finished = True
        self._retained.clear()

    def _check_complete(self, push: Push) -> None:
        if push.missing:
            raise Internal(
                f"the server answered with {push.filled} outputs, where "
                f"{push.found.shape[-1]} were due"
            )

    def _retain(self, push: Push) -> None:
        """Keep what may still be read of the input of a push that has been answered."""
        if push.block is not None:
            skip = max(0, self.retain_from - push.begin)
            # A copy: the array that was pushed is the caller's.
            self._retained.append((push.begin + skip, push.block[..., skip:].copy()))

    @staticmethod
    def _end(retained: tuple[int, NDArray[Any]]) -> int:
        return retained[0] + int(retained[1].shape[-1])
