"""What every contender of the wire can be asked for, each in a process of its own.

A contender is a server (or nothing, for what runs in the caller's process) and a client. Each
module of `contenders` holds both sides of one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from .cases import Signal

__all__ = ["KEPT", "Apply", "Contender", "Push", "Streaming", "Stuck"]

Apply = Callable[[Signal], NDArray[Any] | None]
"""Sends a signal through the hall; returns the output, or None if only bytes were carried."""

KEPT = "sync, into an array"
"""The manner of carrying a large signal in which a bare echo puts what comes into an array."""

Push = Callable[[], object]
"""Sends the next block of one stream and waits for its output."""


class Stuck(Protocol):
    """Streams that send while nobody reads."""

    def wait_until_stuck(self) -> int:
        """Wait until nothing more is taken; return how many messages were."""

    def close(self) -> None:
        """End the streams."""


class Contender:
    """The client of a contender, which applies the hall to whole signals.

    Attributes:
        variants: the manners in which it can, by name.
    """

    variants: Mapping[str, Apply]


class Streaming(Contender, ABC):
    """The client of a contender that takes part in every measure."""

    @abstractmethod
    def open_streams(self, count: int) -> list[Push]:
        """Open streams that push blocks of `cases.BLOCK` samples through the short filter."""

    @abstractmethod
    def close_streams(self) -> None:
        """Close them."""

    @abstractmethod
    def large_variants(self) -> Mapping[str, Callable[[Signal], int]]:
        """The manners of carrying a large signal; each returns the bytes that came back."""

    @abstractmethod
    def stall(self, streams: int, blocks: int, manner: str) -> Stuck:
        """Send blocks of `cases.STALLED_BLOCK_BYTES` into each of some streams, and do not read.

        Args:
            streams: how many.
            blocks: into each, as far as they are taken.
            manner: "live" or "whole", see the contract.
        """
