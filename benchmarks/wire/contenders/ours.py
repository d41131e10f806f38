"""Our service with the client as it comes: no option is set on either side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from benchmarks.wire.cases import BLOCK, STALLED_BLOCK_BYTES, Signal, fir, hall, noise
from benchmarks.wire.contender import Push, Streaming
from convolved import Client
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import encode_filter
from convolved.wire.framing import BlockFrame, serialize
from convolved_vocabulary import impulse_response

from ._stalling import Stalled

__all__ = ["client"]

_METHOD = "/convolved.v1.ConvolutionService/StreamConvolve"
_ITEM_BYTES = 4


class Ours(Streaming):
    """The default `Client`, with both filters registered."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client = Client(address)
        self._fir = self._client.register(fir())
        hall_ = self._client.register(hall())
        self.variants = {"apply": lambda signal: self._client.apply(signal, hall_)}
        self._streams: list[Any] = []

    def open_streams(self, count: int) -> list[Push]:
        block = noise(BLOCK)[None]
        for _ in range(count):
            stream = self._client.stream(self._fir, channels=1, block=BLOCK)
            self._streams.append(stream.__enter__())
        return [partial(stream.push, block) for stream in self._streams]

    def close_streams(self) -> None:
        for stream in self._streams:
            stream.__exit__(None, None, None)
        self._streams.clear()

    def large_variants(self) -> Mapping[str, Callable[[Signal], int]]:
        def apply(signal: Signal) -> int:
            found: NDArray[Any] = self._client.apply(signal, self._fir)
            return found.nbytes

        return {"apply": apply}

    def stall(self, streams: int, blocks: int, manner: str) -> Stalled:
        # The client always reads; only the bare contract can stop.
        channel = grpc.insecure_channel(self._address)
        method: Any = channel.stream_stream(_METHOD, request_serializer=serialize)
        return Stalled(method, streams, partial(_messages, blocks, manner))


def client(address: str) -> Streaming:
    """Connect to our server and register the filters."""
    return Ours(address)


def _messages(blocks: int, manner: str) -> Iterable[Any]:
    start = pb.Start(
        filter=pb.FilterSource(inline=encode_filter(impulse_response(fir()))),
        data_type=pb.DATA_TYPE_FLOAT32,
        frame_shape=[1],
    )
    samples = STALLED_BLOCK_BYTES // _ITEM_BYTES
    if manner == "whole":
        start.total_samples = blocks * samples
    return chain([pb.StreamConvolveRequest(start=start)], _blocks(blocks, samples))


def _blocks(blocks: int, samples: int) -> Iterator[BlockFrame]:
    data = np.zeros(samples, np.float32).data
    for index in range(blocks):
        yield BlockFrame(index * samples, data)
