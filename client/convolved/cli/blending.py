"""Dry and wet together: output = gain * ((1 - mix) * dry + mix * wet), in step with the wet.

The dry signal begins where the wet one begins, for an impulse response adds no delay, and is
followed by silence for as long as the wet one lasts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Blend"]


class Blend:
    """Turns wet blocks into blocks of the output, drawing the dry ones as they are needed.

    Args:
        dry: blocks (channels, n) of the dry signal; one channel serves all wet ones. Not touched
            if there is none of it in the mix.
        mix: 0 is dry alone, 1 wet alone.
        gain_decibels: of both.
    """

    def __init__(
        self, dry: Iterable[NDArray[Any]] = (), mix: float = 1.0, gain_decibels: float = 0.0
    ) -> None:
        self._dry, self._mix = iter(dry), mix
        self._factor = 10 ** (gain_decibels / 20)
        self._left: NDArray[Any] | None = None

    def __call__(self, wet: NDArray[Any]) -> NDArray[Any]:
        """Return the output for the next wet block (channels, n)."""
        if self._mix == 1:
            # A product with 1.0 would make floats of exact integers.
            return wet if self._factor == 1 else wet * self._factor
        blended: NDArray[Any] = wet * (self._factor * self._mix)
        at = 0
        while at < wet.shape[1]:
            dry = self._left if self._left is not None else next(self._dry, None)
            if dry is None:
                break
            room = wet.shape[1] - at
            dry, rest = dry[:, :room], dry[:, room:]
            self._left = rest if rest.shape[1] else None
            # The sum keeps the precision of the wet signal, whatever the dry one has.
            share = np.asarray(dry * (self._factor * (1 - self._mix)), blended.dtype)
            blended[:, at : at + dry.shape[1]] += share
            at += dry.shape[1]
        return blended
