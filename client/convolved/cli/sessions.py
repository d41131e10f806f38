"""What the client's methods do not offer: signals that are no arrays, and filters by name alone.

Everything of this package that reaches into the client is here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from convolved.cli.files import FileResult, FileSignal
from convolved.client import Client
from convolved.methods import GET_FILTER
from convolved.session.operations import Exchange, Steps, Unary
from convolved.session.sources import Source
from convolved.session.whole import WholeSession
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import decode_filter, unfilled
from convolved_vocabulary import Options

__all__ = ["Allocate", "held_source", "pass_through"]

T = TypeVar("T")
Allocate = Callable[[tuple[int, ...], np.dtype[np.generic]], FileResult]


def held_source(client: Client, name: str) -> Source:
    """Return the filter that a server holds by this name, its weights left there.

    Raises:
        NotFound: it holds none.
    """

    def steps() -> Steps[Source]:
        response = yield Unary(GET_FILTER, pb.GetFilterRequest(name=name))
        message = response.filter_info.filter
        filter = decode_filter(message, tensors=unfilled(message))
        return Source(filter, name, has_weights=False)

    return _run(client, steps())


def pass_through(
    client: Client,
    source: Source,
    signal: FileSignal,
    allocate: Allocate,
    *,
    options: Options,
    progress: Callable[[int, int], object],
) -> None:
    """Send a file through a filter into the result that `allocate` makes of shape and dtype."""

    def steps() -> Steps[None]:
        yield Exchange(
            WholeSession(
                source,
                cast("NDArray[np.generic]", signal),
                options,
                None,
                cast("Callable[..., NDArray[np.generic]]", allocate),
                progress,
            )
        )

    _run(client, steps())


def _run(client: Client, steps: Steps[T]) -> T:
    return client._transport.run(steps)
