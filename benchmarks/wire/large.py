"""A signal larger than any message: throughput, and what the server's memory grows by meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.results import Bar, Measurement
from benchmarks.rounds import interleave, ratio_of_medians

from .cases import FIR_TAPS, Effort
from .field import Field, Fields, Runner

__all__ = ["GROWTH", "THROUGHPUT", "measure"]

THROUGHPUT = "throughput of a large signal"
GROWTH = "memory growth under a large signal"

_MIB = 1 << 20


def measure(fields: Fields, effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Send the large signal through the short filter, and the same bytes through the echo."""
    with fields.of("convolved", "echo") as field:
        return _measure(field, effort)


def _measure(field: Field, effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    runners = field.of("convolved", "echo")
    variants = {runner: _fastest(runner, effort) for runner in runners}
    growths: dict[Runner, list[float]] = {runner: [] for runner in runners}

    def visit(runner: Runner) -> float:
        assert runner.server is not None
        runner.server.forget_peak()
        before = runner.server.resident_mib()
        seconds = _carry(runner, effort.large_bytes, variants[runner])
        growths[runner].append(runner.server.peak_mib() - before)
        return effort.large_bytes / _MIB / seconds

    visits: dict[Runner, Callable[[], float]] = {
        runner: partial(visit, runner) for runner in runners
    }
    rounds = interleave(visits, effort.large_rounds)
    case = f"{effort.large_bytes / _MIB:.0f} MiB"
    note = f"{FIR_TAPS} taps"
    measurements = [
        Measurement(THROUGHPUT, case, runner.name, "MiB/s", values, f"{note}, {variants[runner]}")
        for runner, values in rounds.items()
    ] + [
        Measurement(GROWTH, case, runner.name, "MiB", tuple(values), note)
        for runner, values in growths.items()
    ]
    return measurements, _bars(field, rounds, growths, case)


def _bars(
    field: Field,
    rounds: dict[Runner, tuple[float, ...]],
    growths: dict[Runner, list[float]],
    case: str,
) -> list[Bar]:
    bars = []
    for ours in field.of("convolved"):
        echo = field.find("echo", ours.transport)
        bars.append(
            Bar(
                f"throughput, {ours.name} / bare grpc.aio echo in 1 MiB blocks",
                case,
                *ratio_of_medians(rounds[ours], rounds[echo]),
                "at least",
                0.6,
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


def _fastest(runner: Runner, effort: Effort) -> str:
    names: list[str] = runner.ask("large_variants")
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
