"""Options that several commands share, each defined once."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = [
    "RESULT",
    "Accuracy",
    "Algorithm",
    "Gain",
    "Json",
    "Mix",
    "Rate",
    "Rigor",
    "Server",
    "Token",
]

SERVER = "Server"
COMPUTING = "Computing"
RESULT = "Result"

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="ADDRESS",
        envvar="CONVOLVED_SERVER",
        show_envvar=True,
        help="HOST:PORT or unix:PATH of a running server.",
        rich_help_panel=SERVER,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        envvar="CONVOLVED_TOKEN",
        show_envvar=True,
        help="What the server knows you by; the variable keeps it out of process lists.",
        rich_help_panel=SERVER,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, for machines.")
]
Accuracy = Annotated[
    str,
    typer.Option(
        "--accuracy",
        metavar="fast|strict",
        help="fast: errors are small beside the loudest output that could be. strict: beside each "
        "output's own terms, which rules out FFTs.",
        rich_help_panel=COMPUTING,
    ),
]
Algorithm = Annotated[
    str,
    typer.Option(
        "--algorithm",
        metavar="NAME",
        help="Compute by this one instead of the fastest; convolved info lists them.",
        rich_help_panel=COMPUTING,
    ),
]
Rigor = Annotated[
    str | None,
    typer.Option(
        "--rigor",
        metavar="estimate|measure",
        help="Choose the algorithm by predicted time, or by timing the plausible ones first, which "
        "takes a second or more; by default as the server is set.",
        show_default=False,
        rich_help_panel=COMPUTING,
    ),
]
Rate = Annotated[
    int | None,
    typer.Option(
        "--rate",
        metavar="HERTZ",
        help="Sample rate of .npy files, which carry none.",
        show_default=False,
    ),
]
Mix = Annotated[
    float,
    typer.Option(
        "--mix",
        metavar="0..1",
        help="How much of the result is wet: 0 is the signal alone, 1 the convolution alone.",
        rich_help_panel=RESULT,
    ),
]
Gain = Annotated[
    float,
    typer.Option("--gain", metavar="DECIBELS", help="Gain of the result.", rich_help_panel=RESULT),
]
