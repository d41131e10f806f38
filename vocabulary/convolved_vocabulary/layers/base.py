"""What every layer answers, and the words in which the canonical form states parameters."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary.checks import frozen_array
from convolved_vocabulary.dtypes import SignalType
from convolved_vocabulary.geometry import AxisMap

__all__ = ["Layer", "listed", "present", "real_word", "stated"]

# Fields that the canonical form or the constructor calls otherwise.
_CANONICAL = {"function": "kind"}
_ARGUMENTS = {"pads": "padding"}


class Layer(ABC):
    """What every layer answers; layers with equal parameters and weights are equal.

    >>> from convolved_vocabulary import Pool
    >>> pool = Pool("max", 2)
    >>> isinstance(pool, Layer), pool.out_channels(8), pool == Pool("max", 2, stride=2)
    (True, 8, True)
    """

    kind: ClassVar[str]
    """The layer's word in the canonical form."""

    @property
    @abstractmethod
    def rank(self) -> int | None:
        """The number of spatial axes, 1 to 3, or None if any number does."""

    @property
    @abstractmethod
    def in_channels(self) -> int | None:
        """The channels it takes, or None if any number does."""

    @abstractmethod
    def out_channels(self, in_channels: int) -> int:
        """The channels that come out when `in_channels` go in."""

    @abstractmethod
    def axes(self, rank: int) -> tuple[AxisMap, ...]:
        """How it maps each of `rank` spatial axes."""

    @abstractmethod
    def output_type(self, signal: SignalType) -> SignalType:
        """The type of its output for a signal of type `signal`.

        Raises:
            InvalidArgument: if it takes no such signal.
            IntegerOverflow: if exact integer results could not be held.
        """

    @abstractmethod
    def parameters(self) -> dict[str, str]:
        """Every parameter that is not at its default, in the words of the canonical form."""

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The arrays it holds, by name."""
        return {}

    def multiply_adds(self, in_channels: int, output_size: Sequence[int]) -> int:
        """Multiply-adds for one example of `in_channels`, with outputs of size `output_size`."""
        return 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Layer) or self.kind != other.kind:
            return NotImplemented if not isinstance(other, Layer) else False
        mine, theirs = self.tensors(), other.tensors()
        return (
            self.parameters() == other.parameters()
            and mine.keys() == theirs.keys()
            and all(
                a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
                for a, b in zip(mine.values(), theirs.values(), strict=True)
            )
        )

    def __hash__(self) -> int:
        shapes = tuple((name, t.dtype.str, t.shape) for name, t in self.tensors().items())
        return hash((self.kind, tuple(self.parameters().items()), shapes))

    def __repr__(self) -> str:
        stated = {*self.tensors(), *self.parameters()}
        inner = []
        for field in fields(self):  # type: ignore[arg-type]  # every layer is a dataclass
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                inner.append(f"{field.name}={value.dtype.name}{list(value.shape)}")
            elif _CANONICAL.get(field.name, field.name) in stated:
                inner.append(f"{_ARGUMENTS.get(field.name, field.name)}={value!r}")
        return f"{type(self).__name__}({', '.join(inner)})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays come out of a pickle writeable.
        for name, value in state.items():
            object.__setattr__(
                self, name, frozen_array(value) if isinstance(value, np.ndarray) else value
            )


def real_word(value: float) -> str:
    """A real number in the canonical form: binary64, big-endian, hexadecimal."""
    return struct.pack(">d", value).hex()


def listed(values: Sequence[Any], default: object) -> str:
    """One entry for each axis, separated by commas; nothing if all are at the default."""
    if all(value == default for value in values):
        return ""
    return ",".join(_entry(value) for value in values)


def _entry(value: object) -> str:
    if isinstance(value, tuple):
        return f"{value[0]}:{value[1]}"
    if isinstance(value, float):
        return f"constant:{real_word(value)}"
    return str(value)


def stated(**words: str) -> dict[str, str]:
    """The parameters that say something."""
    return {name: word for name, word in words.items() if word}


def present(**arrays: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    """The tensors that are there."""
    return {name: array for name, array in arrays.items() if array is not None}
