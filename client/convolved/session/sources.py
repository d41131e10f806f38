"""Which filter a call uses, and in which form it goes over the wire.

A registered filter goes by its name; any other goes along with the call, its tensors in the
first message if they are small, else in Parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

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

    def opening(
        self, start: pb.Start, swaps: Sequence[tuple[Source, pb.Swap]] = ()
    ) -> Iterator[pb.StreamConvolveRequest | PartFrame]:
        """The first messages of a stream.

        Args:
            start: as it will be sent, but for its filters.
            swaps: what is to go along with it, each with its filter.

        Returns:
            `start` with this filter and the swaps, and Parts if the filters are large.
        """
        filters = [self, *(source for source, _ in swaps)]
        announce = sum(each.inline_bytes for each in filters) > BLOCK_BYTES
        start.filter.CopyFrom(self.message(announce=announce))
        for source, swap in swaps:
            swap.filter.CopyFrom(source.message(announce=announce))
            start.swaps.append(swap)
        yield pb.StreamConvolveRequest(start=start)
        if announce:
            inline = (each.filter for each in filters if not each.name)
            yield from parts(chain.from_iterable(map(tensors_of, inline)))


def registration(filter: Filter) -> Iterator[pb.CreateFilterRequest | PartFrame]:
    """The messages that register a filter."""
    announce = filter.size_bytes > BLOCK_BYTES
    yield pb.CreateFilterRequest(filter=encode_filter(filter, announce=announce))
    if announce:
        yield from parts(tensors_of(filter))
