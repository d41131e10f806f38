"""Pushes that are on their way, and the outputs that they fix.

Several may await their answers, of which one may be for several. The law: how many outputs a push
fixes follows from its input alone; so what comes is cut among the pushes in their order, and each
has exactly its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

__all__ = ["Push", "Pushes"]


@dataclass(slots=True)
class Push:
    """A block that was sent, or the end of the input.

    Attributes:
        begin: the index of its first input.
        block: (channels, *size, n); None for the end of the input, whose outputs are the tail.
        bare: the block came without its channel axis.
        found: the room for its outputs.
        filled: how many of them have come.
    """

    begin: int
    block: NDArray[Any] | None
    bare: bool
    found: NDArray[Any]
    filled: int = 0

    @property
    def end(self) -> int:
        """The index after its last input."""
        return self.begin + (0 if self.block is None else int(self.block.shape[-1]))

    @property
    def missing(self) -> int:
        """Outputs that are still to come."""
        return int(self.found.shape[-1]) - self.filled

    @property
    def output(self) -> NDArray[Any]:
        """Its outputs, laid out as its block came."""
        return self.found[0] if self.bare and self.found.shape[0] == 1 else self.found


class Pushes:
    """Those whose answers are awaited, and those whose outputs are complete, each in order."""

    def __init__(self) -> None:
        self._awaited: deque[Push] = deque()
        self._complete: deque[Push] = deque()

    def __len__(self) -> int:
        return len(self._awaited)

    def __iter__(self) -> Iterator[Push]:
        return iter(self._awaited)

    @property
    def complete(self) -> int:
        """How many can be taken."""
        return len(self._complete)

    @property
    def missing(self) -> int:
        """Outputs that are still to come for all of them."""
        return sum(push.missing for push in self._awaited)

    def add(self, push: Push) -> None:
        """Await the answer to one more; nothing is sent for an empty block, so it needs none."""
        self._awaited.append(push)
        self._settle()

    def lay_out(self, outputs: NDArray[Any]) -> None:
        """Give the next outputs to the pushes that fix them; no more than are missing."""
        for push in self._awaited:
            share = min(push.missing, outputs.shape[-1])
            push.found[..., push.filled : push.filled + share] = outputs[..., :share]
            push.filled += share
            outputs = outputs[..., share:]
            if not outputs.shape[-1]:
                return

    def answer(self, input_end: int) -> Iterator[Push]:
        """Take the pushes that end by this input for answered; the end of the input is not one."""
        while self._awaited and self._awaited[0].block is not None:
            if self._awaited[0].end > input_end:
                return
            push = self._awaited.popleft()
            self._complete.append(push)
            yield push
            self._settle()

    def finish(self) -> None:
        """Take the last one, the end of the input, for answered."""
        self._complete.extend(self._awaited)
        self._awaited.clear()

    def take(self) -> Push:
        """The oldest one that is complete."""
        return self._complete.popleft()

    def _settle(self) -> None:
        while self._awaited and (first := self._awaited[0]).block is not None:
            if first.block.shape[-1]:
                return
            self._complete.append(self._awaited.popleft())
