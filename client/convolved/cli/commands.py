"""How commands look and how they end: typer's, with help that reads well."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from convolved.cli.exits import ExitCode
from convolved.cli.failures import fail

__all__ = ["Command", "Commands", "add", "paragraphs"]


class Command(TyperCommand):
    """A command."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, flags without the type that typer would show."""
        return _plain(super().get_params(ctx))


class Group(TyperGroup):
    """Commands that belong together."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, flags without the type that typer would show."""
        return _plain(super().get_params(ctx))


class Commands(Group):
    """All commands; whatever they raise ends in one line and an exit code."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """Run a command line and exit."""
        given = list(sys.argv[1:] if args is None else args)
        own = given[: given.index("--")] if "--" in given else given
        debug, as_json = "--debug" in own, "--json" in own
        # Whoever is told to add --debug adds it at the end.
        kept = [word for word in own if word != "--debug"] + given[len(own) :]
        options["standalone_mode"] = False
        try:
            code = super().main(kept, *rest, **options)
            sys.stdout.flush()
        except BrokenPipeError:
            code = _reader_left()
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the last one to tell
            code = fail(error, as_json=as_json, debug=debug)
        else:
            # typer itself catches Ctrl-C and says nothing.
            if code == ExitCode.INTERRUPTED:
                fail(KeyboardInterrupt(), as_json=as_json, debug=False)
        sys.exit(code if isinstance(code, int) else ExitCode.DONE)


def add(
    app: typer.Typer,
    function: Callable[..., None],
    name: str | None = None,
    cls: type[Command] = Command,
) -> None:
    """Make a function a command; its docstring is the help."""
    app.command(name, cls=cls, help=paragraphs(function))(function)


def paragraphs(function: Callable[..., Any]) -> str:
    r"""Return a docstring with the lines of each paragraph joined, indented ones left alone.

    >>> def f():
    ...     '''Do it
    ...     well.
    ...
    ...       convolved do it
    ...     '''
    >>> paragraphs(f)
    'Do it well.\n\n[dim][/dim]  convolved do it'
    """
    blocks = (inspect.getdoc(function) or "").split("\n\n")
    return "\n\n".join(
        _indented(block) if block.startswith(" ") else " ".join(block.split("\n"))
        for block in blocks
    )


def _indented(block: str) -> str:
    # typer takes the margin away that lines have in common, unless they begin with markup.
    return "\n".join(f"[dim][/dim]{line}" for line in block.split("\n"))


def _plain(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


def _reader_left() -> int:
    """Keep Python from complaining once more when it flushes what nobody reads."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.FAILED
