"""A server in a thread of this process, and a stranger's client: bare stubs, nothing else."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from numpy.typing import NDArray

from convolved.v1 import convolution_pb2 as pb
from convolved.v1 import convolution_pb2_grpc as pb_grpc
from convolved.wire.filters import encode_filter, tensors_of
from convolved.wire.tensors import data_type
from convolved_server.resources import Resources
from convolved_server.server import Server
from convolved_server.settings import Settings, load
from convolved_vocabulary import Filter

# How long what has to come may take on a busy machine that must compile all kernels first, before
# it counts as not coming at all.
PATIENCE = 200.0


class Running:
    """A server that runs; `resources` are its gauges, `stub` calls it."""

    def __init__(self, settings: Settings) -> None:
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(settings,), daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        if self._failure is not None:
            raise self._failure
        self.channel = grpc.insecure_channel(
            self.address, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        self.stub: Any = pb_grpc.ConvolutionServiceStub(self.channel)

    @property
    def resources(self) -> Resources:
        return self._server.resources

    def in_loop(self, work: Callable[[], Any]) -> Any:
        """Do something inside the server's event loop."""

        async def here() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(here(), self._loop).result(PATIENCE)

    def drain(self, grace: float = 5.0) -> Any:
        """Begin to drain; a future of the outcome."""
        return asyncio.run_coroutine_threadsafe(self._server.drain(grace), self._loop)

    def stop(self) -> None:
        self.channel.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)

    def _run(self, settings: Settings) -> None:
        try:
            asyncio.run(self._live(settings))
        except Exception as error:  # noqa: BLE001 - it is told in the other thread
            self._failure = error
            self._ready.set()

    async def _live(self, settings: Settings) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._server = Server(settings)
        self.address = await self._server.start()
        self._ready.set()
        await self._stop.wait()
        await self._server.drain(0.2)
        self._server.close()


@contextmanager
def serving(**settings: Any) -> Iterator[Running]:
    """A server on a free port that goes away afterwards."""
    given = {"listen": "127.0.0.1:0", "warm_up_seconds": 0.0, "grace_seconds": 1.0} | settings
    running = Running(load(given))
    try:
        yield running
    finally:
        running.stop()


class Conversation:
    """A stream call that says and hears one thing at a time."""

    def __init__(self, method: Any, **options: Any) -> None:
        self._said: queue.Queue[Message | None] = queue.Queue()
        self.call = method(iter(self._said.get, None), timeout=PATIENCE, **options)

    def say(self, *messages: Message) -> None:
        for message in messages:
            self._said.put(message)

    def close(self) -> None:
        """Close the client's side."""
        self._said.put(None)

    def hear(self) -> Any:
        """The next message, its envelope taken off."""
        message = next(self.call)
        return getattr(message, message.WhichOneof("message"))

    def rest(self) -> list[Any]:
        """Everything until the end."""
        self.close()
        return [getattr(message, message.WhichOneof("message")) for message in self.call]

    def error(self) -> Failure:
        """How the call fails; whatever comes before is not looked at."""
        try:
            for _ in self.call:
                pass
        except grpc.RpcError as error:
            return Failure(error)
        finally:
            self.close()
        raise AssertionError("the call succeeded")


class Failure:
    """The status of a call that failed, and its details."""

    def __init__(self, error: Any) -> None:
        self.code: grpc.StatusCode = error.code()
        self.message: str = error.details()
        self._status: Status | None = rpc_status.from_call(error)

    def _detail(self, kind: Any) -> Any:
        for packed in self._status.details if self._status else ():
            found = kind()
            if packed.Unpack(found):
                return found
        return None

    @property
    def info(self) -> ErrorInfo:
        found = self._detail(ErrorInfo)
        assert found is not None, f"no ErrorInfo: {self.code} {self.message}"
        assert found.domain == "convolved"
        return found

    @property
    def reason(self) -> str:
        return str(self.info.reason)

    @property
    def words(self) -> dict[str, str]:
        return dict(self.info.metadata)

    @property
    def field(self) -> str:
        found = self._detail(BadRequest)
        return str(found.field_violations[0].field) if found else ""

    @property
    def retry_delay(self) -> float | None:
        found = self._detail(RetryInfo)
        return found.retry_delay.ToTimedelta().total_seconds() if found else None


def failure(call: Callable[[], Any]) -> Failure:
    """How a call fails."""
    try:
        call()
    except grpc.RpcError as error:
        return Failure(error)
    raise AssertionError("the call succeeded")


def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait for something that another thread brings about.

    The seconds are counted in looks: on a busy machine they last longer by the clock.
    """
    for _ in range(round(seconds / 0.005)):
        if condition():
            return
        time.sleep(0.005)
    assert condition(), "it did not come about in time"


def inline(filter: Filter) -> pb.FilterSource:
    return pb.FilterSource(inline=encode_filter(filter))


def create(running: Running, filter: Filter) -> pb.FilterInfo:
    """Register a small filter."""
    request = pb.CreateFilterRequest(filter=encode_filter(filter))
    response: pb.CreateFilterResponse = running.stub.CreateFilter(iter([request]))
    return response.filter_info


def pieces(filter: Filter, size: int = 1 << 20) -> Iterator[pb.Part]:
    """The Parts of a filter all of whose tensors are announced."""
    for number, tensor in enumerate(tensors_of(filter)):
        raw = tensor.tobytes()
        for begin in range(0, len(raw), size):
            yield pb.Part(tensor=number, byte_offset=begin, data=raw[begin : begin + size])


def start(filter: Filter | str, signal: NDArray[Any], **fields: Any) -> pb.StreamConvolveRequest:
    """The Start of a stream for a signal (channels, *size, time)."""
    source = pb.FilterSource(name=filter) if isinstance(filter, str) else inline(filter)
    given: dict[str, Any] = {
        "filter": source,
        "data_type": data_type(signal.dtype),
        "frame_shape": signal.shape[:-1],
    }
    return pb.StreamConvolveRequest(start=pb.Start(**(given | fields)))


def block(offset: int, samples: NDArray[Any], more: bool = False) -> pb.StreamConvolveRequest:
    data = np.ascontiguousarray(samples).tobytes()
    return pb.StreamConvolveRequest(block=pb.Block(offset=offset, data=data, more=more))


def end(total: int) -> pb.StreamConvolveRequest:
    return pb.StreamConvolveRequest(end=pb.End(total_samples=total))
