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
from convolved.wire.tensors import data_type, numpy_dtype
from convolved_vocabulary import FailedPrecondition, Internal, InvalidArgument
from convolved_vocabulary.dtypes import as_array

from .opening import Opening
from .signals import block_length, payload, samples_of
from .sources import Source

__all__ = ["LiveSession"]

Request = pb.StreamConvolveRequest | PartFrame | BlockFrame


class LiveSession:
    """A stream as its caller sees it, whatever calls carry it.

    Use: send `opening()`, feed `receive` until it returns True. Then for each push send
    `push(block)`, feed `receive` until True, and `take()` the output; `flush()` alike, once. If
    the call is lost, send `opening()` in a new one and go on.

    Attributes:
        source: the filter.
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
        self.source = source
        self._opening = opening
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
        self._retained: deque[tuple[int, NDArray[Any]]] = deque()
        self._pending: NDArray[Any] | None = None
        self._found: NDArray[Any] = np.empty(0)
        self._filled = 0
        self._bare = False

    @property
    def delay(self) -> Fraction:
        """The greatest (last input of an output) - (its index / rate), in input samples."""
        return self.source.filter.delay

    def opening(self) -> Iterator[Request]:
        """The messages that open the stream, or take it up in a new call.

        Then they bring again what the outputs to come still read, and what awaits its answer.
        """
        # The messages are drawn later, by another thread: what they tell is settled here.
        begun = self.inputs - (0 if self._pending is None else self._pending.shape[-1])
        again: list[Iterator[Request]] = []
        waiting = self._pending is not None
        for offset, block in self._retained:
            skip = max(0, self.retain_from - offset)
            more = waiting or offset + block.shape[-1] < begun
            again.append(self._blocks(block[..., skip:], offset + skip, more=more))
        if self._pending is not None:
            again.append(self._blocks(self._pending, begun, more=False))
        if self.ended:
            again.append(iter((self._last(),)))
        return chain(self.source.opening(self._start()), *again)

    def push(self, block: ArrayLike) -> Iterator[BlockFrame]:
        """Begin a push; the messages to send, none if the block is empty.

        Raises:
            InvalidArgument: for another shape or dtype than the stream was opened for.
            FailedPrecondition: after `flush`.
        """
        array = as_array("block", block)
        self._bare = array.ndim == len(self.frame_in)
        if self._bare and self.frame_in[0] == 1:
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
        self._await(self.source.filter.ready(self.inputs))
        if not array.shape[-1]:
            return iter(())
        self._pending = array
        return self._blocks(array, begin, more=False)

    def flush(self) -> Iterator[Request]:
        """End the input; the message to send.

        Raises:
            FailedPrecondition: after `flush`.
        """
        self._refuse_after_end("flush")
        self.ended, self._bare = True, False
        self._await(self.source.filter.time.output_length(self.inputs))
        return iter((self._last(),))

    def reset(self) -> None:
        """Begin anew, as if nothing had been pushed; the next call opens again."""
        self._begin_anew()

    @property
    def awaiting(self) -> bool:
        """Whether something was sent whose answer is not complete."""
        return self._pending is not None or (self.ended and not self.finished)

    def receive(self, message: pb.StreamConvolveResponse | OutputFrame) -> bool:
        """Take in a message; True if it completes what is awaited.

        Raises:
            Internal: if it is not what the contract promises.
        """
        if isinstance(message, OutputFrame):
            return self._write(message)
        if message.HasField("started"):
            self._open(message.started)
            return not self.awaiting
        if message.HasField("finished"):
            self._finish(message.finished)
            return True
        return False

    def take(self) -> NDArray[Any]:
        """The output of the push or flush that is complete."""
        found, self._found, self._filled = self._found, np.empty(0), 0
        return found[0] if self._bare and found.shape[0] == 1 else found

    def _start(self) -> pb.Start:
        return pb.Start(
            data_type=data_type(self._opening.dtype),
            frame_shape=self.frame_in,
            block_samples=self.block,
            sample_rate_hertz=self._opening.sample_rate_hertz or 0.0,
            options=encode_options(self._opening.options),
            input_offset=self.retain_from,
            output_offset=self.outputs,
        )

    def _last(self) -> pb.StreamConvolveRequest:
        return pb.StreamConvolveRequest(end=pb.End(total_samples=self.inputs))

    def _blocks(self, array: NDArray[Any], offset: int, *, more: bool) -> Iterator[BlockFrame]:
        length = array.shape[-1]
        for begin in range(0, length, self._step):
            end = min(begin + self._step, length)
            yield BlockFrame(offset + begin, payload(array[..., begin:end]), more or end < length)

    def _await(self, outputs: int) -> None:
        wanted = outputs - self.outputs
        self._found = np.empty((*self.frame_shape, wanted), self.output_dtype)
        self._filled = 0

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
        end = self._filled + block.shape[-1]
        if message.offset != self.outputs or end > self._found.shape[-1]:
            raise Internal(
                f"the server sent outputs {message.offset} to {message.offset + block.shape[-1]}, "
                f"where {self.outputs} to {self.outputs - self._filled + self._found.shape[-1]} "
                "were due"
            )
        self._found[..., self._filled : end] = block
        self._filled = end
        self.outputs += block.shape[-1]
        if message.more or self.ended or message.input_end < self.inputs:
            return False
        self._check_complete()
        self._retain(message.retain_from)
        return True

    def _finish(self, finished: pb.Finished) -> None:
        if not self.ended or finished.total_samples != self.outputs:
            raise Internal(
                f"the server finished at {finished.total_samples} outputs; {self.outputs} had come"
            )
        self._check_complete()
        self.finished, self._pending = True, None
        self._retained.clear()

    def _check_complete(self) -> None:
        if self._filled != self._found.shape[-1]:
            raise Internal(
                f"the server answered with {self._filled} outputs, where "
                f"{self._found.shape[-1]} were due"
            )

    def _retain(self, retain_from: int) -> None:
        """Keep what may still be read of the input, the push just answered included."""
        self.retain_from = max(self.retain_from, retain_from)
        if self._pending is not None:
            begin = self.inputs - self._pending.shape[-1]
            skip = max(0, self.retain_from - begin)
            # A copy: the array that was pushed is the caller's.
            self._retained.append((begin + skip, self._pending[..., skip:].copy()))
            self._pending = None
        while self._retained and self._end(self._retained[0]) <= self.retain_from:
            self._retained.popleft()

    @staticmethod
    def _end(retained: tuple[int, NDArray[Any]]) -> int:
        return retained[0] + int(retained[1].shape[-1])
