"""What a result of the engine says, in Markdown and plots."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from benchmarks import report
from benchmarks.report import quantity, table
from benchmarks.results import Bar, Measurement, Result

from .cases import by_name
from .comparing import OURS
from .verdicts import (
    PACKED,
    best_peer,
    family_means,
    rows,
    threads_of,
    unpacked,
    with_conclusions,
)

__all__ = ["section"]

_INTRODUCTION = """\
Arrays convolved in one process, beside PyTorch, SciPy, NumPy and julius. Each library has a process
of its own, with the same number of threads; all meet in every round. Each solution was first
compared with the definition in double precision. Ours are calls as users make them: `convolve` and
the pools prepare nothing for the next call; layers, impulse responses and banks are filters that
are kept and applied with `apply`, as PyTorch's layers are kept. "torch packed" is PyTorch with
weights that oneDNN has reordered for the very shape, or with signals whose channels already lie
last, whichever is fastest; neither conversion is counted. A peer that is far behind was timed a few
times only. Limits are for peers as one calls them; the packed ones are told beside them.

Kernels are made for the processor at hand. Those for AVX2 give the same bits as those for AVX-512,
which the tests hold; those for 128-bit vectors, NEON among them, come of the same code and were
never run on such a processor."""

_PEERS = ("torch", PACKED, "SciPy", "julius")


def section(result: Result, folder: Path | None) -> str:
    """The section of the engine; its plots go into `folder`, if there is one."""
    parts: list[str] = []
    for measure in threads_of(result):
        parts += _compared(result, measure, folder)
    told = report.section(
        "The engine",
        _INTRODUCTION,
        result,
        parts,
        limits="Limits of the engine",
        others="Other figures of the engine",
        bars=filter(_worth_a_line, with_conclusions(result)),
    )
    return "\n\n".join([told, *_left_out(result)])


def _compared(result: Result, measure: str, folder: Path | None) -> list[str]:
    found = rows(result, measure)
    word = measure.removeprefix("time, ")
    parts = [f"### Cases, {word}", _cases_table(found)]
    means, packed = family_means(found), family_means(found, packed=True)
    if not means:
        return parts
    parts += [
        "Geometric means of the families' ratios:",
        table(
            ["family", "best peer / ours", "packed ones too"],
            ([name, f"{mean:.2f}", f"{packed[name]:.2f}"] for name, mean in means.items()),
        ),
    ]
    if folder is not None:
        from benchmarks.plots import bars

        name = f"engine-{word.replace(' ', '-')}.svg"
        bars(
            folder / name,
            means,
            title=f"Time of the best peer / time of ours, {word}",
            across="geometric mean of the family's cases; above 1 ours is faster",
        )
        parts.append(f"![Time of the best peer relative to ours, {word}]({name})")
    return parts


def _cases_table(found: Mapping[str, Mapping[str, Measurement]]) -> str:
    lines = []
    for name, row in found.items():
        ratio = unpacked(row)
        packed = best_peer(row, packed=True)
        lines.append(
            [
                f"{by_name[name].family}: {name}",
                quantity(row[OURS].median, "s"),
                *(_time(row.get(peer)) for peer in _PEERS),
                _ratio_cell(ratio),
                "" if packed is None else f"{packed.median / row[OURS].median:.2f}",
                row[OURS].note,
                _best_of_ours(row),
            ]
        )
    heads = ["case", "ours", *_PEERS, "best peer / ours", "packed too", "call", "best of ours"]
    return table(heads, lines)


def _time(found: Measurement | None) -> str:
    return "" if found is None else f"{quantity(found.median, 's')}<br>{found.note}"


def _ratio_cell(ratio: tuple[float, float, float] | None) -> str:
    if ratio is None:
        return ""
    value, low, high = ratio
    text = f"{value:.2f} [{low:.2f}, {high:.2f}]" if low != high else f"{value:.2f}"
    return f"**{text}**" if high < 1 else text


def _best_of_ours(row: Mapping[str, Measurement]) -> str:
    own = [found for name, found in row.items() if name.startswith(f"{OURS}, ")]
    if not own:
        return ""
    best = min(own, key=lambda found: found.median)
    return f"{best.contender.partition(', ')[2]} {quantity(best.median, 's')}"


def _worth_a_line(bar: Bar) -> bool:
    """Whether a figure has a limit, or says what the tables of cases do not show."""
    if bar.limit is not None:
        return True
    if bar.what.startswith("regret"):
        return bar.value > 1.1
    return not bar.what.startswith("time of best")


def _left_out(result: Result) -> list[str]:
    reasons = result.settings.get("left_out", {})
    entries = sorted(
        (peer, reason, case) for case, told in reasons.items() for peer, reason in told.items()
    )
    if not entries:
        return []
    lines = [
        [peer, reason, "; ".join(case for _, _, case in group)]
        for (peer, reason), group in itertools.groupby(entries, key=lambda entry: entry[:2])
    ]
    return ["Who has no part in a case, and why:", table(["who", "why", "cases"], lines)]
