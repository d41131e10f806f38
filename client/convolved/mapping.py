"""A stream over an iterable of blocks: what is sent does not wait for what comes back.

The law: one output for each block, in order, each what `push` would have given, and the tail that
`flush` gives as the last one. Blocks are drawn as they are needed: one for each output that is
taken, and more only while no output is there, up to a bound. So as many are on their way as the way
is long, and neither a caller that stops nor a source that waits piles anything up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from numpy.typing import ArrayLike, NDArray

from convolved.session.live import LiveSession
from convolved_vocabulary.checks import integer
from convolved_vocabulary.dtypes import as_array

__all__ = ["AHEAD", "Window"]

AHEAD = 64
"""Blocks that may be on their way at once, unless the caller says otherwise."""

_AHEAD_BYTES = 4 << 20


class Window:
    """What has been drawn from the blocks and not yet been given back.

    Args:
        live: the stream.
        ahead: how many blocks that may be; they may also be no more than 4 MiB, or one.

    Raises:
        InvalidArgument: `ahead` is not at least 1.
    """

    def __init__(self, live: LiveSession, ahead: int) -> None:
        self._live = live
        self._ahead = integer("ahead", ahead, 1)
        self._sizes: deque[int] = deque()
        self._bytes = 0

    @property
    def has_room(self) -> bool:
        """Whether one more may be drawn."""
        return not self._sizes or (len(self._sizes) < self._ahead and self._bytes < _AHEAD_BYTES)

    def push(self, block: ArrayLike) -> Iterator[Any]:
        """Begin the push of a block; the messages to send."""
        # A copy: whoever yields blocks may fill the same array again for the next one.
        array = as_array("block", block).copy()
        messages = self._live.push(array)
        self._count(array.nbytes)
        return messages

    def flush(self) -> Iterator[Any]:
        """End the input; the message to send."""
        messages = self._live.flush()
        self._count(0)
        return messages

    def take(self) -> NDArray[Any]:
        """The oldest output."""
        self._bytes -= self._sizes.popleft()
        return self._live.take()

    def _count(self, nbytes: int) -> None:
        self._sizes.append(nbytes)
        self._bytes += nbytes
