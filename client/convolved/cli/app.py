"""The commands together: `convolved` and what it can do."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from convolved.cli.apply import apply
from convolved.cli.calibrate import calibrate
from convolved.cli.commands import Commands, add, paragraphs
from convolved.cli.exits import MEANINGS, ExitCode
from convolved.cli.filters import filters
from convolved.cli.health import health
from convolved.cli.info import info
from convolved.cli.plan import plan
from convolved.cli.serve import Serve, serve
from convolved.cli.signals import end_by_exception
from convolved.cli.stream import stream

__all__ = ["app", "run"]

EPILOG = "[bold]Exit codes[/bold]\n\n" + "\n".join(
    f"  {code.value:>3}  {meaning}" for code, meaning in MEANINGS.items()
)


def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error comes from; at any place.")
    ] = False,
) -> None:
    """Convolve recordings, and serve convolutions over gRPC.

    Commands that compute start a server of their own, unless --server names a running one. What is
    data goes to standard output, everything else to standard error.

    [bold]Examples[/bold]

      convolved apply voice.flac hall.wav wet.wav
      convolved serve --listen 0.0.0.0:50051
      convolved COMMAND --help
    """
    del debug  # taken out by `Commands.main`, and here for the help
    if version:
        from importlib.metadata import version as version_of

        print(f"convolved {version_of('convolved')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        context.get_help()
        raise typer.Exit(ExitCode.BAD_INPUT)


app: typer.Typer = typer.Typer(
    name="convolved",
    cls=Commands,
    rich_markup_mode="rich",
    help=paragraphs(root),
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback(invoke_without_command=True, help=paragraphs(root))(root)
add(app, serve, cls=Serve)
add(app, apply)
add(app, stream)
add(app, plan)
app.add_typer(filters)
add(app, calibrate)
add(app, info)
add(app, health)


def run() -> NoReturn:
    """Run the command line of this process, and end it."""
    end_by_exception()
    typer.main.get_command(app).main(prog_name="convolved")
    raise AssertionError("the command line ends by itself")
