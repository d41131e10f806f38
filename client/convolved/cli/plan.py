"""`convolved plan`: how a convolution would be computed, and why so."""

from __future__ import annotations

from typing import Annotated

import typer

from convolved.cli.options import Accuracy, Algorithm, Json, Rate, Server, Token

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
    rate: Rate = None,
    json_: Json = False,
    accuracy: Accuracy = "fast",
    algorithm: Algorithm = "auto",
    server: Server = None,
    token: Token = None,
) -> None:
    """Say how a signal would be convolved, by which algorithm and why.

    Every candidate is listed, the chosen one first, with its predicted time on the machine of the
    server, the memory it takes beside input and output, the bound on its error (relative to the
    loudest output that could be), and what speaks for or against it. Nothing is computed.

    [bold]Examples[/bold]

      convolved plan hall.wav
      convolved plan hall.wav --channels 1 --block 64
      convolved plan taps.npy --shape 1,480000 --accuracy strict
    """
    from convolved.cli.planning import Signal, ask

    signal = Signal(seconds, channels, shape, dtype, block, rate)
    found = ask(kernel, signal, accuracy, algorithm, server, token)
    if json_:
        from convolved.cli.reports import emit, of_plan

        emit(of_plan(found))
        return
    from convolved.cli.plans import facts, table
    from convolved.cli.tables import print_facts, print_table

    for step in found.steps:
        print(step.problem)
        print_table(table(step))
    print_facts(facts(found, block))
