"""A Swap, read and checked: what is to take over in a stream, when, and how."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.swaps import When, decode_when
from convolved_server.limits import Limits
from convolved_server.requests import Find, in_fields, read_source
from convolved_vocabulary import Filter

__all__ = ["MOST_SWAPS", "SwapWish", "read_swap"]

MOST_SWAPS = 64
"""That may wait in one stream."""


@dataclass(frozen=True, slots=True)
class SwapWish:
    """What a client wishes to have swapped.

    Attributes:
        filter: to take over.
        when: and how.
        path: where the Swap stands in its request.
    """

    filter: Filter
    when: When
    path: str

    def in_fields(self) -> AbstractContextManager[None]:
        """Say in which field an argument stands that the engine finds wrong."""
        fields = {"at": "at_output", "fade": "fade_samples", "curve": "curve", "filter": "filter"}
        paths = {argument: f"{self.path}.{field}" for argument, field in fields.items()}
        return in_fields(paths, f"{self.path}.filter")


def read_swap(
    message: pb.Swap,
    path: str,
    find: Find,
    limits: Limits,
    tensors: Iterator[NDArray[Any]] | None = None,
) -> SwapWish:
    """What a Swap asks for; the engine checks whether the filter can take over.

    Args:
        message: the Swap.
        path: where it stands in the request.
        find: gives registered filters.
        limits: of the server.
        tensors: the arrays of announced tensors, where they may be.

    Raises:
        ConvolvedError: for what is wrong with it.
    """
    filter = read_source(message.filter, f"{path}.filter", find, limits, tensors)
    return SwapWish(filter, decode_when(message, path), path)
