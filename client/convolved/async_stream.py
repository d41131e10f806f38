"""A live stream of the asyncio client."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import grpc
from numpy.typing import ArrayLike, NDArray

from convolved.async_calls import AsyncPipe
from convolved.async_transport import AsyncTransport
from convolved.documented import as_documented
from convolved.feed import Blocks, Feed
from convolved.mapping import AHEAD, Window
from convolved.session.calls import AnyFilter
from convolved.session.live import LiveSession
from convolved.session.resuming import Lost
from convolved.session.sources import Source
from convolved.stream import Stream
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

    @as_documented(Stream.push)
    async def push(self, block: ArrayLike) -> NDArray[Any]:
        """Send a block and return all the output that it fixes."""
        pipe = await self._ready("push")
        messages = self._live.push(block)
        if self._live.awaiting:
            await self._exchange(pipe, messages)
        return self._live.take()

    @as_documented(Stream.swap)
    async def swap(
        self, filter: AnyFilter, *, at: int | None = None, fade: int = 0, curve: str = "linear"
    ) -> int:
        """Change the filter in mid-stream, sample-accurately, without a gap."""
        pipe = await self._ready("swap")
        source = await self._find(filter)
        messages = self._live.swap(source, When(at, fade, curve))
        await self._exchange(pipe, messages, refusable=True)
        return self._live.filters.confirmed

    @as_documented(Stream.map)
    def map(self, blocks: Blocks, *, ahead: int = AHEAD) -> AsyncIterator[NDArray[Any]]:
        """Push every block of an iterable, also an asynchronous one; a plain one must not block."""
        window = Window(self._live, ahead)
        self._check_ready("map", self._transport.closed)
        return self._mapped(blocks, window)

    @as_documented(Stream.flush)
    async def flush(self) -> NDArray[Any]:
        """End the input and return what is left: (out_channels, *out_size, m)."""
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

    async def __aexit__(self, *_: object) -> None:
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
            if self._live.outlives(error):
                return
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
                if self._live.outlives(error):
                    return
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
