"""Which filter a call uses, and in which form it goes over the wire.

A registered filter goes by its name; any other goes along with the call, its tensors in the
first message if they are small, else in Parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from convolved.registered import RegisteredFilter
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import encode_filter, tensors_of
from convolved.wire.framing import PartFrame
from convolved.wire.limits import BLOCK_BYTES
from convolved.wire.parts import parts
from convolved_vocabulary import Filter

__all__ = ["Source", "registration"]


@dataclass(frozen=True, slots=True)
class Source:
    """The filter of a call.

    Attributes:
        filter: the filter; of one known by its name alone, with zeros for weights.
        name: by which the server knows it, None if it goes along.
        has_weights: whether the weights are at hand.
    """

    filter: Filter
    name: str | None = None
    has_weights: bool = True

    @classmethod
    def registered(cls, handle: RegisteredFilter) -> Source:
        """The filter of a handle."""
        return cls(handle.filter, handle.name)

    @property
    def inline_bytes(self) -> int:
        """The bytes of tensors that go along."""
        return 0 if self.name else self.filter.size_bytes

    def message(self, *, announce: bool = False) -> pb.FilterSource:
        """The filter in a request; with `announce` without the elements of its tensors."""
        if self.name:
            return pb.FilterSource(name=self.name)
        return pb.FilterSource(inline=encode_filter(self.filter, announce=announce))

    def opening(self, start: pb.Start) -> Iterator[pb.StreamConvolveRequest | PartFrame]:
        """The first messages of a stream: `start` with this filter, and Parts if it is large."""
        announce = self.inline_bytes > BLOCK_BYTES
        start.filter.CopyFrom(self.message(announce=announce))
        yield pb.StreamConvolveRequest(start=start)
        if announce:
            yield from parts(tensors_of(self.filter))


def registration(filter: Filter) -> Iterator[pb.CreateFilterRequest | PartFrame]:
    """The messages that register a filter."""
    announce = filter.size_bytes > BLOCK_BYTES
    yield pb.CreateFilterRequest(filter=encode_filter(filter, announce=announce))
    if announce:
        yield from parts(tensors_of(filter))
