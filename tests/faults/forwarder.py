"""A gRPC proxy: forwards messages both ways, may meddle with them, and hides who failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc

__all__ = ["forwarding"]

Meddle = Callable[[Iterator[bytes]], Iterator[bytes]]


@contextmanager
def forwarding(
    backend: str, *, up: Meddle = iter, down: Meddle = iter, loss: grpc.StatusCode | None = None
) -> Iterator[str]:
    """Forward streams to a server; gives the address.

    Args:
        backend: its address.
        up: what becomes of the client's messages.
        down: what becomes of the server's.
        loss: the status by which a lost backend is told; None for what came.
    """
    channel = grpc.insecure_channel(backend, options=[("grpc.use_local_subchannel_pool", 1)])

    class Forwarder(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> Any:
            method: Any = channel.stream_stream(details.method)

            def forward(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
                call = method(up(requests))
                context.add_callback(call.cancel)
                try:
                    yield from down(call)
                except grpc.RpcError as error:
                    code = error.code()
                    if code is grpc.StatusCode.UNAVAILABLE and loss is not None:
                        context.abort(loss, "upstream prematurely closed connection")
                    context.set_trailing_metadata(tuple(error.trailing_metadata() or ()))
                    context.abort(code, error.details())

            return grpc.stream_stream_rpc_method_handler(forward)

    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Forwarder()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
        channel.close()
