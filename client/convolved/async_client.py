"""The asyncio client: `Client`, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike, DTypeLike, NDArray

from convolved.async_stream import AsyncStream
from convolved.async_transport import AsyncTransport
from convolved.client import Client
from convolved.documented import as_documented
from convolved.embedded import EmbeddedServer
from convolved.functions import Functions
from convolved.registered import FilterInfo, RegisteredFilter, ServerInfo
from convolved.session.calls import AnyFilter, Session
from convolved.session.resuming import ResumeEvent, Resuming
from convolved_vocabulary import Filter, Gradients, Layer, Plan
from convolved_vocabulary.call import Call

__all__ = ["AsyncClient"]


class AsyncClient(Functions[Awaitable[NDArray[Any]]]):
    """A convolution service for asyncio: the methods of `Client`, awaited.

    Nothing is connected before it is needed. It may be used from several tasks at once, and from
    one event loop after another. Cancelling a task ends its work on the server. Use it as a
    context manager, or `close` it.

    Args:
        target: `HOST:PORT` or `unix:PATH`, or several of them: when one is lost the next is used.
        token: sent with every call, for servers that demand one.
        timeout: seconds that a call may take, all its attempts together; a whole `apply` of a
            streamed signal counts as a call, and so does one push of a stream. None for as long
            as the server is there.
        progress: called with the output samples received and their total, while a signal that
            does not fit one message goes through.
        resume: go on by itself when a server that has answered before is lost, or one has no
            room for the moment: streams where they stand, each output sample once; calls from
            their beginning.
        resume_timeout: seconds without progress after which a loss is told all the same.
        on_resume: called with a `ResumeEvent` before each attempt; the logger `convolved` tells
            the same.

    Raises:
        InvalidArgument: if the target or a timeout is none.

    >>> import asyncio
    >>> import numpy as np
    >>> async def main():
    ...     async with await AsyncClient.embedded() as client:
    ...         hall = await client.register(np.array([1.0, 0.5], np.float32))
    ...         wet = await client.apply(np.ones(4, np.float32), hall)
    ...         async with await client.stream(hall) as live:
    ...             blocks = await live.push(np.ones(4, np.float32)), (await live.flush())[0]
    ...             return wet, blocks
    >>> wet, blocks = asyncio.run(main())
    >>> wet
    array([1. , 1.5, 1.5, 1.5, 0.5], dtype=float32)
    >>> blocks
    (array([1. , 1.5, 1.5, 1.5], dtype=float32), array([0.5], dtype=float32))
    """

    def __init__(
        self,
        target: str | Sequence[str] = "127.0.0.1:50051",
        *,
        token: str | None = None,
        timeout: float | None = None,
        progress: Callable[[int, int], object] | None = None,
        resume: bool = True,
        resume_timeout: float = 30.0,
        on_resume: Callable[[ResumeEvent], object] | None = None,
    ) -> None:
        self._resuming = Resuming(resume, resume_timeout, on_resume)
        self._transport = AsyncTransport(target, token, timeout, self._resuming)
        self._session = Session(progress)
        self._server: EmbeddedServer | None = None

    @classmethod
    async def embedded(
        cls,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the client's later calls
        progress: Callable[[int, int], object] | None = None,
    ) -> AsyncClient:
        """Start a server as a child process, which ends with the client, and connect to it.

        Args:
            timeout: as of `AsyncClient`.
            progress: as of `AsyncClient`.

        Raises:
            InvalidArgument: if the timeout is none.
            MissingExtra: if the server is not installed.
            Unavailable: if it does not come to serve.
        """
        server = await asyncio.to_thread(EmbeddedServer)
        try:
            client = cls(server.address, timeout=timeout, progress=progress)
        except BaseException:
            await asyncio.to_thread(server.close)
            raise
        client._server = server
        client._resuming.hopeless = server.ended
        return client

    @property
    def target(self) -> str:
        """The address of the server that is used."""
        return self._transport.target

    @property
    def resumes(self) -> int:
        """How often a call or a stream was taken up again after a loss."""
        return self._resuming.resumes

    @as_documented(Client.apply)
    async def apply(
        self,
        x: ArrayLike,
        filter: AnyFilter,
        *,
        sample_rate_hertz: float | None = None,
        accuracy: str = "fast",
        algorithm: str = "auto",
        rigor: str | None = None,
    ) -> NDArray[Any]:
        """Apply a filter to a signal of any length."""
        steps = self._session.apply(x, filter, sample_rate_hertz, accuracy, algorithm, rigor)
        return await self._transport.run(steps)

    @as_documented(Client.gradients)
    async def gradients(
        self,
        x: ArrayLike,
        filter: AnyFilter,
        grad_out: ArrayLike,
        *,
        sample_rate_hertz: float | None = None,
        accuracy: str = "fast",
        algorithm: str = "auto",
        rigor: str | None = None,
    ) -> Gradients:
        """Say how a loss changes with the input and with every parameter of a filter."""
        steps = self._session.gradients(
            x, filter, grad_out, sample_rate_hertz, accuracy, algorithm, rigor
        )
        return await self._transport.run(steps)

    @as_documented(Client.stream)
    async def stream(
        self,
        filter: AnyFilter,
        *,
        channels: int = 1,
        size: Sequence[int] = (),
        dtype: DTypeLike = "float32",
        block: int = 512,
        sample_rate_hertz: float | None = None,
        accuracy: str = "fast",
        algorithm: str = "auto",
        rigor: str | None = None,
        history: int = 0,
    ) -> AsyncStream:
        """Open a stream: push blocks of a signal, get back what they fix."""
        steps = self._session.stream(
            filter,
            channels,
            size,
            dtype,
            block,
            sample_rate_hertz,
            accuracy,
            algorithm,
            rigor,
            history,
        )
        live, pipe = await self._transport.run(steps)
        return AsyncStream(
            self._transport,
            live,
            pipe,
            lambda lost: self._transport.run(self._session.open(live), lost),
            lambda wish: self._transport.run(self._session.successor(wish)),
        )

    @as_documented(Client.plan)
    async def plan(
        self,
        filter: AnyFilter,
        shape: Sequence[int],
        *,
        dtype: DTypeLike = "float32",
        block: int | None = None,
        accuracy: str = "fast",
        algorithm: str = "auto",
        rigor: str | None = None,
    ) -> Plan:
        """Say how the server would apply a filter to a signal of `shape`, and why so."""
        steps = self._session.plan(filter, shape, dtype, block, accuracy, algorithm, rigor)
        return await self._transport.run(steps)

    @as_documented(Client.register)
    async def register(
        self,
        filter: Filter | Layer | RegisteredFilter | ArrayLike,
        *,
        spread: bool = False,
        sample_rate_hertz: float | None = None,
    ) -> RegisteredFilter:
        """Let the server hold a filter of any size."""
        return await self._transport.run(self._session.register(filter, spread, sample_rate_hertz))

    @as_documented(Client.filters)
    async def filters(self) -> list[FilterInfo]:
        """Describe the filters that the server holds for this caller."""
        return await self._transport.run(self._session.filters())

    @as_documented(Client.get_filter)
    async def get_filter(self, filter: RegisteredFilter | str) -> FilterInfo:
        """Describe one filter by its handle or name."""
        return await self._transport.run(self._session.get_filter(filter))

    @as_documented(Client.delete_filter)
    async def delete_filter(
        self, filter: RegisteredFilter | str, *, allow_missing: bool = False
    ) -> None:
        """Let the server forget a filter."""
        await self._transport.run(self._session.delete_filter(filter, allow_missing))

    @as_documented(Client.info)
    async def info(self) -> ServerInfo:
        """Describe the server: version, abilities, limits."""
        return await self._transport.run(self._session.info())

    async def _computed(self, call: Call) -> NDArray[Any]:
        return await self._transport.run(self._session.computed(call))

    async def close(self) -> None:
        """End its streams, the connection, and the server if it is embedded. May be repeated."""
        await self._transport.close()
        if self._server is not None:
            await asyncio.to_thread(self._server.close)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
