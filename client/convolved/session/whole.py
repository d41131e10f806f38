"""A whole signal through a stream: blocks out of an array, outputs into another.

Nothing is held beyond the input and the output. The state is where the stream stands, so a new
call can take it up: `requests` always begins with what the outputs so far leave to be done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.framing import BlockFrame, OutputFrame, PartFrame
from convolved.wire.options import encode_options
from convolved.wire.tensors import data_type, numpy_dtype
from convolved_vocabulary import ConvolvedError, Internal, Options, Unavailable

from .signals import block_length, payload, samples_of
from .sources import Source

__all__ = ["Allocate", "WholeSession"]

Allocate = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]


class WholeSession:
    """One example of a signal, on its way through a stream in the whole manner.

    `requests` may be drawn by another thread than the one that calls `receive`.

    Args:
        source: the filter.
        signal: (channels, *spatial), of any strides.
        options: the wishes.
        sample_rate_hertz: of the signal, or None.
        allocate: makes the array for the output when its shape and dtype are known.
        progress: called with the outputs received and their total after each message.

    Attributes:
        output: (out_channels, *out_spatial), once the stream has started.
        received: the output samples that have come.
        retain_from: the input before this index is not needed any more.
        finished: whether everything has come.
    """

    def __init__(
        self,
        source: Source,
        signal: NDArray[Any],
        options: Options,
        sample_rate_hertz: float | None,
        allocate: Allocate = np.empty,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        self._source, self._signal, self._options = source, signal, options
        self._rate, self._allocate, self._progress = sample_rate_hertz, allocate, progress
        self._dtype = signal.dtype.newbyteorder("=")
        self._step = block_length(signal.shape[:-1], self._dtype, "x")
        self._failure: BaseException | None = None
        self.output: NDArray[Any] | None = None
        self.received: int = 0
        self.retain_from: int = 0
        self._block = 0
        self.finished: bool = False

    def requests(self) -> Iterator[pb.StreamConvolveRequest | PartFrame | BlockFrame]:
        """Everything to send, from where the stream stands to its end.

        An error in reading the signal ends the messages and is raised by `failed` or `end`.
        """
        try:
            yield from self._requests()
        except Exception as error:  # noqa: BLE001  # it belongs to the thread that receives
            self._failure = error

    def _requests(self) -> Iterator[pb.StreamConvolveRequest | PartFrame | BlockFrame]:
        total = self._signal.shape[-1]
        begin = self.retain_from
        yield from self._source.opening(
            pb.Start(
                data_type=data_type(self._dtype),
                frame_shape=self._signal.shape[:-1],
                total_samples=total,
                block_samples=self._block,
                sample_rate_hertz=self._rate or 0.0,
                options=encode_options(self._options),
                input_offset=begin,
                output_offset=self.received,
            )
        )
        for offset in range(begin, total, self._step):
            block = self._signal[..., offset : offset + self._step]
            yield BlockFrame(offset, payload(block))
        yield pb.StreamConvolveRequest(end=pb.End(total_samples=total))

    def receive(self, message: pb.StreamConvolveResponse | OutputFrame) -> None:
        """Take in a message.

        Raises:
            Internal: if it is not what the contract promises.
        """
        if isinstance(message, OutputFrame):
            self._write(message)
        elif message.HasField("started"):
            self._start(message.started)
        elif message.HasField("finished"):
            self._finish(message.finished)

    def end(self) -> NDArray[Any]:
        """The output, now that the call has ended well.

        Raises:
            Unavailable: if it ended before everything had come.
        """
        if self._failure is not None:
            raise self._failure
        if not self.finished or self.output is None:
            raise Unavailable("the server ended the stream before its last output")
        return self.output

    def failed(self, error: ConvolvedError) -> BaseException:
        """What to raise when the call failed with `error`: the cause, if it lies here."""
        return self._failure or error

    def _start(self, started: pb.Started) -> None:
        dtype = numpy_dtype(started.data_type)
        shape = (*started.frame_shape, started.total_samples)
        self._block = started.block_samples
        if self.output is None:
            self.output = self._allocate(shape, dtype)
        if (shape, dtype) != (self.output.shape, self.output.dtype):
            raise Internal(
                f"the server went on with an output of shape {shape}, {dtype.name}, that had begun "
                f"as {self.output.shape}, {self.output.dtype.name}"
            )

    def _write(self, message: OutputFrame) -> None:
        if self.output is None:
            raise Internal("the server sent output before it had started the stream")
        frame, total = self.output.shape[:-1], self.output.shape[-1]
        block = samples_of(message, self.output.dtype, frame)
        end = self.received + block.shape[-1]
        if message.offset != self.received or end > total:
            raise Internal(
                f"the server sent outputs {message.offset} to "
                f"{message.offset + block.shape[-1]} of {total}, where {self.received} was next"
            )
        self.output[..., self.received : end] = block
        self.received = end
        self.retain_from = max(self.retain_from, message.retain_from)
        if self._progress is not None:
            self._progress(end, total)

    def _finish(self, finished: pb.Finished) -> None:
        total = -1 if self.output is None else self.output.shape[-1]
        if not finished.total_samples == self.received == total:
            raise Internal(
                f"the server finished at {finished.total_samples} outputs; {self.received} of "
                f"{total} had come"
            )
        self.finished = True
