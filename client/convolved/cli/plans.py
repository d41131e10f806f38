"""Plans as people read them: in short, and as a table of candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convolved.cli.tables import plain_table
from convolved.cli.words import in_bytes, in_seconds
from convolved_vocabulary import Candidate, LayerPlan, Plan

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["facts", "in_short", "table"]


def in_short(plan: Plan) -> list[str]:
    """Return what is chosen and why, and what would have been slower."""
    lines = []
    for step in plan.steps:
        chosen = step.chosen
        lines.append(
            f"{_name(chosen)}: {in_seconds(chosen.predicted_seconds or 0)} predicted, "
            f"{chosen.reason}"
        )
        slower = [
            f"{other.algorithm} {in_seconds(other.predicted_seconds)}"
            for other in step.rejected
            if other.predicted_seconds is not None
        ]
        if slower:
            lines.append("instead of " + ", ".join(slower))
    return lines


def table(step: LayerPlan) -> Table:
    """Return the candidates of a step, the chosen one first."""
    found = plain_table()
    found.add_column("", no_wrap=True)
    found.add_column("algorithm")
    for column in ("time", "memory", "error"):
        found.add_column(column, justify="right", no_wrap=True)
    found.add_column("why", ratio=1)
    found.add_row("*", *_row(step.chosen), style="bold")
    for candidate in step.rejected:
        found.add_row("", *_row(candidate))
    return found


def facts(plan: Plan, block: int | None = None) -> list[tuple[str, str]]:
    """Return what a plan says beside its candidates, each with a label."""
    shape = " x ".join(f"{length:,}" for length in plan.output_shape)
    return [
        ("output", f"{shape} {plan.output_dtype.name}"),
        ("sees", "; ".join(map(str, plan.receptive_field))),
        ("work", f"{plan.multiply_adds:,} multiply-adds if summed directly"),
        ("weights", f"{plan.parameter_count:,}"),
        *(("separable", str(each)) for each in plan.separable),
        (
            "time",
            f"{in_seconds(plan.predicted_seconds)} predicted"
            + (f" for a block of {block:,} samples" if block else ""),
        ),
    ]


def _row(candidate: Candidate) -> tuple[str, str, str, str, str]:
    if candidate.predicted_seconds is None:
        return candidate.algorithm, "", "", "", candidate.reason
    return (
        _name(candidate),
        in_seconds(candidate.predicted_seconds),
        in_bytes(candidate.workspace_bytes),
        f"{candidate.relative_error:.1e}",
        candidate.reason,
    )


def _name(candidate: Candidate) -> str:
    return " ".join([candidate.algorithm, *(f"{k}={v}" for k, v in candidate.parameters)])
