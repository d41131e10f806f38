"""The filters of a live stream: the one at the start, and those that take over from it.

A swap is asked for, then confirmed with its position, then over when its fade has ended. What is
asked for and not confirmed is asked for again when the stream is taken up; what is confirmed goes
along with the Start for as long as outputs of its fade are still to come.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.swaps import When, encode_swap
from convolved_vocabulary import Internal
from convolved_vocabulary.swaps import Swap, length, ready

from .sources import Source

__all__ = ["Succession"]


@dataclass(frozen=True, slots=True)
class _Wish:
    source: Source
    when: When


@dataclass(frozen=True, slots=True)
class _Coming:
    source: Source
    swap: Swap


class Succession:
    """What is applied to the signal, as far as it is settled.

    Args:
        first: the filter at the start.

    Attributes:
        first: that.
        present: the filter before all swaps that are to come or going on.
        confirmed: the position of the swap that was confirmed last.
    """

    def __init__(self, first: Source) -> None:
        self.first: Source = first
        self.present: Source = first
        self.confirmed: int = 0
        self._coming: deque[_Coming] = deque()
        self._asked: _Wish | None = None

    @property
    def asked(self) -> bool:
        """Whether a swap awaits its confirmation."""
        return self._asked is not None

    @property
    def swaps(self) -> tuple[Swap, ...]:
        """Those that are to come or going on, in the order of their positions."""
        return tuple(each.swap for each in self._coming)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The filters that a server needs to go on."""
        wished = () if self._asked is None else (self._asked.source,)
        return (self.present, *(each.source for each in self._coming), *wished)

    def ready(self, inputs: int) -> int:
        """The leading outputs that so many inputs fix."""
        if not self._coming:
            return self.present.filter.ready(inputs)
        return ready(self.present.filter, self.swaps, inputs)

    def length(self, inputs: int) -> int:
        """The length of the output of so many inputs in all."""
        return length(self.present.filter, self.swaps, inputs)

    def received(self, outputs: int) -> None:
        """Take swaps for done whose fades have ended before output `outputs`."""
        while self._coming and self._coming[0].swap.end <= outputs:
            self.present = self._coming.popleft().source

    def ask(self, source: Source, when: When) -> None:
        """Wish for a swap."""
        self._asked = _Wish(source, when)

    def forgo(self) -> None:
        """Wish for it no more."""
        self._asked = None

    def confirm(self, message: pb.Swapped) -> None:
        """Take note of where the swap that was asked for begins.

        Raises:
            Internal: if none was asked for, or not there.
        """
        wish, at = self._asked, message.at_output
        if wish is None:
            raise Internal(f"the server swapped filters at output {at}, for which nobody asked")
        if wish.when.at not in (None, at):
            raise Internal(
                f"the server swapped filters at output {at}, where {wish.when.at} was asked for"
            )
        swap = Swap(wish.source.filter, at, wish.when.fade, wish.when.curve)
        self._coming.append(_Coming(wish.source, swap))
        self._asked, self.confirmed = None, at

    def again(self) -> list[tuple[Source, pb.Swap]]:
        """The confirmed swaps for a Start, still without their filters."""
        return [(each.source, _message(pb.FilterSource(), each.swap)) for each in self._coming]

    def request(self) -> pb.StreamConvolveRequest | None:
        """The swap that was asked for and not confirmed, as a message."""
        if self._asked is None:
            return None
        swap = encode_swap(self._asked.source.message(), self._asked.when)
        return pb.StreamConvolveRequest(swap=swap)


def _message(filter: pb.FilterSource, swap: Swap) -> pb.Swap:
    return encode_swap(filter, When(swap.at, swap.fade, swap.curve))
