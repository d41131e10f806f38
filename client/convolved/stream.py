"""A live stream of the sync client."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from fractions import Fraction
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convolved.session.live import LiveSession
from convolved.transport import Pipe, Transport
from convolved_vocabulary import Cancelled, ConvolvedError, FailedPrecondition, Filter

__all__ = ["Stream"]


class Stream:
    """A filter over a signal that comes in blocks; made by `Client.stream`. It has one owner.

    The law: after n inputs exactly `filter.ready(n)` outputs have been returned, after `flush`
    the length of the whole result, however the input is cut. Use it as a context manager, or
    `close` it.
    """

    def __init__(
        self, transport: Transport, live: LiveSession, pipe: Pipe, reopen: Callable[[], Pipe]
    ) -> None:
        self._transport, self._live, self._reopen = transport, live, reopen
        self._pipe: Pipe | None = None
        self._lost: ConvolvedError | None = None
        self._closed = False
        self._adopt(pipe)

    @property
    def filter(self) -> Filter:
        """The filter; of one known by its name alone, without its weights."""
        return self._live.source.filter

    @property
    def delay(self) -> Fraction:
        """The greatest (last input of an output) - (its index / rate), in input samples."""
        return self._live.delay

    @property
    def block(self) -> int:
        """The block length, in samples, for which the server divides its work."""
        return self._live.block

    @property
    def inputs(self) -> int:
        """Samples pushed so far."""
        return self._live.inputs

    @property
    def outputs(self) -> int:
        """Output samples returned so far."""
        return self._live.outputs

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """(out_channels, *out_size) of an output."""
        return self._live.frame_shape

    @property
    def output_dtype(self) -> np.dtype[Any]:
        """Of an output."""
        return self._live.output_dtype

    @property
    def algorithm(self) -> str:
        """The names of what computes, in the order of the layers."""
        return self._live.algorithm

    def push(self, block: ArrayLike) -> NDArray[Any]:
        """Send a block and return all the output that it fixes.

        Args:
            block: (channels, *size, n) for any n, also 0; with one channel (*size, n) does.

        Returns:
            (out_channels, *out_size, m); without the channel axis if the block came without it
            and one channel comes out.

        Raises:
            InvalidArgument: for another shape or dtype than the stream was opened for.
            FailedPrecondition: if the stream has ended, is closed or was lost.
            Unavailable: if the server is gone.
            DeadlineExceeded: if the answer takes longer than the client's timeout.
        """
        pipe = self._ready("push")
        messages = self._live.push(block)
        if self._live.awaiting:
            self._exchange(pipe, messages)
        return self._live.take()

    def flush(self) -> NDArray[Any]:
        """End the input and return what is left: (out_channels, *out_size, m).

        Raises:
            FailedPrecondition: if the stream has ended, is closed or was lost.
            Unavailable: if the server is gone.
            DeadlineExceeded: if the answer takes longer than the client's timeout.
        """
        pipe = self._ready("flush")
        self._exchange(pipe, self._live.flush(), last=True)
        return self._live.take()

    def reset(self) -> None:
        """Begin anew, as if nothing had been pushed; also after an end or a loss.

        Raises:
            FailedPrecondition: if the stream is closed.
        """
        self._refuse_closed("reset")
        self._drop()
        self._live.reset()
        self._lost = None

    def close(self) -> None:
        """End the stream; what has not been returned is dropped. May be repeated."""
        self._closed = True
        self._drop()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _ready(self, what: str) -> Pipe:
        """The call that carries the stream; a new one after `reset`."""
        self._refuse_closed(what)
        if self._lost is not None:
            raise FailedPrecondition(
                f"the stream was lost ({self._lost}): {what} after that; reset() it first"
            ) from self._lost
        return self._pipe or self._adopt(self._reopen())

    def _refuse_closed(self, what: str) -> None:
        if self._closed or self._transport.closed:
            whose = "stream" if self._closed else "client"
            raise FailedPrecondition(f"the {whose} is closed: {what} after close; open another")

    def _exchange(self, pipe: Pipe, messages: Iterable[Any], *, last: bool = False) -> None:
        try:
            pipe.exchange(messages, self._live.receive, last=last)
        except BaseException as error:
            if isinstance(error, ConvolvedError):
                self._lost = error
            else:
                self._lost = Cancelled(f"interrupted by {type(error).__name__}")
            raise

    def _adopt(self, pipe: Pipe) -> Pipe:
        self._pipe = pipe
        # A stream that its owner forgets must not hold the server's until it falls idle.
        self._end = weakref.finalize(self, pipe.close)
        return pipe

    def _drop(self) -> None:
        self._pipe = None
        self._end()
