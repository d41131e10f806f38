"""The blocks of a stream that is mapped by asyncio, drawn and sent in a task of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from numpy.typing import ArrayLike

from convolved.mapping import Window

__all__ = ["Blocks", "Feed"]

Blocks = AsyncIterable[ArrayLike] | Iterable[ArrayLike]
"""What blocks come from, awaited or at once."""


class Feed:
    """Draws a block whenever there is room for one more, and sends it.

    Args:
        blocks: where they come from.
        window: how many may be on their way.
        send: sends messages and waits until they are taken; told whether they are the last.

    Attributes:
        failure: what was raised by `blocks`, or for one of them.
    """

    def __init__(
        self,
        blocks: Blocks,
        window: Window,
        send: Callable[[Callable[[], Iterable[Any]], bool], Awaitable[None]],
    ) -> None:
        self.failure: Exception | None = None
        self._window, self._send = window, send
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._draw(blocks))
        self._task.add_done_callback(lambda _: self.tell())

    @property
    def ended(self) -> bool:
        """Whether nothing more will be sent."""
        return self._task.done()

    def tell(self) -> None:
        """Something was sent, or taken, so that whoever waits may look again."""
        self._changed.set()

    async def change(self) -> None:
        """Wait until something is told."""
        self._changed.clear()
        await self._changed.wait()

    async def close(self) -> None:
        """End the task."""
        self._task.cancel()
        await asyncio.wait([self._task])

    def cancel(self) -> None:
        """Let the task end soon."""
        self._task.cancel()

    async def _draw(self, blocks: Blocks) -> None:
        try:
            async for block in _awaited(blocks):
                await self._send(partial(self._window.push, block), False)
                while not self._window.has_room:
                    await self.change()
            await self._send(self._window.flush, True)
        except Exception as error:  # noqa: BLE001  # raised when its turn has come
            self.failure = error


async def _awaited(blocks: Blocks) -> AsyncIterator[ArrayLike]:
    if isinstance(blocks, AsyncIterable):
        async for block in blocks:
            yield block
    else:
        for block in blocks:
            yield block
