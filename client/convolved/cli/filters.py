"""`convolved filters`: the filters that a server holds."""

from __future__ import annotations

from typing import Annotated

import typer

from convolved.cli.commands import Group, add, paragraphs
from convolved.cli.options import Json, Rate, Server, Token

__all__ = ["filters"]

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="filters/... as list shows it; its first digits do."),
]


def group() -> None:
    """Register, list, show and remove the filters that a server holds.

    A registered filter is named after its content: the same filter has the same name on every
    server, and whoever knows the name can apply it. These commands need a running server.

    [bold]Examples[/bold]

      export CONVOLVED_SERVER=conv:50051
      convolved filters add hall.wav
      convolved apply voice.flac filters/4f1d9c0a wet.wav
    """


def add_(
    kernel: Annotated[
        str,
        typer.Argument(metavar="KERNEL", help="An impulse response: .wav, .flac, .ogg or .npy."),
    ],
    channels: Annotated[
        int | None,
        typer.Option(
            "--channels",
            metavar="N",
            help="Channels of the signals that it is for: a stereo response is for stereo, with 1 "
            "it spreads mono to stereo. By default what it is most likely made for.",
            show_default=False,
        ),
    ] = None,
    rate: Rate = None,
    json_: Json = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Register an impulse response and print its name.

    It is for signals of its own sample rate; others are refused.

    [bold]Examples[/bold]

      convolved filters add hall.wav --server conv:50051
      convolved filters add hall.wav --channels 1
    """
    from convolved.cli import registering, reports

    info = registering.register(kernel, channels, rate, server, token)
    if json_:
        reports.emit(reports.of_filter(info))
    else:
        print(info.name)


def list_(json_: Json = False, server: Server = None, token: Token = None) -> None:
    """List the filters that the server holds for you.

    [bold]Example[/bold]

      convolved filters list --server conv:50051
    """
    from convolved.cli import registering, reports

    held = registering.listed(server, token)
    if json_:
        reports.emit({"filters": [reports.of_filter(info) for info in held]})
    elif held:
        registering.print_list(held)
    else:
        typer.echo("the server holds no filters", err=True)


def show(name: Name, json_: Json = False, server: Server = None, token: Token = None) -> None:
    """Describe one filter. Its weights never come back.

    [bold]Example[/bold]

      convolved filters show 4f1d9c0a --server conv:50051
    """
    from convolved.cli import registering, reports

    info = registering.described(name, server, token)
    if json_:
        reports.emit(reports.of_filter(info))
    else:
        registering.print_one(info)


def rm(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="filters/... as list shows them, or first digits."),
    ],
    json_: Json = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Remove filters. Calls and streams that already use them go on to their end.

    [bold]Example[/bold]

      convolved filters rm 4f1d9c0a 9b2e --server conv:50051
    """
    from convolved.cli import registering, reports

    removed = registering.remove(names, server, token)
    if json_:
        reports.emit({"removed": removed})
        return
    for name in removed:
        typer.echo(f"removed {name}", err=True)


filters: typer.Typer = typer.Typer(name="filters", cls=Group, help=paragraphs(group))
add(filters, add_, name="add")
add(filters, list_, name="list")
add(filters, show)
add(filters, rm)
