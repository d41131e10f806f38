"""What a result of the wire says, in Markdown and plots."""

from __future__ import annotations

from pathlib import Path

from benchmarks import report
from benchmarks.report import measurements_table, quantity
from benchmarks.results import Measurement, Result

from . import applying, blocks, large, stalled

__all__ = ["section"]

_INTRODUCTION = """\
What it costs to convolve elsewhere. Every server and every client is a process of its own, on one
machine, over a Unix socket and over TCP on the loopback. Ours is the default `Client`, no option
set on either side. The echo computes nothing: it returns as many bytes as a convolution would."""

_REFERENCE = "SciPy in process"


def section(result: Result, folder: Path | None) -> str:
    """The section of the wire; its plots go into `folder`, if there is one."""
    parts = [
        *_applied(result, folder),
        *_pushed(result),
        *_carried(result),
        *_stalled(result),
    ]
    return report.section("The wire", _INTRODUCTION, result, parts, others="Other ratios")


def _applied(result: Result, folder: Path | None) -> list[str]:
    found = result.of(applying.MEASURE)
    if not found:
        return []
    said = (
        f"`apply` of a mono signal at 48 kHz in float32, with an impulse response of "
        f"{result.settings['hall_taps']:,} samples that the server has. Medians of the rounds, the "
        "best round in brackets; below it the manner in which a peer was fastest. "
        f"{_rounds(found)}"
    )
    parts = ["### Whole calls", said, measurements_table(found, notes=True)]
    if folder is not None and any(each.contender == _REFERENCE for each in found):
        from benchmarks.plots import lines

        name = "wire-apply.svg"
        lines(
            folder / name,
            _relative(found),
            title="Time of apply, relative to SciPy's oaconvolve in the caller's process",
            across="length of the signal in seconds",
            up="time / time of SciPy in process",
        )
        parts.append(f"![Time of apply relative to SciPy in process]({name})")
    return parts


def _relative(found: tuple[Measurement, ...]) -> dict[str, dict[float, float]]:
    scale = {each.case: each.median for each in found if each.contender == _REFERENCE}
    series: dict[str, dict[float, float]] = {}
    for each in found:
        place = float(each.case.removesuffix(" s"))
        series.setdefault(each.contender, {})[place] = each.median / scale[each.case]
    return series


def _pushed(result: Result) -> list[str]:
    cost, wait = result.of(blocks.PROCESSOR), result.of(blocks.LATENCY)
    if not cost:
        return []
    said = (
        f"Blocks of {result.settings['block']} samples through {result.settings['fir_taps']} taps, "
        "each pushed when the one before has come back. Our server runs on uvloop; so does the "
        f"echo once, to tell what is the loop's gain. {_rounds(cost)} "
        "Processor time of the server for a block:"
    )
    also = "Time of one push, the median over the pushes of a round:"
    return ["### Live blocks", said, measurements_table(cost), also, measurements_table(wait)]


def _carried(result: Result) -> list[str]:
    rate, growth = result.of(large.THROUGHPUT), result.of(large.GROWTH)
    if not rate:
        return []
    said = (
        f"One `apply` through {result.settings['fir_taps']} taps; the echo in blocks of 1 MiB, "
        f"also putting what comes into an array as ours does. {_rounds(rate)} "
        "Bytes of input for each second:"
    )
    also = (
        "What the server's memory grew by meanwhile, at its peak (in brackets the least of the "
        f"rounds; the greatest of all was {quantity(max(each.maximum for each in growth), 'MiB')}):"
    )
    return [
        "### A large signal",
        said,
        measurements_table(rate, notes=True),
        also,
        measurements_table(growth),
    ]


def _rounds(found: tuple[Measurement, ...]) -> str:
    """How many rounds each case had within its time."""
    counts = {each.case: len(each.values) for each in found}
    return "Rounds: " + ", ".join(f"{count} of {case}" for case, count in counts.items()) + "."


def _stalled(result: Result) -> list[str]:
    growth, taken = result.of(stalled.GROWTH), result.of(stalled.TAKEN)
    if not growth:
        return []
    said = (
        f"Up to {result.settings['stalled_bytes'] >> 20} MiB are sent into each stream and nothing "
        "is read. Growth of the server's memory at its peak, for each stream:"
    )
    also = "How much was sent before a stream took no more:"
    return [
        "### A reader that stops",
        said,
        measurements_table(growth),
        also,
        measurements_table(taken),
    ]
