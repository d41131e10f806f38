"""The service: each RPC of the contract and who answers it.

Requests come as bytes and answers leave as bytes, so that reading and writing them happens where
errors are told in the contract's words, and in a thread where they are large.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from convolved.v1 import convolution_pb2 as pb

from .calls import Call
from .convolve import Convolver
from .edge import guarded
from .gradients import GradientsCall
from .information import Information
from .registry import Registry
from .resources import Resources
from .streams.call import StreamCall

__all__ = ["SERVICE", "handlers"]

SERVICE = pb.DESCRIPTOR.services_by_name["ConvolutionService"].full_name


def handlers(resources: Resources) -> grpc.GenericRpcHandler:
    """The handlers of all RPCs, for `grpc.aio.Server.add_generic_rpc_handlers`."""
    convolver = Convolver(resources)
    registry = Registry(resources)
    information = Information(resources)

    async def stream_convolve(_: object, call: Call) -> None:
        await StreamCall(resources, call).run()

    async def compute_gradients(_: object, call: Call) -> None:
        await GradientsCall(resources, call).run()

    async def create_filter(_: object, call: Call) -> bytes:
        return await registry.create(call)

    def unary(name: str, body: Callable[[bytes, Call], Awaitable[bytes]]) -> Any:
        return grpc.unary_unary_rpc_method_handler(guarded(resources.calls, name, body))

    calls = resources.calls
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Convolve": unary("Convolve", convolver.convolve),
            "StreamConvolve": grpc.stream_stream_rpc_method_handler(
                guarded(calls, "StreamConvolve", stream_convolve)
            ),
            "ComputeGradients": grpc.stream_stream_rpc_method_handler(
                guarded(calls, "ComputeGradients", compute_gradients)
            ),
            "CreateFilter": grpc.stream_unary_rpc_method_handler(
                guarded(calls, "CreateFilter", create_filter)
            ),
            "PlanConvolution": unary("PlanConvolution", convolver.plan),
            "GetFilter": unary("GetFilter", registry.get),
            "ListFilters": unary("ListFilters", registry.list),
            "DeleteFilter": unary("DeleteFilter", registry.delete),
            "GetServerInfo": unary("GetServerInfo", information.get),
        },
    )
