"""The servers of the wire, and how a stream of each is opened."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from convolved import Client
from convolved.v1 import convolution_pb2 as pb
from convolved_server.polling import DIRECTLY

from .cases import RATE, WIRE_BLOCK, WIRE_SECONDS, response

__all__ = ["ECHO", "ECHO_ALIKE", "ENVIRONMENT", "MODULES", "SERVICE", "Opening", "opening_of"]

SERVICE = "convolved"
ECHO = "bare grpc.aio echo"
ECHO_ALIKE = "the same echo, event loop and gRPC's threads as in ours"

# As our server chooses.
_ON_OUR_LOOP = "echo-uvloop" if importlib.util.find_spec("uvloop") else "echo"

MODULES = {
    SERVICE: ("convolved_server", ["--listen", "unix:{}", "--until-stdin-closes"]),
    ECHO: ("benchmarks.wire.serve", ["echo", "unix:{}"]),
    ECHO_ALIKE: ("benchmarks.wire.serve", [_ON_OUR_LOOP, "unix:{}"]),
}
"""The module of each server, and its arguments; {} stands for the path of a socket."""

ENVIRONMENT = {ECHO_ALIKE: DIRECTLY}
"""What a server finds in its environment besides."""


@dataclass(frozen=True)
class Opening:
    """What a client has to know.

    Attributes:
        address: of the server.
        method: the path of the call.
        message: opens a stream.
        answers: how many messages come back for that.
    """

    address: str
    method: str
    message: bytes
    answers: int


def opening_of(name: str, address: str) -> Opening:
    """How a stream of a server is opened; ours is given the response beforehand."""
    if name != SERVICE:
        # It returns nothing beyond what is sent.
        return Opening(address, "/benchmarks.Echo/Stream", bytes(8), 0)
    with Client(address) as client:
        held = client.register(response(WIRE_SECONDS)[0])
    start = pb.Start(
        filter=pb.FilterSource(name=held.name),
        data_type=pb.DATA_TYPE_FLOAT32,
        frame_shape=[1],
        block_samples=WIRE_BLOCK,
        sample_rate_hertz=RATE,
    )
    message = pb.StreamConvolveRequest(start=start).SerializeToString()
    return Opening(address, "/convolved.v1.ConvolutionService/StreamConvolve", message, 1)
