"""What a result of the planner says, in Markdown and a plot."""

from __future__ import annotations

from pathlib import Path

from benchmarks import report
from benchmarks.report import measurements_table
from benchmarks.results import Result

from . import planning, regret, warm

__all__ = ["section"]

_INTRODUCTION = """\
Whether the planner's predictions choose well, what they cost, and what is paid once. The problems
are drawn at random from every kind that the engine serves: one to three axes, strides, dilations,
groups, few channels and many, float32, float64 and complex64. No constant was tuned on them."""

_PLOT = "planner-regret.svg"


def section(result: Result, folder: Path | None) -> str:
    """The section of the planner; its plot goes into `folder`, if there is one."""
    parts: list[str] = []
    scores = result.of(regret.MEASURE)
    if scores:
        chosen = "; ".join(f"{each.case}: {each.note}" for each in scores)
        said = (
            "The time of the chosen algorithm over that of the best of ours, which is chosen on "
            f"odd rounds and scored on even ones. Chosen were, {chosen}."
        )
        parts += ["### Regret", said]
        if folder is not None:
            from benchmarks.plots import lines

            series = {}
            for each in scores:
                ranked = sorted(each.values, reverse=True)
                series[each.case] = {float(n + 1): value for n, value in enumerate(ranked)}
            lines(
                folder / _PLOT,
                series,
                title="Time of the chosen algorithm / best of ours, the worst problems first",
                across="problems, ranked",
                up="regret",
            )
            parts.append(f"![Regret of the planner, the worst problems first]({_PLOT})")
    plans = [*result.of(planning.NEW), *result.of(planning.KNOWN)]
    if plans:
        parts.append("### Planning")
        for each in plans:
            text = measurements_table([each])
            parts += [f"{each.measure.capitalize()}: the median and, in brackets, the least.", text]
        for measure, said in (
            (planning.FFTW, "FFTW's plans for both directions, made once for each shape of work:"),
            (planning.SPECTRA, "The spectra of a response of half a block, once for each filter:"),
        ):
            parts += [said, measurements_table(result.of(measure))]
    first, later = result.of(warm.FIRST), result.of(warm.LATER)
    if first:
        said = (
            "`apply` over a Unix socket by a server that has just warmed up. The first call with a "
            "registered filter is planned anew, and is the first over its connection that is not "
            "tiny:"
        )
        parts += ["### Cold and warm", said, measurements_table(first)]
        parts += ["The tenth:", measurements_table(later)]
        parts += [
            "Then, over the same connection, the first with another filter and of another length:",
            measurements_table(result.of(warm.ANOTHER)),
        ]
    return report.section("The planner", _INTRODUCTION, result, parts)
