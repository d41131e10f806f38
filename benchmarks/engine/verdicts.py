"""What follows from times side by side: ratios, means of families, rows that lose.

All of it follows from measurements alone, so that it can be told anew of several runs together.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

from benchmarks.results import Bar, Measurement, Result
from benchmarks.rounds import ratio_of_medians

from .cases import by_name
from .comparing import OURS

__all__ = [
    "PACKED",
    "best_peer",
    "conclusions",
    "family_means",
    "rows",
    "threads_of",
    "unpacked",
    "with_conclusions",
]

PACKED = "torch packed"

_LOSING = 0.95
_LEAST_SECONDS = 100e-6
_MEAN = 1.8
_WORD = "cases of 100 µs or more that lose for sure"

Row = Mapping[str, Measurement]


def threads_of(result: Result) -> tuple[str, ...]:
    """The measures of times, one for each number of threads."""
    return tuple(
        dict.fromkeys(
            found.measure for found in result.measurements if found.measure.startswith("time, ")
        )
    )


def rows(result: Result, measure: str) -> dict[str, Row]:
    """The measurements of each case, by contender."""
    table: dict[str, dict[str, Measurement]] = {}
    for found in result.of(measure):
        table.setdefault(found.case, {})[found.contender] = found
    return {name: table[name] for name in by_name if name in table}


def best_peer(row: Row, packed: bool) -> Measurement | None:
    """The fastest of the others, with or without what was packed before the clock ran."""
    peers = [
        found
        for name, found in row.items()
        if not name.startswith(OURS) and (packed or name != PACKED)
    ]
    return min(peers, key=lambda found: found.median, default=None)


def unpacked(row: Row) -> tuple[float, float, float] | None:
    """Time of the best peer as one calls it / time of ours, and its 95 % interval."""
    return _ratio(row, best_peer(row, packed=False))


def _ratio(row: Row, peer: Measurement | None) -> tuple[float, float, float] | None:
    if peer is None:
        return None
    ours = row[OURS]
    if len(peer.values) == len(ours.values):
        return ratio_of_medians(peer.values, ours.values)
    ratio = peer.median / ours.median
    return ratio, ratio, ratio


def family_means(table: Mapping[str, Row], packed: bool = False) -> dict[str, float]:
    """The geometric mean of the ratios of each family."""
    ratios: dict[str, list[float]] = {}
    for name, row in table.items():
        found = _ratio(row, best_peer(row, packed))
        if found is not None:
            ratios.setdefault(by_name[name].family, []).append(found[0])
    return {family: statistics.geometric_mean(values) for family, values in ratios.items()}


def conclusions(result: Result) -> Iterable[Bar]:
    """Ratios of all cases, with limits on what they come to together."""
    for measure in threads_of(result):
        table = rows(result, measure)
        word = measure.removeprefix("time, ")
        losing = sum(_loses(row) for row in table.values())
        yield Bar(_WORD, word, losing, losing, losing, "at most", 0.0, "cases")
        for packed, limit in ((False, _MEAN if word == "1 thread" else None), (True, None)):
            means = family_means(table, packed)
            if means:
                mean = statistics.geometric_mean(means.values())
                against = "best peer, packed ones too" if packed else "best peer"
                yield Bar(
                    f"geometric mean of families, time of {against} / ours",
                    word,
                    mean,
                    mean,
                    mean,
                    "at least",
                    limit,
                )
        for name, row in table.items():
            for packed, against in ((False, "best peer"), (True, "best peer, packed ones too")):
                peer = best_peer(row, packed)
                found = _ratio(row, peer)
                if found is not None and (not packed or (peer and peer.contender == PACKED)):
                    yield Bar(f"time of {against} / ours, {word}", name, *found, "at least")
            yield from _regret(row, word)


def _loses(row: Row) -> bool:
    found = unpacked(row)
    return found is not None and found[2] < _LOSING and row[OURS].median >= _LEAST_SECONDS


def _regret(row: Row, word: str) -> Iterable[Bar]:
    """How much longer than the fastest of our algorithms the chosen one takes."""
    own = {
        name.partition(", ")[2]: found for name, found in row.items() if name.startswith(f"{OURS},")
    }
    chosen = own.get(row[OURS].note.partition(": ")[2])
    if chosen is None or len(own) < 2:
        return
    best = min(own.values(), key=lambda found: found.median)
    ratio = chosen.median / best.median
    low = high = ratio
    if len(chosen.values) == len(best.values):
        ratio, low, high = ratio_of_medians(chosen.values, best.values)
    yield Bar(f"regret of the planner, {word}", chosen.case, ratio, low, high, "at most")


def with_conclusions(result: Result) -> tuple[Bar, ...]:
    """The bars that were measured, and those that follow from times."""
    derived = ("time of best peer", "regret of ", "geometric mean of families", _WORD)
    measured = [bar for bar in result.bars if not bar.what.startswith(derived)]
    return (*conclusions(result), *measured)
