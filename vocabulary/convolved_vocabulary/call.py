"""A Call: what a plain function asks for, told as a filter, a signal, and a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import pieces
from .errors import IntegerOverflow
from .filters import Filter
from .signals import Layout

__all__ = ["Call"]


@dataclass(frozen=True, eq=False)
class Call:
    """A filter, the signal (batch, channels, *spatial) for it, and what becomes of the output.

    Attributes:
        filter: what to apply.
        signal: to what.
        layout: the axes that the caller's array had.
        dtype: the dtype of the result; None to keep the output's.
        algorithm: the name of the algorithm asked for, "auto" to let the planner choose.
        mirrored: reverse and conjugate the output (a correlation whose inputs were swapped).
        argument: what the caller's arrays are called, for errors about the result.
        digits: how many channels of the output are the digits of one; 0 if none are.
    """

    filter: Filter
    signal: NDArray[Any]
    layout: Layout
    dtype: np.dtype[Any] | None = None
    algorithm: str = "auto"
    mirrored: bool = False
    argument: str = "x"
    digits: int = 0

    def result(self, output: NDArray[Any]) -> NDArray[Any]:
        """Turn the output of the filter into what the caller gets.

        Raises:
            IntegerOverflow: if an exact integer does not fit the dtype of the result.
        """
        if self.digits and self.dtype is not None:
            output = self._joined(output, self.dtype)
        found = self.layout.result(output)
        if self.mirrored:
            found = found[(slice(None, None, -1),) * found.ndim]
            # NumPy's own conj turns bool into int8.
            found = found.conj() if found.dtype.kind == "c" else found
        found = found if self.dtype is None else self._exactly(found, self.dtype)
        # A result without axes is a number, as NumPy's functions give it.
        return found if found.ndim else found[()]

    def _joined(self, output: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        split = output.reshape(output.shape[0], -1, self.digits, *output.shape[2:])
        sums = np.moveaxis(split, 2, 0)
        found = pieces.joined(sums, dtype)
        if found is None:
            exact = pieces.values(sums)
            raise self._overflow(dtype, exact.min(), exact.max())
        return found

    def _exactly(self, found: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Convert exact integers to the dtype of the result, or say that they do not fit."""
        if found.dtype.kind != "i" or dtype.kind not in "iu" or found.dtype == dtype:
            return found.astype(dtype, copy=False)
        limits = np.iinfo(dtype)
        low, high = (int(found.min()), int(found.max())) if found.size else (0, 0)
        if low < int(limits.min) or high > int(limits.max):
            raise self._overflow(dtype, low, high)
        return found.astype(dtype, copy=False)

    def _overflow(self, dtype: np.dtype[Any], low: int, high: int) -> IntegerOverflow:
        limits = np.iinfo(dtype)
        return IntegerOverflow(
            self.argument,
            f"{dtype.name} arrays whose exact result reaches from {low} to {high}",
            f"wider arrays: the result has {dtype.name} like them and holds "
            f"{limits.min} to {limits.max}",
        )
