"""Filters, signals and ways to send them, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved import (
    Activation,
    Affine,
    Conv,
    ConvTranspose,
    Filter,
    Pool,
    impulse_response,
)

__all__ = ["Case", "drawn", "drawn_swapping"]

Use = Callable[[Any, Any, NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Case:
    """A filter, a signal, and a way to send it."""

    name: str
    filter: Filter
    signal: NDArray[Any]
    use: Use
    registered: bool
    longest: int


def drawn(numbers: np.random.Generator, chance: random.Random, *, live: bool, index: int) -> Case:
    """A case; its way of being sent follows from `live`, all else is drawn."""
    name = list(_FILTERS)[index % len(_FILTERS)]
    filter, channels, size = _FILTERS[name](numbers, chance)
    dtype = chance.choice(["float32", "float32", "float64", "complex64"])
    if any(isinstance(layer, Activation | Pool) for layer in filter.layers):
        dtype = "float32"
    frame = channels * int(np.prod(size)) * np.dtype(dtype).itemsize
    cuts = _cuts(chance, frame) if live else [0, int(chance.uniform(8e6, 20e6) / frame)]
    signal = numbers.standard_normal((channels, *size, cuts[-1])).astype(dtype)
    block = chance.choice([0, 64, 256, 512, 1000])
    return Case(
        f"{name}, {'live' if live else 'whole'}",
        filter,
        signal,
        _pushed(cuts, block, size, dtype) if live else _applied,
        registered=chance.random() < 0.7,
        longest=max(end - begin for begin, end in pairwise(cuts)) if live else (1 << 20) // frame,
    )


def drawn_swapping(numbers: np.random.Generator, chance: random.Random, *, index: int) -> Case:
    """A live stream through long responses that take over from one another, mostly in a fade."""
    draw = list(_SUCCESSIONS.values())[index % len(_SUCCESSIONS)]
    filters, channels = draw(numbers, chance)
    dtype = chance.choice(["float32", "float32", "float64"])
    cuts = _cuts(chance, channels * np.dtype(dtype).itemsize)
    signal = numbers.standard_normal((channels, cuts[-1])).astype(dtype)
    swaps = {}
    for block in sorted(chance.sample(range(len(cuts) - 1), 12)):
        wish = {"fade": chance.choice([0, 64, 3000, 9000]), "curve": chance.choice(_CURVES)}
        swaps[block] = (chance.randrange(len(filters)), chance.choice([None, 0, 700, 5000]), wish)
    held = [chance.random() < 0.5 for _ in filters]
    return Case(
        f"{list(_SUCCESSIONS)[index % len(_SUCCESSIONS)]}, swapped",
        filters[0],
        signal,
        _swapped(cuts, chance.choice([0, 64, 512, 1000]), dtype, filters, held, swaps),
        registered=chance.random() < 0.7,
        longest=max(end - begin for begin, end in pairwise(cuts)),
    )


def _cuts(chance: random.Random, frame: int) -> list[int]:
    """Where a signal is cut: blocks of one length, of any length, single samples, a long push.

    Args:
        chance: draws.
        frame: bytes of one sample.
    """
    usual = chance.choice([64, 512, 1000, 4096])
    count = chance.randrange(60, 160)
    sizes = [
        chance.choices([usual, chance.randrange(3 * usual), 1, 0], [14, 5, 1, 1])[0]
        for _ in range(count)
    ]
    if chance.random() < 0.3:
        sizes[chance.randrange(count)] = int(chance.uniform(0.5e6, 2.5e6) / frame)
    return [0, *accumulate(sizes), sum(sizes) + 1]


def _applied(client: Any, filter: Any, signal: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = client.apply(signal, filter)
    return found


def _pushed(cuts: list[int], block: int, size: tuple[int, ...], dtype: str) -> Use:
    def use(client: Any, filter: Any, signal: NDArray[Any]) -> NDArray[Any]:
        with client.stream(
            filter, channels=signal.shape[0], size=size, dtype=dtype, block=block
        ) as live:
            found = [live.push(signal[..., begin:end]) for begin, end in pairwise(cuts)]
            return np.concatenate([*found, live.flush()], -1)

    return use


Wish = tuple[int, int | None, dict[str, Any]]
_CURVES = ["linear", "raised_cosine"]


def _swapped(
    cuts: list[int],
    block: int,
    dtype: str,
    filters: list[Filter],
    held: list[bool],
    swaps: dict[int, Wish],
) -> Use:
    """Push blocks, with swaps before some of them.

    Args:
        cuts: of the signal.
        block: that is announced.
        dtype: of the signal.
        filters: those that take over.
        held: which of them are registered.
        swaps: by the number of a block: which filter, how many outputs later than it could, and
            how.
    """

    def use(client: Any, filter: Any, signal: NDArray[Any]) -> NDArray[Any]:
        others = [
            client.register(each) if registered else each
            for each, registered in zip(filters, held, strict=True)
        ]
        furthest = max(int(each.time.receptive_field.size) for each in filters)
        with client.stream(
            filter, channels=signal.shape[0], dtype=dtype, block=block, history=furthest
        ) as live:
            found = []
            for number, (begin, end) in enumerate(pairwise(cuts)):
                if number in swaps:
                    which, later, wish = swaps[number]
                    if later is not None:
                        free = max([live.outputs, *(each.end for each in live.swaps)])
                        wish = {**wish, "at": free + later}
                    live.swap(others[which], **wish)
                found.append(live.push(signal[..., begin:end]))
            return np.concatenate([*found, live.flush()], -1)

    return use


Drawn = tuple[Filter, int, tuple[int, ...]]


def _noise(numbers: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return numbers.standard_normal(shape).astype(np.float32)


def _short(numbers: np.random.Generator, chance: random.Random) -> Drawn:
    return impulse_response(_noise(numbers, chance.randrange(1, 400))), chance.randrange(1, 3), ()


def _hall(numbers: np.random.Generator, chance: random.Random) -> Drawn:
    taps = chance.randrange(5_000, 60_000)
    return impulse_response(_noise(numbers, taps)), chance.randrange(1, 3), ()


def _matrix(numbers: np.random.Generator, chance: random.Random) -> Drawn:
    return impulse_response(_noise(numbers, 2, 2, chance.randrange(100, 9_000))), 2, ()


def _strided(numbers: np.random.Generator, chance: random.Random) -> Drawn:
    weight = _noise(numbers, 3, 2, chance.randrange(1, 40))
    stride, pads = chance.randrange(2, 7), (chance.randrange(9), chance.randrange(9))
    return Filter(Conv(weight, stride=stride, padding=pads)), 2, ()


def _dilated(numbers: np.random.Generator, chance: random.Random) -> Drawn:
    weight = _noise(numbers, 2, 1, chance.randrange(2, 30))
    dilation, stride = chance.randrange(2, 50), chance.randrange(1, 4)
    layer = Conv(weight, dilation=dilation, stride=stride, padding="causal", groups=2)
    return Filter(layer), 2, ()


def _mirrored(numbers: np.random.Generator, chance: random.Random) -> Drawn:
    boundary = chance.choice(["reflect", "edge", "symmetric"])
    taps = chance.randrange(3, 200)
    return Filter(Conv(_noise(numbers, 1, 1, taps), padding="same", boundary=boundary)), 1, ()


def _stack(numbers: np.random.Generator, chance: random.Random) -> Drawn:
    layers = [
        Conv(_noise(numbers, 6, 2, 10), stride=chance.randrange(1, 4), padding="causal"),
        Affine(_noise(numbers, 6), _noise(numbers, 6)),
        Activation(chance.choice(["relu", "tanh", "gelu"])),
        Pool(chance.choice(["max", "average"]), chance.randrange(2, 4), stride=2),
        Conv(_noise(numbers, 2, 6, 5), dilation=chance.randrange(1, 4), padding="full"),
    ]
    return Filter(layers), 2, ()


def _upsampled(numbers: np.random.Generator, chance: random.Random) -> Drawn:
    stride = chance.randrange(2, 4)
    return Filter(ConvTranspose(_noise(numbers, 2, 1, 7), stride=stride, padding=2)), 2, ()


def _spectrogram(numbers: np.random.Generator, chance: random.Random) -> Drawn:
    weight = _noise(numbers, 2, 1, 3, chance.randrange(1, 9))
    height = chance.randrange(4, 40)
    return Filter(Conv(weight, padding="causal", stride=(1, chance.randrange(1, 3)))), 1, (height,)


def _halls(numbers: np.random.Generator, chance: random.Random) -> tuple[list[Filter], int]:
    lengths = [chance.randrange(3_000, 60_000) for _ in range(3)]
    return [impulse_response(_noise(numbers, taps)) for taps in lengths], chance.randrange(1, 3)


def _matrices(numbers: np.random.Generator, chance: random.Random) -> tuple[list[Filter], int]:
    lengths = [chance.randrange(300, 9_000) for _ in range(3)]
    return [impulse_response(_noise(numbers, 2, 2, taps)) for taps in lengths], 2


def _thinned(numbers: np.random.Generator, chance: random.Random) -> tuple[list[Filter], int]:
    stride = chance.randrange(2, 5)
    lengths = [chance.randrange(5, 900) for _ in range(3)]
    return [
        Filter(Conv(_noise(numbers, 2, 1, taps), stride=stride, padding=(taps - 1, 0)))
        for taps in lengths
    ], 1


_SUCCESSIONS: dict[
    str, Callable[[np.random.Generator, random.Random], tuple[list[Filter], int]]
] = {
    "halls": _halls,
    "matrices of responses": _matrices,
    "halls again": _halls,
    "thinned": _thinned,
}

_FILTERS: dict[str, Callable[[np.random.Generator, random.Random], Drawn]] = {
    "a short filter": _short,
    "a hall": _hall,
    "a strided filter": _strided,
    "a dilated filter": _dilated,
    "a stack": _stack,
    "a transposed filter": _upsampled,
    "a matrix of responses": _matrix,
    "a mirrored filter": _mirrored,
    "a spectrogram": _spectrogram,
}
