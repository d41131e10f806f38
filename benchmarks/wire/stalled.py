"""A reader that stops: what a server holds for streams that send everything and read nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product

from benchmarks.results import Bar, Measurement

from .cases import STALLED_BLOCK_BYTES, Effort
from .field import Fields, Runner

__all__ = ["GROWTH", "MANNERS", "TAKEN", "measure"]

GROWTH = "memory growth with a reader that stops, a stream"
TAKEN = "sent before a reader that stops held it up, a stream"
MANNERS = ("live", "whole")

_LIMIT_MIB = 16.0


def measure(fields: Fields, effort: Effort) -> tuple[list[Measurement], list[Bar]]:
    """Stall streams of both manners; to the echo they are the same."""
    measurements: list[Measurement] = []
    bars: list[Bar] = []
    for manner, streams in product(MANNERS, effort.stalled_streams):
        case = f"{manner}, {streams} stream" + "s" * (streams > 1)
        with fields.of("convolved", "echo") as field:
            # No times are taken, so that they may wait side by side.
            with ThreadPoolExecutor() as pool:
                stall = partial(_stall, effort.stalled_bytes, streams, manner)
                found = list(pool.map(stall, field.runners))
            for runner, (growth, taken) in zip(field.runners, found, strict=True):
                measurements += [
                    Measurement(GROWTH, case, runner.name, "MiB", (growth,)),
                    Measurement(TAKEN, case, runner.name, "MiB", (taken,)),
                ]
                if runner.entry.key == "convolved":
                    bars.append(_bar(runner, case, growth))
    return measurements, bars


def _bar(runner: Runner, case: str, growth: float) -> Bar:
    return Bar(
        f"memory growth of the server with a reader that stops, {runner.name}",
        f"{case}, each",
        growth,
        growth,
        growth,
        "at most",
        _LIMIT_MIB,
        "MiB",
    )


def _stall(nbytes: int, streams: int, manner: str, runner: Runner) -> tuple[float, float]:
    """Growth of the server, and what it took, in MiB for each stream."""
    assert runner.server is not None
    runner.server.forget_peak()
    before = runner.server.resident_mib()
    messages = runner.ask(
        "stall", streams=streams, blocks=nbytes // STALLED_BLOCK_BYTES, manner=manner
    )
    growth = runner.server.peak_mib() - before
    runner.ask("unstall")
    taken = messages * STALLED_BLOCK_BYTES / (1 << 20)
    return growth / streams, taken / streams
