"""The client: convolution as a service, array in, array out.

    from convolved import Client

    with Client("conv:50051") as client:
        hall = client.register(impulse_response)
        wet = client.apply(dry, hall)

Every word of the vocabulary can be imported from here.
"""

from convolved_vocabulary import (
    Activation,
    Affine,
    Cancelled,
    Candidate,
    Conv,
    ConvolvedError,
    ConvTranspose,
    DeadlineExceeded,
    FailedPrecondition,
    Filter,
    Gradients,
    IntegerOverflow,
    Internal,
    InvalidArgument,
    Layer,
    LayerPlan,
    MissingExtra,
    NotFound,
    Options,
    PermissionDenied,
    Plan,
    Pool,
    ReceptiveField,
    ResourceExhausted,
    Separated,
    Unavailable,
    Unsupported,
    impulse_response,
)

from .async_client import AsyncClient
from .async_stream import AsyncStream
from .client import Client
from .embedded import embedded_server
from .registered import FilterInfo, Limits, RegisteredFilter, ServerInfo
from .session.resuming import ResumeEvent
from .stream import Stream

__all__ = [
    "Activation",
    "Affine",
    "AsyncClient",
    "AsyncStream",
    "Cancelled",
    "Candidate",
    "Client",
    "Conv",
    "ConvTranspose",
    "ConvolvedError",
    "DeadlineExceeded",
    "FailedPrecondition",
    "Filter",
    "FilterInfo",
    "Gradients",
    "IntegerOverflow",
    "Internal",
    "InvalidArgument",
    "Layer",
    "LayerPlan",
    "Limits",
    "MissingExtra",
    "NotFound",
    "Options",
    "PermissionDenied",
    "Plan",
    "Pool",
    "ReceptiveField",
    "RegisteredFilter",
    "ResourceExhausted",
    "ResumeEvent",
    "Separated",
    "ServerInfo",
    "Stream",
    "Unavailable",
    "Unsupported",
    "embedded_server",
    "impulse_response",
]
