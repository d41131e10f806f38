"""The methods of the service, as both interfaces of gRPC call them.

Large data messages go through the framing of our own, so the generated stub is not used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from convolved.v1 import convolution_pb2 as pb
from convolved.wire import whole_arrays
from convolved.wire.framing import parse_gradients_response, parse_response

__all__ = [
    "COMPUTE_GRADIENTS",
    "CONVOLVE",
    "CREATE_FILTER",
    "DELETE_FILTER",
    "GET_FILTER",
    "GET_SERVER_INFO",
    "LIST_FILTERS",
    "PLAN_CONVOLUTION",
    "STREAM_CONVOLVE",
    "Method",
]


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the service.

    Attributes:
        name: as the contract has it.
        parse: reads a response from its bytes.
    """

    name: str
    parse: Callable[[bytes], Any]

    @property
    def path(self) -> str:
        """The path by which a channel calls it."""
        return f"/convolved.v1.ConvolutionService/{self.name}"


CONVOLVE = Method("Convolve", whole_arrays.parse_response)
STREAM_CONVOLVE = Method("StreamConvolve", parse_response)
COMPUTE_GRADIENTS = Method("ComputeGradients", parse_gradients_response)
CREATE_FILTER = Method("CreateFilter", pb.CreateFilterResponse.FromString)
PLAN_CONVOLUTION = Method("PlanConvolution", pb.PlanConvolutionResponse.FromString)
GET_FILTER = Method("GetFilter", pb.GetFilterResponse.FromString)
LIST_FILTERS = Method("ListFilters", pb.ListFiltersResponse.FromString)
DELETE_FILTER = Method("DeleteFilter", pb.DeleteFilterResponse.FromString)
GET_SERVER_INFO = Method("GetServerInfo", pb.GetServerInfoResponse.FromString)
