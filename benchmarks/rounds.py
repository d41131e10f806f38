"""Rounds in which all contenders take turns, and what follows from them.

The law: within a round every contender is met once, in an order drawn anew, so that a disturbance
or a drift of the machine meets all alike. A contender's figure is the median of its rounds; two
contenders are compared by the ratio of their medians, whose 95 % interval comes from drawing whole
rounds anew (the paired bootstrap: Efron and Tibshirani, An Introduction to the Bootstrap, 1993).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

__all__ = ["interleave", "ratio_of_medians", "repeat_for"]

_Name = TypeVar("_Name")
_DRAWS = 2000


def interleave(
    contenders: Mapping[_Name, Callable[[], float]],
    rounds: int,
    seed: int = 0,
    *,
    seconds: float = math.inf,
    least: int = 1,
) -> dict[_Name, tuple[float, ...]]:
    """Call every contender once a round; return what each gave, round by round.

    Args:
        contenders: by name.
        rounds: at most.
        seed: of the order.
        seconds: after which no round begins that would not end by then.
        least: rounds that are met however long they take.

    >>> interleave({"one": lambda: 1.0, "two": lambda: 2.0}, rounds=3)
    {'one': (1.0, 1.0, 1.0), 'two': (2.0, 2.0, 2.0)}
    """
    random = np.random.default_rng(seed)
    names = list(contenders)
    found: dict[_Name, list[float]] = {name: [] for name in names}
    begun = time.monotonic()
    for number in range(rounds):
        spent = time.monotonic() - begun
        if number >= max(1, least) and spent * (number + 1) / number > seconds:
            break
        for index in random.permutation(len(names)):
            found[names[index]].append(contenders[names[index]]())
    return {name: tuple(values) for name, values in found.items()}


def ratio_of_medians(
    ours: Sequence[float], theirs: Sequence[float], seed: int = 0
) -> tuple[float, float, float]:
    """Return median(ours) / median(theirs) and the ends of its 95 % interval.

    Args:
        ours: values of the rounds.
        theirs: values of the same rounds, in the same order.
        seed: of the drawing.

    >>> ratio_of_medians([1.0, 1.0, 1.0], [2.0, 2.0, 2.0])
    (0.5, 0.5, 0.5)
    """
    above, below = np.asarray(ours), np.asarray(theirs)
    draws = np.random.default_rng(seed).integers(len(above), size=(_DRAWS, len(above)))
    drawn = np.median(above[draws], axis=1) / np.median(below[draws], axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(np.median(above) / np.median(below)), float(low), float(high)


def repeat_for(seconds: float, call: Callable[[], object], at_most: int = 1000) -> list[float]:
    """Call again and again for about `seconds`, once uncounted and once at least; the times.

    The uncounted call brings the contender's code and data back into the caches that others used
    since its last turn.
    """
    call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or (len(times) < at_most and time.perf_counter() < end):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return times
