"""`convolved serve`: the server in this process, its flags made from its settings.

The client's code never imports the server's: it is loaded by its name, where somebody serves.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from convolved.cli.commands import Command
from convolved.cli.options import Json
from convolved_vocabulary.errors import InvalidArgument, MissingExtra

__all__ = ["Serve", "serve"]

SERVING = "serving on "
SWITCHES = "Switches"
_METAVARS = {
    "config": "FILE",
    "constants": "FILE",
    "log_format": "FORMAT",
    "log_level": "LEVEL",
    "rigor": "estimate|measure",
}
PANELS: dict[str, tuple[str, ...]] = {
    "Limits": ("threads", "_bytes", "_layers", "streams", "queue_"),
    "Times": ("_seconds",),
    "Logs": ("log_",),
}


def serve() -> None:
    """Serve convolutions over gRPC until SIGTERM or Ctrl-C.

    Prints one line, serving on ADDRESS, as soon as health is SERVING; logs go to standard error.
    On SIGTERM it says NOT_SERVING, takes nothing new, lets calls in flight end within the grace,
    and ends with 0; a second signal ends them at once.

    Each flag may also stand in the environment (--grace-seconds as CONVOLVED_GRACE_SECONDS) or in
    the file of --config (grace_seconds = 25). Sizes may be written as 256MiB.

    [bold]Examples[/bold]

      convolved serve
      convolved serve --listen 0.0.0.0:50051 --threads 8
      convolved serve --listen unix:/run/convolved.sock --log-format json
      convolved serve --listen 127.0.0.1:0 --json
    """
    raise AssertionError("`Serve` puts another function in the place of this one")


class Serve(Command):
    """The command; its flags are made when they are needed, for settings take time to load."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return a flag for every setting of the server.

        Raises:
            MissingExtra: the server is not installed.
        """
        if not self.params:
            app = typer.Typer(add_completion=False)
            app.command()(_with_flags())
            made = typer.main.get_command(app)
            self.params.extend(made.params)
            self.callback: Callable[..., Any] | None = made.callback
        return super().get_params(ctx)


def _serve(**settings: Any) -> None:
    as_json = settings.pop("json_")
    # A stop while everything is still being loaded is as orderly as any later one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    run = importlib.import_module("convolved_server.main").run
    load = importlib.import_module("convolved_server.settings").load
    polling = importlib.import_module("convolved_server.polling")
    try:
        loaded = load(settings)
        if polling.poll_directly():
            # The client has long imported gRPC, which asks the environment only then.
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
        with _announced_as_json() if as_json else contextlib.nullcontext():
            code = run(loaded)
    except InvalidArgument as error:
        if error.argument != "listen":
            raise
        raise InvalidArgument("--listen", error.came, error.wanted) from None
    raise typer.Exit(code)


def _with_flags() -> Callable[..., None]:
    """Return a function with a parameter for every setting of the server."""
    try:
        found = importlib.import_module("convolved_server.settings")
    except ImportError as error:
        raise MissingExtra("convolved serve", "server") from error
    parameters = [
        _parameter(name, field, found.flag_of(name))
        for name, field in found.Settings.model_fields.items()
    ]
    parameters.append(_keyword("json_", Json, False))

    def command(**settings: Any) -> None:
        _serve(**settings)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer asks for it
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def _parameter(name: str, field: Any, flag: str) -> inspect.Parameter:
    is_bool = field.annotation is bool
    panels = [panel for panel, parts in PANELS.items() if any(part in name for part in parts)]
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if is_bool and field.default else flag,
        help=_sentence(field.description) + _default(field.default),
        metavar=None if is_bool else _metavar(name),
        show_default=False,
        rich_help_panel=SWITCHES if is_bool else next(iter(panels), None),
    )
    return _keyword(name, Annotated[bool | None if is_bool else str | None, option], None)


def _keyword(name: str, annotation: Any, default: object) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _sentence(text: str) -> str:
    # A word that is explained stays as it is written.
    first = text if text.split()[0].endswith(":") else text[:1].upper() + text[1:]
    return f"{first}."


def _metavar(name: str) -> str:
    for ending, metavar in (("_bytes", "SIZE"), ("_seconds", "SECONDS"), ("listen", "ADDRESS")):
        if name.endswith(ending):
            return metavar
    return _METAVARS.get(name, "N")


def _default(value: Any) -> str:
    if value is None or value is False:
        return ""
    readable: Callable[[], str] | None = getattr(value, "human_readable", None)
    if value is True:
        said = "on"
    elif readable is not None:
        said = readable()
    else:
        said = f"{value:g}" if isinstance(value, float) else str(value)
    return rf" \[default: {said}]"


@contextlib.contextmanager
def _announced_as_json() -> Iterator[None]:
    """Say in JSON what the server says in one line."""

    class Announced(io.TextIOBase):
        def write(self, text: str) -> int:
            if text.startswith(SERVING):
                said = {"serving": text.removeprefix(SERVING).strip()}
                print(json.dumps(said), file=out, flush=True)
            return len(text)

    out = sys.stdout
    with contextlib.redirect_stdout(Announced()):
        yield
