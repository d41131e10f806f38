"""The rehearsal: a server that is about to serve calls itself once, as a client would.

What the first calls of a process pay for (the threads of the pools, the classes of the messages,
the paths through gRPC, the pages of memory that large messages take) is paid for here, before
anybody waits. The law: nothing of it stays but that; its filters are deleted again.
"""

from __future__ import annotations

import math
from typing import Any

import grpc
import numpy as np

from convolved.v1 import convolution_pb2 as pb
from convolved.v1 import convolution_pb2_grpc as pb_grpc
from convolved.wire.filters import encode_filter
from convolved.wire.framing import serialize
from convolved.wire.whole_arrays import named_request
from convolved_vocabulary import Conv, Filter, Options, impulse_response

__all__ = ["rehearse"]

# From one small signal to ten seconds of sound, which take as much memory as those of callers. Each
# length is read and planned anew: only what has run a dozen times does Python run fast.
_SMALL, _LARGE, _LENGTHS = 1_000, 480_000, 12
# The first call of a shape computes in a thread, the next one on the event loop.
_CALLS = 2
_ROWS = 16
_SECONDS = 5.0
# A proxy that the environment names is for the world outside.
_OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
]


async def rehearse(address: str) -> None:
    """Register filters of sounds and of images at `address`, apply them, and delete them.

    Raises:
        grpc.aio.AioRpcError: if the server cannot be called there.
    """
    sounds = impulse_response(np.ones(7, np.float32))
    images = Filter(Conv(np.ones((1, 1, 3, 3), np.float32), padding="same"))
    async with grpc.aio.insecure_channel(address, options=_OPTIONS) as channel:
        await _call(channel, sounds, ())
        await _call(channel, images, (_ROWS,))


async def _call(channel: grpc.aio.Channel, filter: Filter, rows: tuple[int, ...]) -> None:
    """Apply a filter to signals of many lengths, of so many rows."""
    stub: Any = pb_grpc.ConvolutionServiceStub(channel)
    ask: Any = channel.unary_unary("/convolved.v1.ConvolutionService/Convolve")
    request = pb.CreateFilterRequest(filter=encode_filter(filter))
    created = await stub.CreateFilter(iter([request]), timeout=_SECONDS)
    name = created.filter_info.name
    try:
        for samples in np.geomspace(_SMALL, _LARGE, _LENGTHS):
            length = round(samples / math.prod(rows))
            signal = np.zeros((1, *rows, length), np.float32)
            raw = serialize(named_request(name, signal, Options(), 0.0))
            for _ in range(_CALLS):
                await ask(raw, timeout=_SECONDS)
    finally:
        await stub.DeleteFilter(pb.DeleteFilterRequest(name=name), timeout=_SECONDS)
