"""What is said when something goes wrong: one line, and an exit code that fits it.

    convolved: ARGUMENT: got ...; want ...

With --json the same stands on standard output as an object, too. Only --debug shows tracebacks.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any

import typer

from convolved.cli.exits import ExitCode, code_of
from convolved_vocabulary.errors import ConvolvedError, InvalidArgument

__all__ = ["explain", "fail"]

# What the product's functions call by one name is called by another on the command line.
NAMES = {
    "accuracy": "--accuracy",
    "algorithm": "--algorithm",
    "block": "--block",
    "channels": "OUT",
    "dtype": "--dtype",
    "normalize": "--normalize",
    "rigor": "--rigor",
    "samples": "OUT",
    "shape": "--shape",
    "subtype": "--subtype",
    "taps": "KERNEL",
    "target": "--server",
    "x": "IN",
}


def fail(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Say what went wrong and return the exit code."""
    if debug:
        traceback.print_exception(error)
    error = _renamed(error)
    code, line = explain(error)
    print(f"convolved: {line}", file=sys.stderr)
    if as_json:
        import json

        print(json.dumps({"error": _described(error, line, code)}))
    return code


def explain(error: BaseException) -> tuple[int, str]:
    """Return the exit code and the one line for an error."""
    if isinstance(error, typer.TyperException):
        return error.exit_code, _usage(error)
    if isinstance(error, ConvolvedError):
        return code_of(error), _one_line(error.message)
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED, "interrupted"
    if isinstance(error, MemoryError):
        return code_of(error), "there is not enough memory on this machine"
    if isinstance(error, OSError) and error.strerror:
        named = f"{error.filename}: " if error.filename else ""
        return ExitCode.FAILED, f"{named}{error.strerror}"
    told = _one_line(f"{type(error).__name__}: {error}")
    return ExitCode.FAILED, f"a fault of this program ({told}); --debug shows where: please report"


def _renamed(error: BaseException) -> BaseException:
    """Return an error in whose words the command line is at fault, where that is so."""
    if isinstance(error, InvalidArgument) and error.argument in NAMES:
        return type(error)(NAMES[error.argument], error.came, error.wanted)
    problem: Any = error.__cause__
    if isinstance(error, typer.BadParameter) and hasattr(problem, "errors"):
        # A value that is none of the option's type; pydantic is what typer asks.
        about, parameter = problem.errors()[0], error.param
        wish = about["msg"].removeprefix("Input should be ").partition(", unable")[0]
        if parameter is not None:
            name = max((*parameter.opts, ""), key=len)
            name = name if name.startswith("-") else parameter.display_name_raw
            return InvalidArgument(name, repr(about["input"]), wish)
    return error


def _usage(error: typer.TyperException) -> str:
    """Return typer's words about the command line in one line, with the way to more of them."""
    message = _one_line(error.format_message()).rstrip(".")
    message = message[:1].lower() + message[1:]
    context: Any = getattr(error, "ctx", None)
    if not context:
        return message
    see = " See" if message.endswith("?") else "; see"
    return f"{message}{see} '{context.command_path} --help'"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _described(error: BaseException, line: str, code: int) -> dict[str, Any]:
    about: dict[str, Any] = {"message": line, "exit_code": int(code)}
    about["reason"] = error.reason if isinstance(error, ConvolvedError) else "USAGE"
    if isinstance(error, InvalidArgument):
        about |= {"argument": error.argument, "came": error.came, "wanted": error.wanted}
    elif not isinstance(error, ConvolvedError | typer.TyperException):
        about["reason"] = "INTERRUPTED" if code == ExitCode.INTERRUPTED else "FAILED"
    return about
