"""Memory: long signals pass through, and a reader that stops costs little."""

from __future__ import annotations

import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from convolved.v1 import convolution_pb2 as pb
from convolved.v1 import convolution_pb2_grpc as pb_grpc
from convolved.wire.framing import BlockFrame, OutputFrame, parse_response, serialize
from convolved_server.memory import available_bytes
from convolved_vocabulary import Conv, Filter, impulse_response
from tests.server.harness import Conversation, start, until
from tests.server.process import process, resident_bytes, serving_on

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="tells a process's memory by /proc"
)

FILTER = impulse_response(np.ones(63, np.float32))
BLOCK = np.ones((1, 1 << 18), np.float32)
MIB = 1 << 20


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    # What compiling takes is no part of what is measured here.
    warm = ("--warm-up-seconds", "100")
    with process("--listen", "127.0.0.1:0", "--log-level", "error", *warm) as found:
        yield found


def stream(channel: grpc.Channel) -> Any:
    return channel.stream_stream(
        "/convolved.v1.ConvolutionService/StreamConvolve",
        request_serializer=serialize,
        response_deserializer=parse_response,
    )


def test_a_signal_of_half_a_gigabyte_passes_through(child: subprocess.Popen[str]) -> None:
    blocks = 512
    total = blocks * BLOCK.size

    def said() -> Iterator[Any]:
        yield start(FILTER, BLOCK, total_samples=total)
        for index in range(blocks):
            yield BlockFrame(index * BLOCK.size, BLOCK.data)
        yield pb.StreamConvolveRequest(end=pb.End(total_samples=total))

    with grpc.insecure_channel(serving_on(child)) as channel:
        before = peak = resident_bytes(child)
        received, heard = 0, None
        for count, heard in enumerate(stream(channel)(said())):
            if isinstance(heard, OutputFrame):
                received += len(heard.data)
            if count % 32 == 0:
                peak = max(peak, resident_bytes(child))
    assert received == 4 * (total + 62)
    assert isinstance(heard, pb.StreamConvolveResponse)
    assert heard.finished.total_samples == total + 62
    assert peak - before < 128 * MIB


@pytest.mark.parametrize("whole", [False, True])
def test_a_reader_that_stops_costs_less_than_16_mib(
    child: subprocess.Popen[str], whole: bool
) -> None:
    streams = 6
    address = serving_on(child)
    with grpc.insecure_channel(address) as first:
        _once(first)
    before = resident_bytes(child)
    written = [0] * streams
    gone = threading.Event()

    def said(number: int) -> Iterator[Any]:
        fields = {"total_samples": 1 << 40} if whole else {}
        yield start(FILTER, BLOCK, **fields)
        for index in range(64):
            if gone.is_set():
                return
            written[number] += 1
            yield BlockFrame(index * BLOCK.size, BLOCK.data)

    channels = [
        grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        for _ in range(streams)
    ]
    calls = [stream(channel)(said(number)) for number, channel in enumerate(channels)]
    until(lambda: min(written) > 3)
    seen: list[int] = []
    while len(seen) < 4 or sum(seen[-4:]) != 4 * sum(written):
        seen.append(sum(written))
        time.sleep(0.1)
    grown = resident_bytes(child) - before
    assert max(written) < 64, "the server took everything, though nobody reads"
    gone.set()
    for call, channel in zip(calls, channels, strict=True):
        call.cancel()
        channel.close()
    assert grown / streams < 16 * MIB


def test_a_wide_filter_is_computed_in_steps_that_fit(child: subprocess.Popen[str]) -> None:
    wide = Filter(Conv(np.ones((128, 1, 2), np.float32), padding="causal"))
    with grpc.insecure_channel(serving_on(child)) as channel:
        stub: Any = pb_grpc.ConvolutionServiceStub(channel)
        _once(channel)
        before = resident_bytes(child)
        call = Conversation(stub.StreamConvolve)
        call.say(start(wide, BLOCK))
        call.say(pb.StreamConvolveRequest(block=pb.Block(data=BLOCK.tobytes())))
        call.say(pb.StreamConvolveRequest(end=pb.End(total_samples=BLOCK.size)))
        heard: queue.SimpleQueue[int] = queue.SimpleQueue()
        peak = before
        for message in call.call:
            heard.put(len(message.output.data))
            peak = max(peak, resident_bytes(child))
        call.close()
    assert sum(heard.get() for _ in range(heard.qsize())) == 128 * BLOCK.nbytes
    assert peak - before < 96 * MIB


def test_there_is_some_memory() -> None:
    assert 64 * MIB < available_bytes() < 1 << 50


def _once(channel: grpc.Channel) -> None:
    """One short stream, so that everything is loaded before memory is measured."""

    def said() -> Iterator[Any]:
        yield start(FILTER, BLOCK)
        yield BlockFrame(0, BLOCK.data)
        yield pb.StreamConvolveRequest(end=pb.End(total_samples=BLOCK.size))

    for _ in stream(channel)(said()):
        pass
