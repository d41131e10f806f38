"""What the streams of both clients say and refuse, apart from sending and waiting."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from convolved.session.live import LiveSession
from convolved_vocabulary import Cancelled, ConvolvedError, FailedPrecondition, Filter

__all__ = ["StreamFace"]


class StreamFace:
    """A live session as its owner sees it."""

    def __init__(self, live: LiveSession) -> None:
        self._live = live
        self._lost: ConvolvedError | None = None
        self._closed = False

    @property
    def filter(self) -> Filter:
        """The filter; of one known by its name alone, without its weights."""
        return self._live.source.filter

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
        if self._lost is not None:
            raise FailedPrecondition(
                f"the stream was lost ({self._lost}): {what} after that; reset() it first"
            ) from self._lost

    def _check_open(self, what: str, client_closed: bool) -> None:
        if self._closed or client_closed:
            whose = "stream" if self._closed else "client"
            raise FailedPrecondition(f"the {whose} is closed: {what} after close; open another")

    def _lose(self, error: BaseException) -> None:
        if isinstance(error, ConvolvedError):
            self._lost = error
        else:
            self._lost = Cancelled(f"interrupted by {type(error).__name__}")
