"""`convolved plan`: how a convolution would be computed, and why so."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convolved.cli.options import Accuracy, Algorithm, Json, Rate, Rigor, Server, Token

if TYPE_CHECKING:
    from convolved.cli.planning import Signal

__all__ = ["plan"]

SIGNAL = "Signal"


def plan(
    kernel: Annotated[
        str,
        typer.Argument(
            metavar="KERNEL",
            help="An impulse response: .wav, .flac, .ogg or .npy; or the name filters/... of a "
            "filter that the server holds.",
        ),
    ],
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", metavar="SECONDS", help="Length of the signal.", rich_help_panel=SIGNAL
        ),
    ] = 60.0,
    channels: Annotated[
        int | None,
        typer.Option(
            "--channels",
            metavar="N",
            help="Channels of the signal; by default those that the kernel is made for.",
            show_default=False,
            rich_help_panel=SIGNAL,
        ),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            "--shape",
            metavar="CHANNELS,N",
            help="Both in numbers, as 2,480000, instead of --seconds and --channels.",
            show_default=False,
            rich_help_panel=SIGNAL,
        ),
    ] = None,
    dtype: Annotated[
        str,
        typer.Option(
            "--dtype", metavar="DTYPE", help="What its samples are.", rich_help_panel=SIGNAL
        ),
    ] = "float32",
    block: Annotated[
        int | None,
        typer.Option(
            "--block",
            metavar="N",
            help="Plan a live stream in blocks of N samples instead of a whole signal.",
            show_default=False,
            rich_help_panel=SIGNAL,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="PNG",
            help="Draw the time of every algorithm over the length of the kernel. Without --server "
            "the times are also measured, which takes about half a minute.",
            show_default=False,
        ),
    ] = None,
    rate: Rate = None,
    json_: Json = False,
    accuracy: Accuracy = "fast",
    algorithm: Algorithm = "auto",
    rigor: Rigor = None,
    server: Server = None,
    token: Token = None,
) -> None:
    """Say how a signal would be convolved, by which algorithm and why.

    Every candidate is listed, the chosen one first, with its predicted time on the machine of the
    server, the memory it takes beside input and output, the bound on its error (relative to the
    loudest output that could be), and what speaks for or against it. Below stands what comes out,
    how much of the signal one output sees, the multiply-adds and weights, and what they would be if
    the kernels were separable. Nothing is computed, unless --rigor or --plot has it measured.

    [bold]Examples[/bold]

      convolved plan hall.wav
      convolved plan hall.wav --channels 1 --block 64
      convolved plan taps.npy --shape 1,480000 --accuracy strict
      convolved plan taps.npy --shape 1,480000 --plot crossover.png
    """
    from convolved.cli.planning import Signal, ask

    signal = Signal(seconds, channels, shape, dtype, block, rate)
    if plot is not None:
        _plot(plot, kernel, signal, accuracy, server, token, quiet=json_)
    found = ask(kernel, signal, accuracy, algorithm, rigor, server, token)
    if json_:
        from convolved.cli.reports import emit, of_plan

        emit(of_plan(found))
        return
    from convolved.cli.plans import facts, table
    from convolved.cli.tables import print_facts, print_table

    for step in found.steps:
        print(textwrap.fill(step.problem, shutil.get_terminal_size().columns))
        print_table(table(step))
    print_facts(facts(found, block))


def _plot(
    path: Path,
    kernel: str,
    signal: Signal,
    accuracy: str,
    server: str | None,
    token: str | None,
    *,
    quiet: bool,
) -> None:
    """Draw the crossover before the plan is told."""
    from convolved.cli.crossover import curves
    from convolved.cli.curves import check_path, draw
    from convolved.cli.talk import Talk

    check_path(path)
    talk = Talk(quiet)
    with talk.progress("measuring") as advance:
        found = curves(kernel, signal, accuracy, server, token, advance)
    draw(found, path, f"What a kernel like {Path(kernel).name} takes")
    talk.say("picture", str(path))
