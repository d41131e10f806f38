"""Into which partitions a long response is cut: small ones first, larger ones later.

Level 0 has partitions of the grid's length B and is worked at as soon as a block is complete, so
that its taps begin at B, where the direct head ends. A later level with partitions of P begins
at tap 2P: a block is complete P samples before its first result is due, and in this time its
work is done bit by bit. The scheme follows from the numbers here alone, not from measuring, so
that every process of one build cuts alike.

Source: W. Gardner, "Efficient convolution without input-output delay", J. Audio Eng. Soc. 43
(1995); F. Wefers, "Partitioned convolution algorithms for real-time auralization" (2015), 5.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache

__all__ = ["SHORTEST", "Level", "Scheme", "chosen_scheme", "nanoseconds", "scheme_of"]

SHORTEST = 64
"""The least length of a partition."""

_LONGEST = 1 << 16

# Partitions of the greatest length that a response is worth, which also bounds by how much blocks
# of the grid begin before the first sample that a tap reads.
_FEWEST = 8
_MOST_LEVELS = 4

# Nanoseconds on an AVX-512 machine, by which schemes are compared.
_TAP = 0.03
_PRODUCT = 0.17
_TRANSFORM = 1.3
_GREAT_TRANSFORM = 2.5
_GREAT = 8192
_BOUNDARY = 250.0
_LEVEL = 60.0


@dataclass(frozen=True, slots=True)
class Level:
    """Partitions of one length.

    Attributes:
        length: P, their taps.
        delay: of the first of them, in partitions: 1, or 2 where work is spread.
        partitions: how many there are.
    """

    length: int
    delay: int
    partitions: int

    @property
    def reach(self) -> int:
        """Input blocks before the block of an output from which it is computed."""
        return self.delay + self.partitions


@dataclass(frozen=True, slots=True)
class Scheme:
    """The head's taps, which are the grid, and the levels."""

    base: int
    levels: tuple[Level, ...]

    def __str__(self) -> str:
        each = (f"{level.partitions} of {level.length}" for level in self.levels)
        return ", ".join((f"{self.base} direct", *each))


def scheme_of(taps: int, lengths: tuple[int, ...]) -> Scheme:
    """The scheme for that many taps with partitions of these lengths, the shortest first.

    >>> print(scheme_of(48000, (64, 512, 4096)))
    64 direct, 15 of 64, 14 of 512, 10 of 4096
    """
    levels = []
    for number, length in enumerate(lengths):
        delay = 1 if number == 0 else 2
        end = 2 * lengths[number + 1] if number + 1 < len(lengths) else taps
        levels.append(Level(length, delay, -(-(end - delay * length) // length)))
    return Scheme(lengths[0], tuple(levels))


@cache
def chosen_scheme(taps: int, inputs: int, outputs: int, block: int) -> Scheme:
    """The scheme that costs least on the average.

    Args:
        taps: of the response, more than 2 * `SHORTEST`.
        inputs: channels of a group.
        outputs: channels of a group.
        block: samples that come at a time, which the grid need not be finer than; 0 if unknown.
    """
    greatest_base = max(SHORTEST, block) if block else 512
    powers = [1 << b for b in range(SHORTEST.bit_length() - 1, _LONGEST.bit_length())]
    schemes = [
        scheme_of(taps, lengths)
        for count in range(1, _MOST_LEVELS + 1)
        for lengths in itertools.combinations(powers, count)
        if lengths[0] <= greatest_base and lengths[-1] <= max(SHORTEST, taps // _FEWEST)
    ]
    return min(schemes, key=lambda scheme: nanoseconds(scheme, inputs, outputs))


def nanoseconds(scheme: Scheme, inputs: int, outputs: int) -> float:
    """Predicted, for one sample of one group."""
    pairs = inputs * outputs
    total = pairs * scheme.base * _TAP + _BOUNDARY / scheme.base
    for level in scheme.levels:
        transform = _TRANSFORM if level.length < _GREAT else _GREAT_TRANSFORM
        total += (inputs + outputs) * transform + pairs * level.partitions * _PRODUCT
        total += _LEVEL / scheme.base
    return total
