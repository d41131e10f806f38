"""A live stream of the asyncio client."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any

import grpc
from numpy.typing import ArrayLike, NDArray

from convolved.async_calls import AsyncPipe
from convolved.async_transport import AsyncTransport
from convolved.session.live import LiveSession
from convolved.session.resuming import Lost
from convolved.stream_face import StreamFace
from convolved_vocabulary import ConvolvedError

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
    ) -> None:
        super().__init__(live)
        self._transport, self._reopen = transport, reopen
        self._pipe: AsyncPipe | None = None
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
        self._lost = None

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

    async def _ready(self, what: str) -> AsyncPipe:
        """The call that carries the stream; a new one after `reset`."""
        self._check_ready(what, self._transport.closed)
        return self._pipe or self._adopt(await self._reopen(None))

    async def _exchange(
        self, pipe: AsyncPipe, messages: Iterable[Any], *, last: bool = False
    ) -> None:
        deadline = self._transport.deadline()
        try:
            try:
                await pipe.exchange(messages, self._live.receive, deadline, last=last)
            except ConvolvedError as error:
                # Whether it can be taken up again, the rule says: else this error comes back.
                self._adopt(await self._reopen(Lost(error, pipe.lease, deadline)))
        except BaseException as error:
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
        self._pipe = None
        if self._end is not None:
            self._end()
