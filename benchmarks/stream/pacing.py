"""A client that sends blocks at the pace of a sound card: `python -m benchmarks.stream.pacing`.

It knows bytes only: what opens a stream, what a block is, and how many answers come. So every
server is asked by the same code at the same cost. A block is due at its own time, whatever became
of the one before, and its answer is late by how long after that time it is there.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Any

import grpc

from benchmarks.asking import answering, say_ready
from convolved.channel import CHANNEL_OPTIONS
from convolved.wire.framing import BlockFrame, serialize

from .cases import RATE, WIRE_BLOCK, noise
from .servers import Opening, opening_of

__all__ = ["PERIOD", "Clients"]

PERIOD = WIRE_BLOCK / RATE
# Who is as late as that does not catch up.
_HOPELESS = 50 * PERIOD


class Clients:
    """Some of the streams that are open side by side.

    Args:
        opening: how the server is asked.
    """

    def __init__(self, opening: Opening) -> None:
        channel = grpc.aio.insecure_channel(opening.address, options=CHANNEL_OPTIONS)
        self._method: Any = channel.stream_stream(opening.method)
        self._opening = opening
        self._calls: list[Any] = []
        self._data = noise(WIRE_BLOCK).data
        self._gone = False

    async def open(self, streams: int) -> float:
        """Open streams; the time by the clock that all processes share."""
        self._calls = [self._method() for _ in range(streams)]
        for call in self._calls:
            await call.write(self._opening.message)
        for call in self._calls:
            for _ in range(self._opening.answers):
                await self._read(call)
        return asyncio.get_running_loop().time()

    async def push(self, begin: float, phases: list[float], skip: int, blocks: int) -> list[float]:
        """Push blocks in every stream; the latenesses of the answers to those after `skip`.

        Args:
            begin: when the first block of all is due.
            phases: how much later that of each stream is, in periods.
            skip: blocks that do not count.
            blocks: that count.
        """
        self._gone = False
        gc.collect()
        found = await asyncio.gather(
            *(
                self._paced(call, begin + phase * PERIOD, skip, blocks)
                for call, phase in zip(self._calls, phases, strict=True)
            )
        )
        return [late for stream in found for late in stream]

    async def close(self) -> None:
        """End the streams."""
        for call in self._calls:
            call.cancel()
        self._calls = []

    async def _paced(self, call: Any, due: float, skip: int, blocks: int) -> list[float]:
        loop = asyncio.get_running_loop()
        late: list[float] = []
        for index in range(skip + blocks):
            wait = due - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if self._gone:
                # None of the rest will be in time.
                return late[skip:] + [_HOPELESS] * (blocks - max(0, index - skip))
            await call.write(serialize(BlockFrame(index * WIRE_BLOCK, self._data)))
            await self._read(call)
            late.append(loop.time() - due)
            self._gone = self._gone or late[-1] > _HOPELESS
            due += PERIOD
        return late[skip:]

    async def _read(self, call: Any) -> None:
        if await call.read() is grpc.aio.EOF:
            raise RuntimeError(f"a stream ended: {await call.code()}, {await call.details()}")


async def _serve(clients: Clients) -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        with answering(line) as command:
            command.answer = await getattr(clients, command.do)(**command.arguments)


async def _main(key: str, address: str) -> None:
    clients = Clients(opening_of(key, address))
    # What has been loaded stays, and need not be looked through again and again.
    gc.freeze()
    say_ready()
    await _serve(clients)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
