"""Arrow Flight with SciPy behind it: DoExchange of float32 columns.

The whole signal in one batch, or in batches that are convolved as they come; on one core or all.
"""

from __future__ import annotations

import os
import sys
import threading
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import flight

from benchmarks.wire.cases import Signal, hall
from benchmarks.wire.contender import Apply, Contender

from ._overlap_add import OverlapAdd, convolve
from ._serving import announce

__all__ = ["client", "serve"]

_SCHEMA = pa.schema([("samples", pa.float32())])
_BATCHES = (1 << 18, 1 << 20)
"""Samples of a batch, where there are several."""


class FlightScipy(Contender):
    """Applies the hall on the server, which has it already."""

    def __init__(self, address: str) -> None:
        self._client = flight.connect(_location(address))
        cores = len(os.sched_getaffinity(0))
        self.variants: dict[str, Apply] = {}
        for workers in sorted({1, cores}):
            self.variants[f"one batch, {workers} workers"] = partial(self._whole, workers)
            for batch in _BATCHES:
                name = f"batches of {batch * 4 >> 10} KiB, {workers} workers"
                self.variants[name] = partial(self._batches, workers, batch)

    def _whole(self, workers: int, signal: Signal) -> Signal:
        writer, reader = self._client.do_exchange(_descriptor(workers, "whole"))
        with writer:
            writer.begin(_SCHEMA)
            writer.write_batch(_batch(signal))
            writer.done_writing()
            return _samples(reader.read_chunk())

    def _batches(self, workers: int, size: int, signal: Signal) -> Signal:
        writer, reader = self._client.do_exchange(_descriptor(workers, "batches"))
        with writer:
            writer.begin(_SCHEMA)
            sending = threading.Thread(target=_write, args=(writer, signal, size))
            sending.start()
            found = np.concatenate([_samples(chunk) for chunk in reader])
            sending.join()
        return found


class Server(flight.FlightServerBase):  # type: ignore[misc] # pyarrow publishes no types
    """Convolves what DoExchange brings."""

    def do_exchange(self, _context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        workers, manner = descriptor.command.decode().split()
        writer.begin(_SCHEMA)
        if manner == "whole":
            signal = _samples(reader.read_chunk())
            writer.write_batch(_batch(convolve(signal, hall(), int(workers))))
            return
        overlap = OverlapAdd(hall(), int(workers))
        for chunk in reader:
            writer.write_batch(_batch(overlap.feed(_samples(chunk))))
        writer.write_batch(_batch(overlap.tail()))


def client(address: str) -> Contender:
    """Connect to a server."""
    return FlightScipy(address)


def serve(address: str) -> None:
    """Serve convolutions until standard input closes."""
    hall()
    server = Server(_location(address))
    announce(address if address.startswith("unix:") else f"127.0.0.1:{server.port}")
    sys.stdin.read()
    server.shutdown()


def _location(address: str) -> str:
    path = address.removeprefix("unix:")
    return f"grpc+tcp://{address}" if path == address else f"grpc+unix://{path}"


def _descriptor(workers: int, manner: str) -> Any:
    return flight.FlightDescriptor.for_command(f"{workers} {manner}".encode())


def _write(writer: Any, signal: Signal, size: int) -> None:
    for begin in range(0, len(signal), size):
        writer.write_batch(_batch(signal[begin : begin + size]))
    writer.done_writing()


def _batch(samples: Signal) -> Any:
    return pa.record_batch([pa.array(samples)], schema=_SCHEMA)


def _samples(chunk: Any) -> Signal:
    found: Signal = chunk.data.column(0).to_numpy()
    return found
