"""Which dtypes signals and weights may have, and which dtype comes out.

The rules, for linear layers:

- a floating signal decides the precision; the result is complex if signal or weights are;
- integers with integer weights are exact, in int32 where the bound sum|w| * range allows it,
  else in int64, else refused;
- integers with floating weights: `numpy.result_type`;
- float16 is computed in float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .errors import IntegerOverflow, InvalidArgument
from .words import shown

__all__ = ["DTYPES", "SignalType", "as_array", "checked_dtype", "computing_dtype"]

DTYPES: tuple[np.dtype[Any], ...] = (
    *map(np.dtype, ("bool", "int8", "int16", "int32", "int64")),
    *map(np.dtype, ("uint8", "uint16", "uint32", "uint64")),
    *map(np.dtype, ("float16", "float32", "float64", "complex64", "complex128")),
)
"""Every dtype that a signal or a weight may have."""

_WANTED = "one of " + ", ".join(d.name for d in DTYPES)


def checked_dtype(argument: str, dtype: DTypeLike) -> np.dtype[Any]:
    """Return `dtype` in native byte order, or refuse it in words that name `argument`.

    >>> checked_dtype("dtype", ">f4")
    dtype('float32')
    """
    try:
        if dtype is None:
            raise TypeError
        found = np.dtype(dtype)
    except (TypeError, ValueError):
        raise InvalidArgument(argument, shown(dtype), _WANTED) from None
    native = found.newbyteorder("=")
    if native not in DTYPES:
        raise InvalidArgument(argument, f"dtype {_words(found)}", _WANTED)
    return DTYPES[DTYPES.index(native)]


def as_array(argument: str, value: object) -> NDArray[Any]:
    """Return `value` as a C-ordered native array of a supported dtype, copied only if needed.

    Masked arrays with masked entries are refused: a mask has no meaning in a convolution.
    """
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            raise InvalidArgument(argument, "a masked array", "a plain array: fill the gaps first")
        value = value.data
    try:
        array = np.asarray(value)
    except ValueError:
        raise InvalidArgument(argument, "a ragged sequence", "a rectangular array") from None
    except (TypeError, RuntimeError) as error:
        # So say arrays of other libraries that live on a device or belong to a graph.
        came = f"a value of type {type(value).__name__}, which says: {error}"
        raise InvalidArgument(argument, came, "an array that NumPy can read") from error
    if array.dtype == object:
        kinds = sorted({type(entry).__name__ for entry in array.flat})
        raise InvalidArgument(argument, f"dtype object ({', '.join(kinds[:3])})", _WANTED)
    return np.asarray(array, dtype=checked_dtype(argument, array.dtype), order="C")


def _words(dtype: np.dtype[Any]) -> str:
    """The name of a dtype without the length of its text."""
    return {"U": "str", "S": "bytes", "V": "void"}.get(dtype.kind, dtype.name)


def computing_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which a result of `dtype` is computed: float32 for float16, else itself."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype


@dataclass(frozen=True, slots=True)
class SignalType:
    """A dtype and, for integers, a bound on the magnitude of any sample.

    Attributes:
        dtype: the dtype of the samples.
        magnitude: the largest |sample| possible; None for floating dtypes, and for 64-bit
            integers, whose sums are checked against the samples that really come.
    """

    dtype: np.dtype[Any]
    magnitude: int | None = None

    @classmethod
    def of(cls, dtype: DTypeLike, argument: str = "dtype") -> SignalType:
        """The type of a signal of `dtype` about whose samples nothing else is known.

        Raises:
            InvalidArgument: if no signal has that dtype; `argument` is what it calls it.
        """
        found = checked_dtype(argument, dtype)
        if found == np.bool_:
            return cls(found, 1)
        if found.kind in "iu" and found.itemsize < 8:
            limits = np.iinfo(found)
            return cls(found, max(-int(limits.min), int(limits.max)))
        return cls(found)

    @property
    def is_integer(self) -> bool:
        """Whether sums of these samples are exact integers (bool counts)."""
        return self.dtype.kind in "biu"

    def holds(self, value: float) -> bool:
        """Whether a sample of this dtype can have the real `value`, but for rounding.

        >>> SignalType.of("uint8").holds(255.0), SignalType.of("uint8").holds(0.5)
        (True, False)
        """
        if self.dtype == np.bool_:
            return value in (0, 1)
        if self.is_integer:
            limits = np.iinfo(self.dtype)
            return value.is_integer() and int(limits.min) <= int(value) <= int(limits.max)
        return abs(value) <= float(np.finfo(self.dtype).max)

    def weighted(
        self, weight: np.dtype[Any], gain: int | None, constant: int, argument: str
    ) -> SignalType:
        """The type of sums of weighted samples.

        Args:
            weight: the dtype of the weights.
            gain: for integer weights the largest sum|w| of any output channel, else None.
            constant: for integer weights the largest |bias|.
            argument: the name under which an overflow is reported.

        Raises:
            IntegerOverflow: if no integer dtype could hold the sums.

        >>> SignalType.of("int16").weighted(np.dtype("int8"), 1000, 0, "weight").dtype
        dtype('int32')
        >>> SignalType.of("float32").weighted(np.dtype("float64"), None, 0, "weight").dtype
        dtype('float32')
        """
        if not self.is_integer:
            if weight.kind == "c" and self.dtype.kind != "c":
                return SignalType(np.result_type(self.dtype, np.complex64))
            return SignalType(self.dtype)
        if gain is None:
            return SignalType(np.result_type(self.dtype, weight))
        if self.magnitude is None:
            return SignalType(np.dtype(np.int64))
        bound = gain * self.magnitude + constant
        for exact in (np.dtype(np.int32), np.dtype(np.int64)):
            if bound <= int(np.iinfo(exact).max):
                return SignalType(exact, bound)
        raise IntegerOverflow(
            argument,
            f"integer weights whose sums with {self.dtype.name} samples may reach {bound}",
            "a bound sum|w| * range below 2**63, or floating samples or weights",
        )
