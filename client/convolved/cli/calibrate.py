"""`convolved calibrate`: measure the constants by which this machine's computations are planned.

The client's code never imports the engine's: it is loaded by its name, where somebody calibrates.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer

from convolved.cli.options import Json
from convolved_vocabulary.errors import InvalidArgument, MissingExtra

__all__ = ["calibrate"]


def calibrate(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write the constants there, for CONVOLVED_CONSTANTS of all replicas, instead of "
            "to the cache folder of this user.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option("--seconds", metavar="SECONDS", help="For which at most is measured."),
    ] = 25.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure and print, and write nothing.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print the constants in force, and measure nothing.")
    ] = False,
    reset: Annotated[
        bool,
        typer.Option("--reset", help="Forget what was calibrated; what is built in is in force."),
    ] = False,
    json_: Json = False,
) -> None:
    """Measure how fast this machine is, so that the planner predicts times well.

    Constants are built in for each class of CPU; these replace them for this user on this kind of
    processor, from the next start on. Run it where the server runs, and while nothing else does.
    Replicas that are given one file (--out, and CONVOLVED_CONSTANTS or convolved serve
    --constants) choose alike; convolved info tells the identity of the constants in force.

    [bold]Examples[/bold]

      convolved calibrate
      convolved calibrate --show
      convolved calibrate --out constants.toml
    """
    from convolved.cli.calibrating import forget, measure, report, write

    constants = _engine("constants")
    asked = {"--show": show, "--reset": reset, "--dry-run": dry_run, "--out": out is not None}
    first, *others = [name for name, given in asked.items() if given] or [""]
    if others and first in ("--show", "--reset"):
        raise InvalidArgument(first, f"{' and '.join(others)} beside it", f"{first} alone")
    if show:
        found, deviations = constants.in_force(), None
        path = found.path
    elif reset:
        forget(constants)
        found, path, deviations = constants.in_force(), None, None
    else:
        found, deviations = measure(_engine("calibration"), constants, seconds, quiet=json_)
        path = None if dry_run else write(constants, found, out)
    report(constants, found, path, deviations, as_json=json_)


def _engine(module: str) -> Any:
    """A module of the engine.

    Raises:
        MissingExtra: the engine is not installed.
    """
    try:
        return importlib.import_module(f"convolved_engine.{module}")
    except ImportError as error:
        raise MissingExtra("convolved calibrate", "engine") from error
