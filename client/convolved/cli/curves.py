"""The picture of `convolved plan --plot`: time over kernel length, and where the best one changes.

Lines are predictions, dots are measurements, both of one algorithm in one color; so a prediction
that misleads is seen at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convolved.audio.replacing import replacing
from convolved.cli.crossover import Curves
from convolved.cli.words import in_seconds
from convolved.picture import DOTS_PER_INCH, FAINT, HEIGHT, INK, LINE, WIDTH
from convolved_vocabulary.errors import InvalidArgument, MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["check_path", "draw"]

COLORS = ("#a8386b", "#2f6f9f", "#6f7685", "#b3541e", "#3f7d20", "#6b4c9a")
# Edges of the panel in pixels: left, right, top and bottom.
EDGES = (104, 150, 150, 84)


def check_path(path: Path) -> None:
    """Refuse what will not do before anything is measured.

    Raises:
        InvalidArgument: the path does not end in .png.
        MissingExtra: matplotlib is not installed.
    """
    if path.suffix.lower() != ".png":
        raise InvalidArgument("--plot", repr(str(path)), "a path that ends in .png")
    try:
        import matplotlib.figure  # noqa: F401  # loaded for `draw`
    except ImportError as error:
        raise MissingExtra("drawing a picture", "cli") from error


def draw(curves: Curves, path: str | os.PathLike[str], title: str) -> None:
    """Draw a PNG of 1600 x 1000 pixels; whatever was there is replaced.

    Args:
        curves: what to draw.
        path: ending in .png.
        title: a line above the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / DOTS_PER_INCH, HEIGHT / DOTS_PER_INCH), dpi=DOTS_PER_INCH)
    figure.set_facecolor("white")
    left, right, top, bottom = EDGES
    figure.text(left / WIDTH, 1 - 58 / HEIGHT, title, size=17, color=INK, weight="bold")
    figure.text(left / WIDTH, 1 - 92 / HEIGHT, _said(curves), size=12, color=FAINT)
    axes = figure.add_axes(
        (
            left / WIDTH,
            bottom / HEIGHT,
            (WIDTH - left - right) / WIDTH,
            (HEIGHT - top - bottom) / HEIGHT,
        )
    )
    _draw_curves(axes, curves)
    _mark(axes, curves)
    _plain(axes)
    with replacing(Path(path), "--plot") as part, part.open("wb") as file:
        FigureCanvasAgg(figure)
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})


def _said(curves: Curves) -> str:
    shape = " x ".join(f"{length:,}" for length in curves.shape)
    words = f"a signal of {shape} {curves.dtype}; lines: predicted"
    return words + ("; dots: measured on this machine" if curves.measured else "")


def _draw_curves(axes: Axes, curves: Curves) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ends: list[tuple[float, float, str, str]] = []
    for color, (name, times) in zip(COLORS, sorted(curves.predicted.items()), strict=False):
        found = sorted(times)
        axes.plot(found, [times[n] for n in found], color=color, linewidth=2.2, zorder=3)
        dots = curves.measured.get(name, {})
        axes.plot(
            list(dots),
            list(dots.values()),
            linestyle="none",
            marker="o",
            markersize=7.5,
            markerfacecolor="white",
            markeredgecolor=color,
            markeredgewidth=1.8,
            zorder=4,
        )
        ends.append((times[found[-1]], found[-1], name, color))
    # Names stand at the ends of their lines, apart from each other.
    low, high = axes.get_ylim()
    least, lowest = (high / low) ** 0.04, 0.0
    for height, last, name, color in sorted(ends):
        lowest = max(height, lowest * least)
        axes.annotate(
            name,
            (last, lowest),
            xytext=(14, 0),
            textcoords="offset points",
            va="center",
            size=12.5,
            weight="bold",
            color=color,
            annotation_clip=False,
        )


def _mark(axes: Axes, curves: Curves) -> None:
    """Mark the lengths at which the choice changes, and the kernel that was given."""
    for length, _, after in curves.crossovers():
        axes.axvline(length, color=LINE, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        _note(axes, length, f"from {length:,} taps: {after}", 1.012)
    first, last = axes.get_xlim()
    if first <= curves.taps <= last:
        axes.axvline(curves.taps, color=INK, linewidth=1.0, zorder=1)
        _note(axes, curves.taps, f"this kernel: {curves.taps:,} taps", 1.042)


def _note(axes: Axes, length: float, text: str, height: float) -> None:
    axes.text(
        length, height, text, transform=axes.get_xaxis_transform(), size=11, color=INK, ha="center"
    )


def _plain(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    def taps(length: float, _: Any) -> str:
        return f"{length:,.0f}"

    def seconds(value: float, _: Any) -> str:
        return in_seconds(value)

    axes.xaxis.set_major_formatter(FuncFormatter(taps))
    axes.yaxis.set_major_formatter(FuncFormatter(seconds))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("taps of the kernel", size=12, color=FAINT, labelpad=10)
    axes.grid(visible=True, which="major", axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(LINE)
    axes.tick_params(which="both", length=0, labelsize=11, labelcolor=FAINT, pad=8)
