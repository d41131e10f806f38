"""Filters that take over from one another in mid-stream, each from an output index on.

Two filters overlap for as long as the fade lasts, (1 - g) * old + g * new; an output is fixed when
every filter that takes part in it has fixed it. A filter that is to come runs along from the
moment when its swap is accepted, so that it need not catch up when its turn comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.streaming.fade import mixed, shares
from convolved_engine.streaming.lane import Lane
from convolved_vocabulary import FailedPrecondition
from convolved_vocabulary.swaps import Swap

__all__ = ["Succession", "Successor"]


class Successor:
    """A filter made ready to be swapped into one stream, once; made by `Stream.prepare`."""

    def __init__(self, lane: Lane) -> None:
        self.filter = lane.filter
        self._lane: Lane | None = lane

    def take(self) -> Lane:
        """What is to take over.

        Raises:
            FailedPrecondition: the second time.
        """
        if self._lane is None:
            raise FailedPrecondition("what was prepared has been swapped in; prepare it anew")
        lane, self._lane = self._lane, None
        return lane


@dataclass
class _Voice:
    """A lane, and what it has given that waits for another."""

    lane: Lane
    swap: Swap | None = None
    held: list[NDArray[Any]] = field(default_factory=list)
    taken: int = 0

    def take(self, until: int) -> NDArray[Any]:
        """The outputs from the last one taken up to `until`."""
        whole = self.held[0] if len(self.held) == 1 else np.concatenate(self.held, axis=-1)
        count = until - self.taken
        self.held = [whole[..., count:]]
        self.taken = until
        return whole[..., :count]


class Succession:
    """A filter, and those that are to take over from it.

    Args:
        lane: the first.

    Attributes:
        lane: the filter in force, before those that are to take over.
        plain: whether there are none.
    """

    def __init__(self, lane: Lane) -> None:
        self._voices = [_Voice(lane)]
        self.lane = lane
        self.plain = True
        self._outputs = lane.outputs

    @property
    def outputs(self) -> int:
        """The end of the outputs given."""
        return self.lane.outputs if self.plain else self._outputs

    @property
    def swaps(self) -> tuple[Swap, ...]:
        """Those to come or going on, in the order of their positions."""
        return tuple(voice.swap for voice in self._voices if voice.swap is not None)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Those that take part."""
        return tuple(voice.lane for voice in self._voices)

    @property
    def retain_from(self) -> int:
        """The first input that these lanes may still read when they are started anew."""
        now = self.outputs
        return min(
            voice.lane.retain_for(now if voice.swap is None else max(now, voice.swap.at))
            for voice in self._voices
        )

    def add(self, swap: Swap, lane: Lane, past: NDArray[Any]) -> None:
        """Let `lane`, which stands for swap.at or for the outputs wanted now, take over.

        Args:
            swap: when and how.
            lane: the new filter's.
            past: the input from where the lane stands.
        """
        if self.plain:
            self._voices[0].held = [np.empty((*lane.frame_shape, 0), lane.output_dtype)]
            self._voices[0].taken = self._outputs = self.outputs
        new = _Voice(lane, swap, taken=lane.outputs)
        new.held = [lane.push(past)]
        self._voices.append(new)
        self.plain = False

    def push(self, block: NDArray[Any]) -> NDArray[Any]:
        """Take a block in and give the outputs that all who take part in them have fixed."""
        if self.plain:
            return self.lane.push(block)
        for voice in self._voices:
            voice.held.append(voice.lane.push(block))
        return self._given()

    def flush_steps(self) -> Iterator[NDArray[Any]]:
        """The tail in pieces; a swap whose position the end comes before does not take place."""
        if self.plain:
            yield from self.lane.flush_steps()
            return
        self._voices = [
            voice for voice in self._voices if voice.swap is None or voice.swap.at <= self.outputs
        ]
        for voice in self._voices:
            for piece in voice.lane.flush_steps():
                voice.held.append(piece)
                yield piece[..., :0]
        for old, new in zip(self._voices, self._voices[1:], strict=False):
            # A signal that has ended is silent from there on.
            missing = new.lane.outputs - old.lane.outputs
            if missing > 0:
                silence = np.zeros((*old.lane.frame_shape, missing), old.lane.output_dtype)
                old.held.append(silence)
                old.lane.outputs += missing
        yield self._given()

    def _given(self) -> NDArray[Any]:
        pieces = []
        while len(self._voices) > 1:
            old, new = self._voices[:2]
            swap = new.swap
            assert swap is not None
            pieces.append(self._alone(old, min(old.lane.outputs, swap.at)))
            if self.outputs < swap.at:
                return _joined(pieces)
            until = min(old.lane.outputs, new.lane.outputs, swap.end)
            if until > self.outputs:
                share = shares(swap.curve, swap.fade, self.outputs - swap.at, until - swap.at)
                pieces.append(mixed(old.take(until), new.take(until), share))
                self._outputs = until
            if self.outputs < swap.end:
                return _joined(pieces)
            new.swap = None
            self._voices.pop(0)
            self.lane = new.lane
        last = self._voices[0]
        pieces.append(self._alone(last, last.lane.outputs))
        self.plain = True
        return _joined(pieces)

    def _alone(self, voice: _Voice, until: int) -> NDArray[Any]:
        found = voice.take(max(until, self.outputs))
        self._outputs = max(until, self.outputs)
        return found


def _joined(pieces: list[NDArray[Any]]) -> NDArray[Any]:
    full = [piece for piece in pieces if piece.shape[-1]]
    if len(full) == 1:
        return full[0]
    return np.concatenate(pieces, axis=-1)
