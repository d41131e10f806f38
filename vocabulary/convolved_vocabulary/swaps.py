"""Filters that take over from one another in mid-stream: which may, when, and what is fixed then.

The law: an output is fixed by the inputs so far when every filter that takes part in it has fixed
it. Two take part in the outputs of a fade, one in every other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .checks import integer
from .errors import InvalidArgument
from .filters import Filter
from .words import counted

__all__ = [
    "CURVES",
    "Swap",
    "check_match",
    "checked_curve",
    "checked_position",
    "kept",
    "length",
    "reach",
    "ready",
]

CURVES = ("linear", "raised_cosine")
"""How a fade may run."""

_FAR = 1 << 40
_ON_A_GRID = 256
_SHORTEST_GRID = 128


@dataclass(frozen=True)
class Swap:
    """A change of filter that is to come or going on.

    Attributes:
        filter: the new one.
        at: the output index at which the change begins.
        fade: how many outputs it takes.
        curve: "linear" or "raised_cosine".
    """

    filter: Filter
    at: int
    fade: int = 0
    curve: str = "linear"

    @property
    def end(self) -> int:
        """The first output that is the new filter's alone."""
        return self.at + self.fade


def ready(first: Filter, swaps: Sequence[Swap], inputs: int) -> int:
    """The number of leading outputs that `inputs` samples fix whatever follows.

    Args:
        first: the filter before the swaps.
        swaps: in the order of their positions.
        inputs: samples that have come.

    >>> from convolved_vocabulary import Conv, impulse_response
    >>> late, early = Filter(Conv([[[1, 1, 1]]])), impulse_response([1, 1, 1])
    >>> ready(early, [Swap(late, at=2, fade=4)], 5)
    3
    """
    present, outputs = first, 0
    for swap in swaps:
        alone = present.ready(inputs)
        if alone <= swap.at:
            return max(outputs, alone)
        both = min(alone, swap.filter.ready(inputs))
        if both < swap.end:
            return max(swap.at, both)
        present, outputs = swap.filter, swap.end
    return max(outputs, present.ready(inputs))


def length(first: Filter, swaps: Sequence[Swap], inputs: int) -> int:
    """The length of the output of a whole input: that of the last filter that takes part.

    A swap beyond what is fixed before the end takes no part.

    Args:
        first: the filter before the swaps.
        swaps: in the order of their positions.
        inputs: the length of the input.
    """
    fixed = ready(first, swaps, inputs)
    begun = [swap.filter for swap in swaps if swap.at <= fixed]
    last = begun[-1] if begun else first
    return max(fixed, last.time.output_length(inputs))


def checked_position(
    at: int | None, outputs: int, swaps: Sequence[Swap], *, standing: bool = False
) -> int:
    """The output index at which a swap begins.

    Args:
        at: the index that is wished; None for the earliest.
        outputs: given so far.
        swaps: that are to come or going on.
        standing: whether a stream is taken up, so that the swap may have begun before.

    Raises:
        InvalidArgument: if it is too early.
    """
    free = swaps[-1].end if swaps else 0
    earliest = max(outputs, free)
    begin = earliest if at is None else integer("at", at, 0)
    if begin < (free if standing else earliest):
        raise InvalidArgument(
            "at",
            begin,
            f"at least {earliest}, after the outputs given and the fades of earlier swaps",
        )
    return begin


def checked_curve(curve: str) -> str:
    """`curve`, if it is one.

    Raises:
        InvalidArgument: if not.
    """
    if curve not in CURVES:
        raise InvalidArgument("curve", repr(curve), "'linear' or 'raised_cosine'")
    return curve


def reach(filter: Filter) -> int:
    """How many of the last input samples its next output may read.

    >>> from convolved_vocabulary import Pool
    >>> reach(Filter(Pool("max", 3, 1)))
    3
    """
    return max(filter.receptive_field[-1].size, _FAR - filter.time.retain_from(_FAR))


def kept(reach: int) -> int:
    """How many samples of the past a filter of that reach is started anew from.

    Long filters work on a grid, whose first block may begin earlier by a quarter of their reach.
    """
    return reach - 1 if reach < _ON_A_GRID else reach + max(_SHORTEST_GRID, reach // 4)


def check_match(new: Filter, present: Filter, frame: tuple[int, ...], furthest: int) -> None:
    """Refuse a filter that cannot take over from the present one in mid-stream.

    Args:
        new: the filter to come.
        present: what is applied now.
        frame: (channels, *size) of one input sample.
        furthest: how far it may reach back.

    Raises:
        InvalidArgument: saying in what they differ.
    """

    def refuse(came: str, wanted: str) -> InvalidArgument:
        return InvalidArgument("filter", came, f"{wanted}, as the present filter has")

    if new.rank != present.rank:
        raise refuse(f"rank {new.rank}", f"rank {present.rank}")
    if new.in_channels not in (None, frame[0]):
        raise InvalidArgument(
            "filter",
            f"one for {counted(new.in_channels or 0, 'channel')}",
            f"one for {counted(frame[0], 'channel')}, which the stream has",
        )
    outs, wanted = new.out_channels(frame[0]), present.out_channels(frame[0])
    if outs != wanted:
        raise refuse(f"{counted(outs, 'channel')} out", f"{counted(wanted, 'channel')} out")
    size, wanted_size = _size(new, frame), _size(present, frame)
    if size != wanted_size:
        raise refuse(f"outputs of size {size}", f"outputs of size {wanted_size}")
    if new.time.rate != present.time.rate:
        raise refuse(
            f"a rate of {new.time.rate} outputs per input",
            f"a rate of {present.time.rate} outputs per input",
        )
    if new.delay != present.delay:
        raise refuse(f"a delay of {new.delay} samples", f"a delay of {present.delay} samples")
    new.check_sample_rate(present.sample_rate_hertz)
    back = reach(new)
    if back > furthest:
        raise InvalidArgument(
            "filter",
            f"one that reaches {back} samples back",
            f"at most {furthest}, or a stream opened with history={back}",
        )


def _size(filter: Filter, frame: tuple[int, ...]) -> tuple[int, ...]:
    across = zip(filter.chains, frame[1:], strict=False)
    return tuple(chain.output_length(length) for chain, length in across)
