"""A live stream of the asyncio client."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any

import grpc
from numpy.typing import ArrayLike, NDArray

from convolved.async_calls import AsyncPipe
from convolved.async_transport import AsyncTransport
from convolved.feed import Blocks, Feed
from convolved.mapping import AHEAD, Window
from convolved.session.calls import AnyFilter
from convolved.session.live import LiveSession
from convolved.session.resuming import Lost
from convolved.session.sources import Source
from convolved.stream_face import REFUSALS, StreamFace
from convolved.wire.swaps import When
from convolved_vocabulary import ConvolvedError, NotFound, Unavailable

__all__ = ["AsyncStream"]


class AsyncStream(StreamFace):
    """A filter over a signal that comes in blocks; made by `AsyncClient.stream`.

    It has one owner: await one call of it before the next. The law: after n inputs exactly
    `filter.ready(n)` outputs have been returned, after `flush` the length of the whole result,
    however the input is cut. Use it as a context manager, or `close` it.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        live: LiveSession,
        pipe: AsyncPipe,
        reopen: Callable[[Lost[grpc.aio.Channel] | None], Awaitable[AsyncPipe]],
        find: Callable[[AnyFilter], Awaitable[Source]],
    ) -> None:
        super().__init__(live)
        self._transport, self._reopen, self._find = transport, reopen, find
        self._pipe: AsyncPipe | None = None
        self._feed: Feed | None = None
        self._end: Callable[[], object] | None = None
        self._adopt(pipe)

    async def push(self, block: ArrayLike) -> NDArray[Any]:
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
        pipe = await self._ready("push")
        messages = self._live.push(block)
        if self._live.awaiting:
            await self._exchange(pipe, messages)
        return self._live.take()

    async def swap(
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
        """
        pipe = await self._ready("swap")
        source = await self._find(filter)
        messages = self._live.swap(source, When(at, fade, curve))
        await self._exchange(pipe, messages, refusable=True)
        return self._live.filters.confirmed

    def map(self, blocks: Blocks, *, ahead: int = AHEAD) -> AsyncIterator[NDArray[Any]]:
        """Push every block of an iterable; yield what each push and at last `flush` give.

        The iterable may be an asynchronous one; a plain one must not block.

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
        """
        window = Window(self._live, ahead)
        self._check_ready("map", self._transport.closed)
        return self._mapped(blocks, window)

    async def flush(self) -> NDArray[Any]:
        """End the input and return what is left: (out_channels, *out_size, m).

        Raises:
            FailedPrecondition: if the stream has ended, is closed or was lost.
            Unavailable: if the server is gone.
            DeadlineExceeded: if the answer takes longer than the client's timeout.
        """
        pipe = await self._ready("flush")
        await self._exchange(pipe, self._live.flush(), last=True)
        return self._live.take()

    async def reset(self) -> None:
        """Begin anew, as if nothing had been pushed; also after an end or a loss.

        Raises:
            FailedPrecondition: if the stream is closed.
        """
        self._check_open("reset", self._transport.closed)
        self._drop()
        self._live.reset()
        self._lost = self._map = None

    async def close(self) -> None:
        """End the stream; what has not been returned is dropped. May be repeated."""
        self._closed = True
        self._drop()

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _mapped(self, blocks: Blocks, window: Window) -> AsyncIterator[NDArray[Any]]:
        live = self._live
        await self._ready("map")
        # A block is never begun while the stream is being opened anew, which sends all that were.
        sending = asyncio.Lock()

        async def send(begin: Callable[[], Iterable[Any]], last: bool) -> None:
            async with sending:
                messages = begin()
                feed.tell()
                assert self._pipe is not None
                await self._pipe.send(messages, last=last)

        with self._mapping(self._drop) as check:
            feed = self._feed = Feed(blocks, window, send)
            try:
                while True:
                    check(self._transport.closed)
                    if live.complete:
                        output = window.take()
                        feed.tell()
                        yield output
                    elif live.in_flight:
                        await self._hear(sending)
                    elif not feed.ended:
                        await feed.change()
                    elif feed.failure is not None:
                        raise feed.failure
                    else:
                        return
            finally:
                await feed.close()

    async def _hear(self, sending: asyncio.Lock) -> None:
        """Take in the next message, in a new call if this one is lost."""
        pipe, deadline = self._pipe, self._transport.deadline()
        assert pipe is not None
        try:
            message = await pipe.read(deadline)
            if message is None:
                raise Unavailable(f"{pipe.lease.target} ended the stream before its end")
            self._live.receive(message)
            if self._live.finished and await pipe.read(deadline) is not None:
                raise Unavailable(f"{pipe.lease.target} went on after the end of the stream")
        except ConvolvedError as error:
            pipe.close()
            async with sending:
                self._adopt(await self._reopen(Lost(error, pipe.lease, deadline)))

    async def _ready(self, what: str) -> AsyncPipe:
        """The call that carries the stream; a new one after `reset`."""
        self._check_ready(what, self._transport.closed)
        return self._pipe or self._adopt(await self._reopen(None))

    async def _exchange(
        self,
        pipe: AsyncPipe,
        messages: Iterable[Any],
        *,
        last: bool = False,
        refusable: bool = False,
    ) -> None:
        deadline = self._transport.deadline()
        try:
            try:
                await pipe.exchange(messages, self._live.receive, deadline, last=last)
            except ConvolvedError as error:
                # Whether it can be taken up again, the rule says: else this error comes back.
                # A filter that the server lacks it is given when the stream is opened anew.
                lacks = refusable and isinstance(error, NotFound)
                lost = None if lacks else Lost(error, pipe.lease, deadline)
                self._adopt(await self._reopen(lost))
        except BaseException as error:
            if refusable and isinstance(error, REFUSALS):
                # With it the server ended the call, but nothing of the stream is lost.
                self._live.forgo()
                self._drop()
            else:
                self._lose(error)
            raise

    def _adopt(self, pipe: AsyncPipe) -> AsyncPipe:
        if self._end is not None:
            self._end()
        self._pipe = pipe
        # A stream that its owner forgets must not hold the server's until it falls idle.
        self._end = weakref.finalize(self, pipe.close)
        return pipe

    def _drop(self) -> None:
        if self._feed is not None:
            self._feed.cancel()
        self._pipe = None
        if self._end is not None:
            self._end()
