"""Figures of ours that have limits of their own, beside no peer.

Each is measured in a process of its own, memory as the kernel accounts for it.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.children import Child, ServerChild
from benchmarks.results import Bar, Measurement
from benchmarks.rounds import interleave, ratio_of_medians

from .cases import CASES, Case
from .field import Field

__all__ = ["GROWTH", "measure"]

FIXED = "fixed cost of a call"
GEMM = "rate of direct kernels / rate of sgemm"
GROWTH = "time of an output"
MEMORY = "memory beyond input, output and 4 x kernel"
READY = "time until a server is ready"

_SILENT_SECONDS = 300.0
_MIB = 1 << 20


def measure(quick: bool) -> tuple[list[Measurement], list[Bar]]:
    """Measure all of them."""
    measurements: list[Measurement] = []
    bars: list[Bar] = []
    for part in (_fixed_cost, _gemm, _memory, _growth, _ready):
        begun = time.monotonic()
        found, more = part(quick)
        measurements += found
        bars += more
        spent = time.monotonic() - begun
        print(f"engine:{part.__name__.replace('_', ' ')} took {spent:.0f} s", file=sys.stderr)
    return measurements, bars


@contextlib.contextmanager
def _alone(*arguments: str) -> Iterator[Child]:
    child = Child(f"{__package__}.alone", arguments, {"CONVOLVED_THREADS": "1"})
    try:
        yield child
    finally:
        child.close()


def _fixed_cost(quick: bool) -> tuple[list[Measurement], list[Bar]]:
    case = "1,000 samples, 15 taps"
    with _alone("fixed", str(2 if quick else 40)) as child:
        told: dict[str, list[float]] = json.loads(child.receive(_SILENT_SECONDS))
    found = [
        Measurement(FIXED, case, name, "s", tuple(values), "1 thread")
        for name, values in told.items()
    ]
    bars = [
        Bar(f"{FIXED}, {each.contender}", case, *_interval(each.values), "at most", 30e-6, "s")
        for each in found
    ]
    return found, bars


def _interval(values: tuple[float, ...]) -> tuple[float, float, float]:
    return ratio_of_medians(values, [1.0] * len(values))


def _gemm(quick: bool) -> tuple[list[Measurement], list[Bar]]:
    """Layers that mix many channels, each in turns with a product of large matrices."""
    cases = [case for case in CASES if _mixes_many(case)]
    measurements, bars = [], []
    with Field(1) as field:
        for case in cases[:1] if quick else cases:
            ask = partial(field.ours.ask, seconds=0.03)
            times = interleave(
                {"direct": partial(ask, "direct", case=case.name), "sgemm": partial(ask, "sgemm")},
                2 if quick else 9,
            )
            rates = {
                name: tuple(2e-9 / value for value in values) for name, values in times.items()
            }
            measurements += [
                Measurement(GEMM, case.name, name, "GFLOP/s", values, "1 thread")
                for name, values in rates.items()
            ]
            ratio = ratio_of_medians(rates["direct"], rates["sgemm"])
            bars.append(Bar(GEMM, case.name, *ratio, "at least", 0.85))
    return measurements, bars


def _mixes_many(case: Case) -> bool:
    return (
        case.kind == "conv"
        and case.family in ("1-D layers", "2-D layers", "3-D", "strided", "dilated")
        and case.dtype == "float32"
        and min(case.weight[:2]) >= 16
    )


def _memory(quick: bool) -> tuple[list[Measurement], list[Bar]]:
    samples = 1_000_000 if quick else 150_000_000
    measurements, bars = [], []
    for taps in (63, 1023, 48_000):
        with _alone("memory", str(samples), str(taps)) as child:
            value = float(json.loads(child.receive(_SILENT_SECONDS))) / _MIB
        case = f"{samples * 4 // 1_000_000} MB, {taps} taps"
        measurements.append(Measurement(MEMORY, case, "apply", "MiB", (value,), "1 thread"))
        bars.append(Bar(MEMORY, case, value, value, value, "at most", 64.0, "MiB"))
    return measurements, bars


def _growth(quick: bool) -> tuple[list[Measurement], list[Bar]]:
    lengths = (10**4, 10**5) if quick else (10**5, 10**6, 10**7, 10**8)
    measurements, bars = [], []
    for taps in (64, 1024):
        rounds = 2 if quick else 9
        arguments = (str(taps), str(rounds), *map(str, lengths))
        with _alone("growth", *arguments) as child:
            told: dict[str, list[float]] = json.loads(child.receive(_SILENT_SECONDS))
        found = [
            Measurement(GROWTH, f"{int(n):,} samples", f"{taps} taps", "s", tuple(values))
            for n, values in told.items()
        ]
        measurements += found
        slowest = max(found, key=lambda each: each.median)
        fastest = min(found, key=lambda each: each.median)
        ratio = ratio_of_medians(slowest.values, fastest.values)
        bars.append(
            Bar(
                f"{GROWTH}, {slowest.case} / {fastest.case}",
                f"{taps} taps",
                *ratio,
                "at most",
                1.2,
            )
        )
    return measurements, bars


def _ready(quick: bool) -> tuple[list[Measurement], list[Bar]]:
    limits = {"cold": 20.0, "with its cache": 5.0}
    measurements, bars = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, limit in limits.items():
            if quick and name == "cold":
                continue
            seconds = _start(Path(folder), {} if quick else {"NUMBA_CACHE_DIR": folder})
            measurements.append(Measurement(READY, name, "server", "s", (seconds,)))
            bars.append(Bar(READY, name, seconds, seconds, seconds, "at most", limit, "s"))
    return measurements, bars


def _start(folder: Path, environment: dict[str, str]) -> float:
    begun = time.monotonic()
    address = f"unix:{folder}/server.sock"
    server = ServerChild(
        "convolved_server",
        ["--listen", address, "--until-stdin-closes", "--warm-up-seconds", str(_SILENT_SECONDS)],
        environment,
    )
    try:
        server.await_ready(_SILENT_SECONDS)
        return time.monotonic() - begun
    finally:
        server.close()
