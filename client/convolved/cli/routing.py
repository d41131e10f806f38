"""Which channel goes through which response: told by the channel counts of signal and kernel.

    signal  kernel         what is computed
    any     1              each channel through the one response
    1       2              spread: mono to stereo
    2       4              true stereo, the responses in the order L to L, L to R, R to L, R to R
    c       c              channel by channel
    in      (out, in, n)   the matrix of an array file

Whatever else comes is refused, saying what would do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary import Filter, InvalidArgument, impulse_response
from convolved_vocabulary.words import counted

__all__ = ["Routing", "match", "natural_channels", "route"]

TRUE_STEREO = 4


@dataclass(frozen=True)
class Routing:
    """A way from the channels of a signal through responses.

    Attributes:
        name: one word for machines: per_channel, spread, true_stereo, by_channel or matrix.
        words: the same for people.
    """

    name: str
    words: str


def natural_channels(shape: tuple[int, ...]) -> int:
    """Return the channels of the signals that a kernel of this shape is most likely meant for."""
    if len(shape) == 3:
        return shape[1]
    return 2 if shape[0] == TRUE_STEREO else shape[0]


def match(shape: tuple[int, ...], channels: int, argument: str = "KERNEL") -> Routing:
    """Return the way for a kernel of shape (responses, n) or (out, in, n) and a signal.

    Raises:
        InvalidArgument: the channel counts fit in no way that is known.

    >>> match((2, 48_000), 1).name, match((4, 48_000), 2).name
    ('spread', 'true_stereo')
    """
    if len(shape) == 3:
        if shape[1] != channels:
            raise InvalidArgument(
                argument,
                f"a matrix from {counted(shape[1], 'channel')} to {shape[0]} for a signal of "
                f"{channels}",
                f"shape (out, {channels}, n)",
            )
        return Routing("matrix", f"a matrix from {channels} to {counted(shape[0], 'channel')}")
    responses = shape[0]
    if responses == 1:
        return Routing("per_channel", "each channel through the one response")
    if responses == channels:
        return Routing("by_channel", "channel by channel")
    if (channels, responses) == (1, 2):
        return Routing("spread", "mono to stereo")
    if (channels, responses) == (2, TRUE_STEREO):
        return Routing("true_stereo", "true stereo: L to L, L to R, R to L, R to R")
    raise InvalidArgument(
        argument,
        f"{counted(responses, 'channel')} for a signal of {channels}",
        _would_do(channels),
    )


def route(
    kernel: NDArray[Any],
    routing: Routing,
    *,
    sample_rate_hertz: float | None = None,
) -> Filter:
    """Return the filter that a kernel makes on its way."""
    if routing.name == "per_channel":
        kernel = kernel[0]
    elif routing.name == "true_stereo":
        kernel = np.stack([kernel[0::2], kernel[1::2]])
    return impulse_response(
        kernel, spread=routing.name == "spread", sample_rate_hertz=sample_rate_hertz
    )


def _would_do(channels: int) -> str:
    ways = ["1 (each channel through it)"]
    if channels == 1:
        ways.append("2 (mono to stereo)")
    else:
        ways.append(f"{channels} (channel by channel)")
    if channels == 2:
        ways.append(f"{TRUE_STEREO} (true stereo: L to L, L to R, R to L, R to R)")
    return ", ".join(ways[:-1]) + " or " + ways[-1]
