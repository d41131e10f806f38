"""grpc.aio with SciPy behind it: the server that one would write in an afternoon, well made.

Arrays travel as bare bytes. Unary with raised limits, or in blocks that are convolved as they come
while the next are on their way; on one core or all; computed on a thread or on the loop.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import Any

import grpc
import numpy as np

from benchmarks.wire.cases import Signal, hall
from benchmarks.wire.contender import Apply, Contender

from ._exchange import Exchange
from ._overlap_add import OverlapAdd, convolve
from ._serving import serve_grpc

__all__ = ["client", "serve"]

_SERVICE = "benchmarks.Convolution"
_BLOCKS_BYTES = (256 << 10, 1 << 20, 4 << 20)
# How many workers, and whether to compute on the loop; the rest keeps the samples aligned.
_HEAD_BYTES = 4


class GrpcScipy(Contender):
    """Applies the hall on the server, which has it already."""

    def __init__(self, address: str) -> None:
        self._exchange = Exchange(address, _SERVICE)
        cores = len(os.sched_getaffinity(0))
        self.variants: dict[str, Apply] = {
            "unary, on the loop": partial(self._unary, _head(1, True))
        }
        for workers in sorted({1, cores}):
            head = _head(workers, False)
            self.variants[f"unary, {workers} workers"] = partial(self._unary, head)
            for block in _BLOCKS_BYTES:
                name = f"stream of {block >> 10} KiB, {workers} workers"
                self.variants[name] = partial(self._stream, head, block)

    def _unary(self, head: bytes, signal: Signal) -> Signal:
        return _array(self._exchange.unary(head, signal.data.cast("B")))

    def _stream(self, head: bytes, block: int, signal: Signal) -> Signal:
        replies = self._exchange.stream(head, signal.data.cast("B"), block)
        return np.concatenate([_array(reply) for reply in replies])


def client(address: str) -> Contender:
    """Connect to a server."""
    return GrpcScipy(address)


def serve(address: str) -> None:
    """Serve convolutions until standard input closes."""
    hall()
    serve_grpc(address, _SERVICE, _unary, _stream)


async def _unary(request: bytes, _context: Any) -> bytes:
    workers, here = request[:2]

    def compute() -> bytes:
        signal = np.frombuffer(request, np.float32, offset=_HEAD_BYTES)
        return convolve(signal, hall(), workers).tobytes()

    return compute() if here else await asyncio.to_thread(compute)


async def _stream(_requests: Any, context: Any) -> None:
    overlap = OverlapAdd(hall(), workers=(await context.read())[0])

    def compute(block: bytes) -> bytes:
        return overlap.feed(_array(block)).tobytes()

    while (block := await context.read()) is not grpc.aio.EOF:
        await context.write(await asyncio.to_thread(compute, block))
    await context.write(overlap.tail().tobytes())


def _head(workers: int, here: bool) -> bytes:
    return bytes((workers, here, 0, 0))


def _array(data: bytes) -> Signal:
    return np.frombuffer(data, np.float32)
