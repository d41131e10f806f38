"""A live stream of the sync client."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc
from numpy.typing import ArrayLike, NDArray

from convolved.inbox import Inbox
from convolved.mapping import AHEAD, Window
from convolved.session.calls import AnyFilter
from convolved.session.live import LiveSession
from convolved.session.resuming import Lost
from convolved.session.sources import Source
from convolved.stream_face import REFUSALS, StreamFace
from convolved.transport import Pipe, Transport
from convolved.wire.swaps import When
from convolved_vocabulary import ConvolvedError, NotFound

__all__ = ["Stream"]

_END: Any = object()


class Stream(StreamFace):
    """A filter over a signal that comes in blocks; made by `Client.stream`. It has one owner.

    The law: after n inputs exactly `filter.ready(n)` outputs have been returned, after `flush`
    the length of the whole result, however the input is cut. Use it as a context manager, or
    `close` it.

    >>> with client.stream([1.0, 0.5], dtype="float64") as live:
    ...     live.push([1.0, 1.0]), live.push([1.0]), live.flush()
    (array([1. , 1.5]), array([1.5]), array([[0.5]]))
    >>> live.inputs, live.outputs, live.delay
    (3, 4, Fraction(0, 1))
    """

    def __init__(
        self,
        transport: Transport,
        live: LiveSession,
        pipe: Pipe,
        reopen: Callable[[Lost[grpc.Channel] | None], Pipe],
        find: Callable[[AnyFilter], Source],
    ) -> None:
        super().__init__(live)
        self._transport, self._reopen, self._find = transport, reopen, find
        self._pipe: Pipe | None = None
        self._end: Callable[[], object] | None = None
        self._adopt(pipe)

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

    def map(self, blocks: Iterable[ArrayLike], *, ahead: int = AHEAD) -> Iterator[NDArray[Any]]:
        """Push every block of an iterable; yield what each push and at last `flush` give.

        Blocks are sent while the answers to earlier ones are on their way, so that the time of the
        way does not limit how many get through. An output is yielded once it is there; by the sync
        client, once one more block has been drawn too, so that for blocks that come at their own
        pace, as from a microphone, `push` is one block sooner.

        What goes wrong, in `blocks` too, is raised where the output would have been yielded. Then,
        and when the iterator is closed before its end, the stream has ended; `reset` it to go on.
        While it lasts nothing else may be pushed.

        Args:
            blocks: as `push` takes them; drawn as needed, so that they may never end.
            ahead: how many blocks may be on their way at once, at least 1; with large ones it
                is no more than 4 MiB.

        Returns:
            an iterator over the outputs, one for each block, empty ones too, and the tail.

        Raises:
            InvalidArgument: for a block of another shape or dtype than the stream was opened for.
            FailedPrecondition: if the stream has ended, is closed or was lost.
            Unavailable: if the server is gone.
            DeadlineExceeded: if an answer takes longer than the client's timeout.

        >>> with client.stream([1.0, 0.5], dtype="float64") as live:
        ...     [*live.map([[1.0, 1.0], [1.0]])]
        [array([1. , 1.5]), array([1.5]), array([[0.5]])]
        """
        window = Window(self._live, ahead)
        self._check_ready("map", self._transport.closed)
        return self._mapped(iter(blocks), window)

    def swap(
        self, filter: AnyFilter, *, at: int | None = None, fade: int = 0, curve: str = "linear"
    ) -> int:
        """Change the filter in mid-stream, sample-accurately, without a gap.

        The new filter sounds as if it had always run on the past that is retained. Output
        at + m, for m = 0 ... fade - 1, is (1 - g) * old + g * new, g being u = (m + 1/2) / fade
        or (1 - cos(pi u)) / 2: shares that sum to one in amplitude. An output is fixed when
        every filter that takes part in it has fixed it. The server prepares the filter while it
        goes on answering, and this waits until it is ready. If it is refused, the stream goes on
        with the filter that it has.

        Args:
            filter: what `register` returned, a filter's name, a filter, a layer, or the array
                of an impulse response. It matches the present one in rank, channels in and out,
                size, dtype of the output, rate and delay.
            at: the output index at which the change begins: at least `outputs`, and not before
                the fade of an earlier swap ends. None: the earliest.
            fade: how many outputs the change takes; 0 changes from one sample to the next.
            curve: "linear" or "raised_cosine".

        Returns:
            the output index at which the change begins.

        Raises:
            InvalidArgument: for a filter that does not match, or that reaches further back than
                the first one and the `history` of the stream; for a position that is too early.
            FailedPrecondition: if the stream has ended, is closed or was lost.
            NotFound: if the server holds no filter of that name.
            ResourceExhausted: if the server has no room for another filter.
            Unavailable: if the server is gone.
            DeadlineExceeded: if the filter is not ready within the client's timeout.

        >>> with client.stream([1.0], dtype="float64") as live:
        ...     live.push([1.0, 1.0]), live.swap([3.0], fade=2), live.push([1.0, 1.0, 1.0])
        (array([1., 1.]), 2, array([1.5, 2.5, 3. ]))
        """
        pipe = self._ready("swap")
        source = self._find(filter)
        messages = self._live.swap(source, When(at, fade, curve))
        self._exchange(pipe, messages, refusable=True)
        return self._live.filters.confirmed

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
        self._check_open("reset", self._transport.closed)
        self._drop()
        self._live.reset()
        self._lost = self._map = None

    def close(self) -> None:
        """End the stream; what has not been returned is dropped. May be repeated."""
        self._closed = True
        self._drop()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _mapped(self, blocks: Iterator[ArrayLike], window: Window) -> Iterator[NDArray[Any]]:
        live, pipe = self._live, self._ready("map")
        drawing, failure = True, None
        with self._mapping(self._drop) as check:
            inbox = Inbox(live, pipe, self._transport.deadline, self._reopened)
            while True:
                check(self._transport.closed)
                if drawing and window.has_room:
                    try:
                        block = next(blocks, _END)
                        drawing = block is not _END
                        messages = window.push(block) if drawing else window.flush()
                    except Exception as error:  # noqa: BLE001  # raised when its turn has come
                        drawing, failure = False, error
                    else:
                        inbox.send(messages, last=not drawing)
                inbox.hear(wait=False)
                if live.complete:
                    yield window.take()
                elif drawing and window.has_room:
                    continue
                elif live.in_flight:
                    inbox.hear(wait=True)
                elif failure is not None:
                    raise failure
                else:
                    return

    def _ready(self, what: str) -> Pipe:
        """The call that carries the stream; a new one after `reset`."""
        self._check_ready(what, self._transport.closed)
        return self._pipe or self._adopt(self._reopen(None))

    def _exchange(
        self, pipe: Pipe, messages: Iterable[Any], *, last: bool = False, refusable: bool = False
    ) -> None:
        deadline = self._transport.deadline()
        try:
            try:
                pipe.exchange(messages, self._live.receive, deadline, last=last)
            except ConvolvedError as error:
                if self._live.outlives(error):
                    return
                # A filter that the server lacks it is given when the stream is opened anew.
                if refusable and isinstance(error, NotFound):
                    self._adopt(self._reopen(None))
                else:
                    self._reopened(Lost(error, pipe.lease, deadline))
        except BaseException as error:
            if refusable and isinstance(error, REFUSALS):
                # With it the server ended the call, but nothing of the stream is lost.
                self._live.forgo()
                self._drop()
            else:
                self._lose(error)
            raise

    def _reopened(self, lost: Lost[grpc.Channel]) -> Pipe:
        """Take the stream up again if the rule says that it can be, else raise what lost it."""
        return self._adopt(self._reopen(lost))

    def _adopt(self, pipe: Pipe) -> Pipe:
        if self._end is not None:
            self._end()
        self._pipe = pipe
        # A stream that its owner forgets must not hold the server's until it falls idle.
        self._end = weakref.finalize(self, pipe.close)
        return pipe

    def _drop(self) -> None:
        self._pipe = None
        if self._end is not None:
            self._end()
