"""Plots as SVG; the same result gives the same file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["bars", "lines"]

_COLORS = ("#0b6e99", "#56b4d3", "#7a8b99", "#b3541e", "#6b4c9a", "#3f7d20", "#c9a227", "#a23b72")
_SETTINGS: Any = {"svg.hashsalt": "convolved", "svg.fonttype": "none", "font.family": "sans-serif"}


def lines(
    path: Path,
    series: Mapping[str, Mapping[float, float]],
    *,
    title: str,
    across: str,
    up: str,
) -> None:
    """Draw one line for each series, both axes logarithmic.

    Args:
        path: of the SVG file.
        series: by name, values by their places.
        title: of the plot.
        across: what the places are.
        up: what the values are.
    """
    with _figure(path, title, 4.8) as axes:
        for index, (name, points) in enumerate(series.items()):
            color = _COLORS[index % len(_COLORS)]
            axes.plot(list(points), list(points.values()), marker="o", color=color, label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.grid(visible=True, which="both", alpha=0.2)
        axes.legend(fontsize="small", frameon=False)


def bars(path: Path, values: Mapping[str, float], *, title: str, across: str) -> None:
    """Draw one bar for each value, the first on top.

    Args:
        path: of the SVG file.
        values: by name.
        title: of the plot.
        across: what the values are.
    """
    with _figure(path, title, 1.2 + 0.4 * len(values)) as axes:
        colors = [_COLORS[index % len(_COLORS)] for index in range(len(values))]
        drawn = axes.barh(list(values), list(values.values()), color=colors)
        axes.bar_label(drawn, fmt="%.3g", padding=3, fontsize="small")
        axes.invert_yaxis()
        axes.set_xlabel(across)
        axes.margins(x=0.12)
        axes.spines[["top", "right"]].set_visible(False)


@contextmanager
def _figure(path: Path, title: str, height: float) -> Iterator[Axes]:
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(8, height), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title, fontsize="medium")
        yield axes
        figure.savefig(path, format="svg", metadata={"Date": None})
