"""A picture of a signal before and after: waveforms and spectrograms on one time axis.

Both signals share every scale, so that what differs in the picture differs in the signals.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convolved.audio.peak import decibels, peak
from convolved.audio.replacing import replacing
from convolved.spectrogram import Grid, outline, power
from convolved_vocabulary.errors import InvalidArgument, MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = ["before_and_after"]

WIDTH, HEIGHT, DOTS_PER_INCH = 1600, 1000, 100
LEFT, RIGHT = 84, 96
# Top edge and height in pixels of each signal's two panels.
WAVEFORMS = ((112, 92), (548, 92))
SPECTROGRAMS = ((210, 286), (646, 286))
RANGE_DECIBELS = 80
COLORS = "magma"
INK, FAINT, LINE = "#23262d", "#7d828c", "#c9ccd2"
DRY, WET = "#6f7685", "#a8386b"


def before_and_after(
    dry: NDArray[Any],
    wet: NDArray[Any],
    sample_rate_hertz: float,
    path: str | os.PathLike[str],
    *,
    title: str = "",
) -> None:
    """Draw two signals one above the other, and write the picture as a PNG of 1600 x 1000 pixels.

    Each has its waveform above its spectrogram, in which a sine of full scale is about 0 dB. Of
    several channels the waveform is the outline of all, the spectrogram their mean power, and the
    picture says so. Samples that are NaN or infinite are drawn as silence. Memory is bounded by
    the picture, not by the signals, which may be memory-mapped.

    Args:
        dry: the signal before, (channels, n) or (n,), real.
        wet: the signal after, of any length and number of channels.
        sample_rate_hertz: of both.
        path: ending in .png. Whatever was there is replaced.
        title: a line above the picture.

    Raises:
        InvalidArgument: a signal is empty, complex or of another rank, or the path will not do.
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("drawing a picture", "cli") from error
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise InvalidArgument("path", repr(str(path)), "a path that ends in .png")
    if not sample_rate_hertz > 0:
        raise InvalidArgument("sample_rate_hertz", sample_rate_hertz, "a rate above 0")
    signals = _channels_first("dry", dry), _channels_first("wet", wet)
    longest = max(x.shape[1] for x in signals)
    grid = Grid.of(longest, sample_rate_hertz, columns=WIDTH - LEFT - RIGHT)
    before, after = (
        _Drawn(name, color, x, outline(x, grid), _level(x, grid))
        for name, color, x in zip(("Before", "After"), (DRY, WET), signals, strict=True)
    )
    scales = _Scales.of((before, after), longest / sample_rate_hertz)

    figure = Figure(figsize=(WIDTH / DOTS_PER_INCH, HEIGHT / DOTS_PER_INCH), dpi=DOTS_PER_INCH)
    figure.set_facecolor("white")
    if title:
        figure.text(LEFT / WIDTH, 1 - 46 / HEIGHT, title, size=17, color=INK, weight="bold")
    _draw(figure, 0, before, grid, scales)
    spectrogram, image = _draw(figure, 1, after, grid, scales)
    _label_seconds(spectrogram)
    _draw_scale(figure, image)

    with replacing(path) as part, part.open("wb") as file:
        FigureCanvasAgg(figure)
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A signal and what is seen of it: outline (2, columns), level (rows, columns) in dB."""

    name: str
    color: str
    samples: NDArray[Any]
    outline: NDArray[Any]
    level: NDArray[Any]

    @property
    def peak(self) -> float:
        return float(np.abs(self.outline).max())

    def highest(self, floor: float) -> float:
        """Return the height above which nothing reaches the floor, with a little air."""
        rows = np.flatnonzero(self.level.max(axis=1) > floor)
        return min(float(rows[-1]) / len(self.level) + 0.02, 1.0) if len(rows) else 1.0


@dataclass(frozen=True)
class _Scales:
    """What both signals share: time, the tallest sample, the loudest level, the highest pitch."""

    seconds: float
    tallest: float
    loudest: float
    highest: float

    @classmethod
    def of(cls, drawn: tuple[_Drawn, ...], seconds: float) -> _Scales:
        loudest = 5.0 * math.ceil(max(one.level.max() for one in drawn) / 5)
        highest = max(one.highest(loudest - RANGE_DECIBELS) for one in drawn)
        return cls(seconds, max(one.peak for one in drawn) or 1.0, loudest, highest)


def _level(x: NDArray[Any], grid: Grid) -> NDArray[Any]:
    return np.asarray(10 * np.log10(np.maximum(power(x, grid), 1e-20)))


def _channels_first(argument: str, x: NDArray[Any]) -> NDArray[Any]:
    x = np.asanyarray(x)
    if x.dtype.kind not in "iuf" or x.ndim not in (1, 2) or x.size == 0:
        raise InvalidArgument(
            argument, f"{x.dtype} of shape {x.shape}", "real samples, (channels, n) or (n,)"
        )
    return x if x.ndim == 2 else x[np.newaxis]


def _panel(figure: Figure, top: int, height: int) -> Axes:
    """Add axes at whole pixels, bare of frame and ticks."""
    width = WIDTH - LEFT - RIGHT
    axes = figure.add_axes(
        (LEFT / WIDTH, 1 - (top + height) / HEIGHT, width / WIDTH, height / HEIGHT)
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, labelsize=10.5, labelcolor=FAINT, pad=6)
    axes.set_xticks([])
    axes.set_yticks([])
    return axes


def _draw(
    figure: Figure, row: int, drawn: _Drawn, grid: Grid, scales: _Scales
) -> tuple[Axes, AxesImage]:
    waveform = _panel(figure, *WAVEFORMS[row])
    _draw_waveform(waveform, drawn, grid)
    _describe(waveform, drawn, grid.sample_rate_hertz)
    waveform.set_ylim(-scales.tallest, scales.tallest)
    spectrogram = _panel(figure, *SPECTROGRAMS[row])
    image = _draw_spectrogram(spectrogram, drawn, grid, scales.loudest)
    spectrogram.set_ylim(0, scales.highest)
    for axes in (waveform, spectrogram):
        axes.set_xlim(0, scales.seconds)
    return spectrogram, image


def _draw_waveform(axes: Axes, drawn: _Drawn, grid: Grid) -> None:
    low, high = drawn.outline
    seconds = (np.arange(len(low)) + 0.5) * grid.hop / grid.sample_rate_hertz
    axes.axhline(0, color=LINE, linewidth=0.6, zorder=0)
    axes.fill_between(seconds, low, high, color=drawn.color, linewidth=0.6)


def _describe(axes: Axes, drawn: _Drawn, rate: float) -> None:
    level = f"peak {decibels(drawn.peak):.1f} dBFS".replace("-", "\N{MINUS SIGN}")
    said = [f"{drawn.samples.shape[1] / rate:,.1f} s", level if drawn.peak else "silent"]
    if not math.isfinite(peak(drawn.samples)):
        said.append("NaN or infinite samples drawn as silence")
    channels = len(drawn.samples)
    if channels > 1:
        said.append(f"{channels} channels: outline of all above, mean power below")
    height = axes.bbox.height
    axes.text(
        0, 1 + 10 / height, drawn.name, transform=axes.transAxes, size=13, weight="bold", color=INK
    )
    axes.text(
        86 / axes.bbox.width,
        1 + 10 / height,
        " \N{MIDDLE DOT} ".join(said),
        transform=axes.transAxes,
        size=11,
        color=FAINT,
    )


def _draw_spectrogram(axes: Axes, drawn: _Drawn, grid: Grid, loudest: float) -> AxesImage:
    end = drawn.level.shape[1] * grid.hop / grid.sample_rate_hertz
    image = axes.imshow(
        drawn.level,
        origin="lower",
        aspect="auto",
        extent=(0, end, 0, 1),
        cmap=COLORS,
        vmin=loudest - RANGE_DECIBELS,
        vmax=loudest,
        interpolation="nearest",
    )
    ticks = grid.ticks()
    axes.set_yticks(
        [grid.height(f) for f in ticks],
        [f"{f / 1000:g} kHz" if f >= 1000 else f"{f:g} Hz" for f in ticks],
    )
    return image


def _label_seconds(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=14, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g} s")
    axes.tick_params(axis="x", length=4, color=LINE)


def _draw_scale(figure: Figure, image: AxesImage) -> None:
    # Beside both spectrograms, for it holds for both.
    top = SPECTROGRAMS[0][0]
    height = sum(SPECTROGRAMS[1]) - top
    left = WIDTH - RIGHT + 20
    axes = figure.add_axes((left / WIDTH, 1 - (top + height) / HEIGHT, 12 / WIDTH, height / HEIGHT))
    scale = figure.colorbar(image, cax=axes)
    scale.outline.set_visible(False)
    axes.tick_params(length=0, labelsize=10.5, labelcolor=FAINT, pad=5)
    axes.set_title("dBFS", size=10.5, color=FAINT, loc="left", pad=8)
