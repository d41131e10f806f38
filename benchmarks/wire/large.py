"""A signal larger than any message: throughput, and what the server's memory grows by meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.results import Bar, Measurement
from benchmarks.rounds import interleave, ratio_of_medians

from .cases import FIR_TAPS, Effort
from .contender import KEPT
from .field import Field, Fields, Runner

__all__ = ["GROWTH", "THROUGHPUT", "measure"]

THROUGHPUT = "throughput of a large signal"
GROWTH = "memory growth under a large signal"

_MIB = 1 << 20

_Entry = tuple[Runner, bool]


def measure(fields: Fields, effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Send the large signal through the short filter, and the same bytes through the echo."""
    with fields.of("convolved", "echo") as field:
        return _measure(field, effort)


def _measure(field: Field, effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    runners = field.of("convolved", "echo")
    growths: dict[Runner, list[float]] = {runner: [] for runner in runners}

    def visit(runner: Runner, variant: str) -> float:
        assert runner.server is not None
        runner.server.forget_peak()
        before = runner.server.resident_mib()
        seconds = _carry(runner, effort.large_bytes, variant)
        growths[runner].append(runner.server.peak_mib() - before)
        return effort.large_bytes / _MIB / seconds

    manners = {(runner, kept): _manner(runner, kept, effort) for runner, kept in _entries(field)}
    visits: dict[_Entry, Callable[[], float]] = {
        entry: partial(visit, entry[0], manner) for entry, manner in manners.items()
    }
    rounds = interleave(
        visits, effort.large_rounds, seconds=effort.large_seconds, least=min(3, effort.large_rounds)
    )
    case = f"{effort.large_bytes / _MIB:.0f} MiB"
    note = f"{FIR_TAPS} taps"
    measurements = [
        Measurement(THROUGHPUT, case, _name(entry), "MiB/s", values, manners[entry])
        for entry, values in rounds.items()
    ] + [
        Measurement(GROWTH, case, runner.name, "MiB", tuple(values), note)
        for runner, values in growths.items()
    ]
    return measurements, _bars(field, rounds, growths, case)


def _entries(field: Field) -> list[_Entry]:
    """Ours and the echo; the echo also as one that keeps what it gets."""
    bare = [(runner, False) for runner in field.of("convolved", "echo")]
    return [*bare, *((runner, True) for runner in field.of("echo"))]


def _name(entry: _Entry) -> str:
    runner, kept = entry
    return f"{runner.entry.title} into an array, {runner.transport}" if kept else runner.name


def _bars(
    field: Field,
    rounds: dict[_Entry, tuple[float, ...]],
    growths: dict[Runner, list[float]],
    case: str,
) -> list[Bar]:
    bars = []
    for ours in field.of("convolved"):
        echo = field.find("echo", ours.transport)
        for kept, limit in ((False, 0.6), (True, None)):
            bars.append(
                Bar(
                    f"throughput, {ours.name} / bare grpc.aio echo in 1 MiB blocks"
                    + " into an array" * kept,
                    case,
                    *ratio_of_medians(rounds[ours, False], rounds[echo, kept]),
                    "at least",
                    limit,
                )
            )
        most = max(growths[ours])
        bars.append(
            Bar(
                f"memory growth of the server, {ours.name}",
                case,
                most,
                min(growths[ours]),
                most,
                "at most",
                256.0,
                "MiB",
            )
        )
    return bars


def _manner(runner: Runner, kept: bool, effort: Effort) -> str:
    """The fastest manner of those that keep nothing, or the one that keeps."""
    if kept:
        return KEPT
    names: list[str] = [name for name in runner.ask("large_variants") if name != KEPT]
    if len(names) == 1:
        return names[0]
    part = min(effort.large_bytes, 128 * _MIB)
    return min(
        names,
        key=lambda name: min(_carry(runner, part, name) for _ in range(min(3, effort.tuning))),
    )


def _carry(runner: Runner, nbytes: int, variant: str) -> float:
    seconds, returned = runner.ask("large", nbytes=nbytes, variant=variant)
    wanted = nbytes + (FIR_TAPS - 1) * 4
    if returned != wanted:
        raise RuntimeError(f"{runner.name} gave {returned} bytes back; {wanted} were due")
    return float(seconds)
