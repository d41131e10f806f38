"""Tables in Markdown, and the page that holds a section for each family.

The page is written section by section: a run of one family leaves those of the others as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from .results import Bar, Measurement, Result

__all__ = [
    "PAGE",
    "bars_table",
    "machine_lines",
    "measurements_table",
    "quantity",
    "section",
    "table",
    "write",
]

PAGE = "benchmarks.md"

_HEAD = """# Benchmarks

Every claim of speed, measured beside its peers by `make bench`; `python -m benchmarks FAMILY` runs
one family. What is compared runs interleaved, in rounds whose order is drawn anew, so that a
disturbance meets all alike. Figures are medians of rounds; ratios are ratios of medians, with the
95 % interval of a paired bootstrap in brackets. Each peer takes part in the fastest manner that was
found for it. Rows that lose stay.
"""


def section(
    title: str,
    introduction: str,
    result: Result,
    parts: Iterable[str],
    *,
    limits: str = "Limits",
    others: str = "Other figures",
    bars: Iterable[Bar] | None = None,
) -> str:
    """The section of a family: what has limits first, then what it says, then the other figures.

    Args:
        title: of the section.
        introduction: what is measured.
        result: of the family.
        parts: headings, sentences and tables.
        limits: the heading of the figures that have limits.
        others: the heading of those that have none.
        bars: the figures to tell; those of the result if not given.
    """
    bars = list(result.bars if bars is None else bars)
    told = [
        f"## {title}",
        introduction,
        machine_lines(result),
        f"### {limits}",
        bars_table(bar for bar in bars if bar.limit is not None),
        *parts,
    ]
    unlimited = [bar for bar in bars if bar.limit is None]
    if unlimited:
        told += [f"### {others}", bars_table(unlimited)]
    return "\n\n".join(told)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, its first column to the left and the others to the right.

    >>> print(table(["what", "time"], [["a", "1 s"]]))
    | what | time |
    |---|---:|
    | a | 1 s |
    """
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    first, rule, *rest = ("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([first, rule.replace(" ", ""), *rest])


def quantity(value: float, unit: str) -> str:
    """A value with three digits and its unit; times in the unit that suits them.

    >>> quantity(0.00123, "s"), quantity(1234.5, "MiB/s"), quantity(0.5, "")
    ('1.23 ms', '1,234 MiB/s', '0.50')
    """
    if unit == "s":
        for scale, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
            if value >= scale:
                return f"{value / scale:.3g} {name}" if value < 1000 else f"{value:,.0f} s"
        return f"{value / 1e-9:.3g} ns"
    if not unit:
        return f"{value:.2f}"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def bars_table(bars: Iterable[Bar]) -> str:
    """Figures, their intervals, and their limits where they have any."""
    return table(
        ["what", "case", "figure", "limit", "reached"],
        (
            [
                bar.what,
                bar.case,
                _figure(bar),
                _limit(bar),
                _verdict(bar),
            ]
            for bar in bars
        ),
    )


def measurements_table(measurements: Sequence[Measurement], notes: bool = False) -> str:
    """Contenders down, cases across: medians and, in brackets, the best round."""
    cases = list(dict.fromkeys(found.case for found in measurements))
    contenders = list(dict.fromkeys(found.contender for found in measurements))
    cells = {(found.contender, found.case): found for found in measurements}
    return table(
        ["", *cases],
        ([name, *(_cell(cells.get((name, case)), notes) for case in cases)] for name in contenders),
    )


def machine_lines(result: Result) -> str:
    """On what, with what and beside what the figures were found."""
    machine = result.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    absent = "".join(f"\n\nAbsent: {name} ({why})." for name, why in result.absent.items())
    kind = ", ".join(filter(None, (machine["family"], machine["vectors"])))
    return (
        f"{machine['date']}, revision {machine['revision'] or 'unknown'}: {machine['processor']} "
        f"({kind}), {machine['cores']} cores, {machine['memory_gib']:g} GiB, {machine['system']}, "
        f"Python {machine['python']}; {packages}. Other work of the machine took "
        f"{result.other_load:.2f} cores meanwhile.{absent}"
    )


def write(name: str, section: str, folder: Path) -> Path:
    """Put the section of a family into the page, in the place of an older one."""
    page = folder / PAGE
    text = page.read_text(encoding="utf-8") if page.exists() else _HEAD
    begin, end = (
        f"<!-- {name}: written by `python -m benchmarks {name}` -->",
        f"<!-- end of {name} -->",
    )
    block = f"{begin}\n{section.strip()}\n{end}"
    old = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if old.search(text):
        text = old.sub(lambda _: block, text)
    else:
        text = f"{text.rstrip()}\n\n{block}\n"
    page.write_text(text, encoding="utf-8")
    return page


def _figure(bar: Bar) -> str:
    value = quantity(bar.value, bar.unit)
    if bar.low == bar.high:
        return value
    low, high = (quantity(end, bar.unit) for end in (bar.low, bar.high))
    return f"{value} [{low}, {high}]"


def _limit(bar: Bar) -> str:
    return "" if bar.limit is None else f"{bar.sense} {quantity(bar.limit, bar.unit)}"


def _verdict(bar: Bar) -> str:
    if bar.met is None:
        return ""
    return "yes" if bar.met else "**no**"


def _cell(found: Measurement | None, notes: bool) -> str:
    if found is None:
        return ""
    best = found.maximum if found.unit.endswith("/s") else found.minimum
    text = quantity(found.median, found.unit)
    if len(found.values) > 1:
        text += f" ({quantity(best, found.unit)})"
    return f"{text}<br>{found.note}" if notes and found.note else text
