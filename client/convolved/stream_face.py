"""What the streams of both clients say and refuse, apart from sending and waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np

from convolved.session.live import LiveSession
from convolved_vocabulary import (
    Cancelled,
    ConvolvedError,
    FailedPrecondition,
    Filter,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unsupported,
)
from convolved_vocabulary.swaps import Swap

__all__ = ["REFUSALS", "StreamFace"]

REFUSALS = (FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted, Unsupported)
"""By these a server refuses a filter for what it is, and a client that asks keeps its stream."""


class StreamFace:
    """A live session as its owner sees it."""

    def __init__(self, live: LiveSession) -> None:
        self._live = live
        self._lost: ConvolvedError | None = None
        self._closed = False
        self._map: object = None

    @property
    def filter(self) -> Filter:
        """The filter; of one known by its name alone, without its weights.

        While swaps are to come or going on, the one before them.
        """
        return self._live.filters.present.filter

    @property
    def swaps(self) -> tuple[Swap, ...]:
        """Swaps to come or going on, in the order of their positions."""
        return self._live.filters.swaps

    @property
    def delay(self) -> Fraction:
        """The greatest (last input of an output) - (its index / rate), in input samples."""
        return self._live.delay

    @property
    def block(self) -> int:
        """The block length, in samples, for which the server divides its work."""
        return self._live.block

    @property
    def inputs(self) -> int:
        """Samples pushed so far."""
        return self._live.inputs

    @property
    def outputs(self) -> int:
        """Output samples returned so far."""
        return self._live.outputs

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """(out_channels, *out_size) of an output."""
        return self._live.frame_shape

    @property
    def output_dtype(self) -> np.dtype[Any]:
        """Of an output."""
        return self._live.output_dtype

    @property
    def algorithm(self) -> str:
        """The names of what computes, in the order of the layers."""
        return self._live.algorithm

    def _check_ready(self, what: str, client_closed: bool) -> None:
        self._check_open(what, client_closed)
        if self._map is not None:
            raise FailedPrecondition(
                f"the stream is being mapped: {what} within that; let map come to its end, or "
                "reset() it"
            )
        if self._lost is not None:
            raise FailedPrecondition(
                f"the stream was lost ({self._lost}): {what} after that; reset() it first"
            ) from self._lost

    def _check_open(self, what: str, client_closed: bool) -> None:
        if self._closed or client_closed:
            whose = "stream" if self._closed else "client"
            raise FailedPrecondition(f"the {whose} is closed: {what} after close; open another")

    @contextmanager
    def _mapping(self, drop: Callable[[], object]) -> Iterator[Callable[[bool], None]]:
        """Nothing else is pushed meanwhile; what ends it early ends the stream.

        Gives a check of whether it may go on, which is told whether the client is closed.
        """
        mine = self._map = object()

        def check(client_closed: bool) -> None:
            if self._closed or client_closed:
                whose = "stream" if self._closed else "client"
                raise FailedPrecondition(f"the {whose} was closed while the stream was mapped")
            if self._map is not mine:
                raise FailedPrecondition("the stream was reset while it was mapped")

        try:
            yield check
        except BaseException as error:
            if self._map is mine:
                left = isinstance(error, GeneratorExit)
                self._lose(Cancelled("its map was left before the end") if left else error)
                drop()
            raise
        finally:
            if self._map is mine:
                self._map = None

    def _lose(self, error: BaseException) -> None:
        if isinstance(error, ConvolvedError):
            self._lost = error
        else:
            self._lost = Cancelled(f"interrupted by {type(error).__name__}")
