"""Live streams: what a pushed block costs the server's processor, and how long it takes.

The processor time is the kernel's account of the server's process while nothing but pushes goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.results import Bar, Measurement
from benchmarks.rounds import interleave, ratio_of_medians

from .cases import BLOCK, FIR_TAPS, Effort
from .field import Field, Fields, Runner

__all__ = ["LATENCY", "PROCESSOR", "measure"]

PROCESSOR = "processor time of a block"
LATENCY = "time of a push"

_KEYS = ("convolved", "echo", "echo-uvloop")


def measure(fields: Fields, effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Push blocks through the short filter, in one stream and in several."""
    measurements: list[Measurement] = []
    bars: list[Bar] = []
    with fields.of(*_KEYS) as field:
        for streams in effort.streams:
            found, waits = _side_by_side(field, effort, streams)
            measurements += [*found.values(), *waits.values()]
            bars += _bars(field, found, streams, "server's processor time a block", 1.5)
            bars += _bars(field, waits, streams, "time of a push", None)
    return measurements, bars


def _bars(
    field: Field,
    found: dict[Runner, Measurement],
    streams: int,
    what: str,
    limit: float | None,
) -> list[Bar]:
    return [
        Bar(
            f"{what}, {ours.name} / {echo.entry.title}",
            _case(streams),
            *ratio_of_medians(found[ours].values, found[echo].values),
            "at most",
            limit if echo.entry.key == "echo" else None,
        )
        for ours in field.of("convolved")
        for echo in field.of("echo", "echo-uvloop")
        if echo.transport == ours.transport
    ]


def _side_by_side(
    field: Field, effort: Effort, streams: int
) -> tuple[dict[Runner, Measurement], dict[Runner, Measurement]]:
    runners = field.of(*_KEYS)
    waits: dict[Runner, list[float]] = {runner: [] for runner in runners}

    def visit(runner: Runner) -> float:
        assert runner.server is not None
        runner.ask("push", blocks=2 * streams)
        before = runner.server.processor_seconds()
        median, _, _ = runner.ask("push", blocks=effort.blocks)
        spent = runner.server.processor_seconds() - before
        waits[runner].append(median)
        return spent / (effort.blocks // streams * streams)

    for runner in runners:
        runner.ask("open", streams=streams)
    visits: dict[Runner, Callable[[], float]] = {
        runner: partial(visit, runner) for runner in runners
    }
    rounds = interleave(
        visits, effort.rounds, seconds=effort.case_seconds, least=effort.least_rounds
    )
    for runner in runners:
        runner.ask("close")
    case = _case(streams)
    note = f"{BLOCK} samples, {FIR_TAPS} taps"
    return (
        {
            runner: Measurement(PROCESSOR, case, runner.name, "s", values, note)
            for runner, values in rounds.items()
        },
        {
            runner: Measurement(LATENCY, case, runner.name, "s", tuple(values), note)
            for runner, values in waits.items()
        },
    )


def _case(streams: int) -> str:
    return f"{streams} stream" + "s" * (streams > 1)
