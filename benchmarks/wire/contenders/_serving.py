"""How the servers of the peers start and end: as ours does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

__all__ = ["UNLIMITED", "announce", "serve_grpc"]

UNLIMITED = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


def announce(address: str) -> None:
    """Say that it is ready, and where."""
    print(f"serving on {address}", flush=True)


def serve_grpc(
    address: str,
    service: str,
    unary: Callable[[bytes, Any], Awaitable[bytes]],
    stream: Callable[[Any, Any], Awaitable[None]],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Serve the two methods of `Exchange` by grpc.aio until standard input closes.

    Args:
        address: `unix:PATH` or `HOST:PORT`; port 0 for any.
        service: its name.
        unary: handles `Unary`, bytes for bytes.
        stream: handles `Stream` by the reads and writes of its context.
        loop_factory: makes the event loop; None for that of asyncio.
    """
    methods: dict[str, Any] = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Stream": grpc.stream_stream_rpc_method_handler(stream),
    }
    handlers = grpc.method_handlers_generic_handler(service, methods)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve(address, handlers))


async def _serve(address: str, handlers: grpc.GenericRpcHandler) -> None:
    server = grpc.aio.server(options=UNLIMITED)
    server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port(address)
    await server.start()
    announce(address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}")
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)
