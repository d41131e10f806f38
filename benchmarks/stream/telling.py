"""What a result of the streams says, in Markdown and plots."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks import report
from benchmarks.report import table
from benchmarks.results import Measurement, Result

from . import computing, delay, schedule, side_by_side, switching
from .cases import RATE, WIRE_BLOCK

__all__ = ["section"]

_INTRODUCTION = """\
Blocks at 48 kHz in float32 through long impulse responses, answered block by block without added
delay. Streams per core are the duration of a block divided by the time that it costs. JUCE is asked
by pedalboard's `process` with `reset=False`, in the same process and in turns with ours."""


def section(result: Result, folder: Path | None) -> str:
    """The section of the streams; its plots go into `folder`, if there is one."""
    parts = [
        *_computed(result, folder),
        *_spread(result),
        *_switched(result),
        *_delayed(result),
        *_held(result),
    ]
    return report.section(
        "Streams",
        _INTRODUCTION,
        result,
        parts,
        limits="Limits of streams",
        others="Other figures of streams",
    )


def _computed(result: Result, folder: Path | None) -> list[str]:
    found = result.of(computing.COST)
    if not found:
        return []
    parts = ["### Streams per core by compute alone"]
    for kind, said in (
        ("mono", "Mono streams that one core holds, and what a block costs (the best round):"),
        ("stereo", "Stereo streams, each channel through its own response:"),
    ):
        cases = [each for each in found if each.case.startswith(kind)]
        if cases:
            parts += [said, _density(cases)]
    if folder is not None:
        from benchmarks.plots import lines

        name = "stream-density.svg"
        lines(
            folder / name,
            _series(each for each in found if each.case.startswith("mono")),
            title="Mono streams at 48 kHz that one core holds, by compute alone",
            across="samples of a block",
            up="streams",
        )
        parts.append(f"![Streams per core by the length of a block]({name})")
    return parts


def _density(found: list[Measurement]) -> str:
    cases = list(dict.fromkeys(each.case for each in found))
    names = list(dict.fromkeys(each.contender for each in found))
    cells = {(each.contender, each.case): each for each in found}
    return table(
        ["", *names],
        (
            [case.partition(", ")[2], *(_streams(cells.get((name, case))) for name in names)]
            for case in cases
        ),
    )


def _streams(found: Measurement | None) -> str:
    if found is None:
        return ""
    return f"{_count(found):,.0f} ({found.median * 1e6:.3g} µs, {found.minimum * 1e6:.3g})"


def _count(found: Measurement) -> float:
    return _block(found.case) / RATE / found.median


def _block(case: str) -> int:
    return int(case.rpartition(" ")[2])


def _series(found: Iterable[Measurement]) -> dict[str, dict[float, float]]:
    series: dict[str, dict[float, float]] = {}
    for each in found:
        name = f"{each.contender}, {each.case.split(', ')[1]}"
        series.setdefault(name, {})[_block(each.case)] = _count(each)
    return series


def _spread(result: Result) -> list[str]:
    found = result.of(schedule.MEDIAN) + result.of(schedule.GREATEST)
    if not found:
        return []
    said = (
        "Larger partitions come round once in many blocks, and their work is spread over these. "
        f"The schedule is replayed {result.settings['replays']} times; what counts for each "
        "position is its least time."
    )
    return ["### How evenly a stream works", said, _by_measure(found)]


def _switched(result: Result) -> list[str]:
    found = result.of(switching.USUAL) + result.of(switching.ACROSS)
    if not found:
        return []
    said = (
        f"The new filter is as long as the old one, prepared beforehand, and fades in over "
        f"{switching.FADE} samples. Handing it over counts as part of the push that follows; "
        f"the least of {result.settings['swaps']} exchanges for each push after it."
    )
    return ["### Exchanging filters", said, _by_measure(found)]


def _by_measure(found: tuple[Measurement, ...]) -> str:
    cases = list(dict.fromkeys(each.case for each in found))
    measures = list(dict.fromkeys(each.measure for each in found))
    cells = {(each.measure, each.case): each.median for each in found}
    return table(
        ["", *measures],
        (
            [case, *(f"{cells[measure, case] * 1e6:.3g} µs" for measure in measures)]
            for case in cases
        ),
    )


def _delayed(result: Result) -> list[str]:
    found = result.of(delay.DELAY)
    if not found:
        return []
    places = len(found[0].values)
    said = (
        f"A click, at {places} places of a block, comes back by the sample at which it was sent, "
        "through an impulse response (full) as through a causal layer. Greatest delay of all: "
        f"{max(each.maximum for each in found):g} samples in {len(found)} cases."
    )
    return ["### Added delay", said]


def _held(result: Result) -> list[str]:
    held, cost = result.of(side_by_side.HELD), result.of(side_by_side.COST)
    if not held:
        return []
    said = (
        f"Mono streams of {WIRE_BLOCK} samples over a Unix socket to one server process; 99 of 100 "
        "blocks are answered within one block's duration of the moment when they were due. "
        f"{result.settings['clients']} client processes send them at that pace, by the same code "
        "for all servers and on the same cores as these: what the clients cost limits all. The "
        "echo returns each block and computes nothing, on gRPC as it comes; and once more on the "
        "event loop that our server has, with one thread of gRPC between the network and Python."
    )
    rows = (
        [
            each.contender,
            f"{each.median:,.0f} ({', '.join(f'{value:,.0f}' for value in each.values)})",
            f"{next(at for at in cost if at.contender == each.contender).median * 1e6:.3g} µs",
        ]
        for each in held
    )
    heads = ["", "streams held (in each round)", "processor time of the server for a block"]
    return ["### Concurrent streams over the wire", said, table(heads, rows)]
