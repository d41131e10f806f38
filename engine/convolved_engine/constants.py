"""The constants of a Machine as a file that people can read, and which of them are in force.

In this order: the file that `CONVOLVED_CONSTANTS` names, or what is built in where it says
"builtin"; what `convolved calibrate` left in the user's cache folder for this processor; what is
built in for its class. Replicas that are given one file choose alike, whatever they run on; the
identity tells whether two have the same.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from convolved_vocabulary.errors import InvalidArgument

from . import caching
from .machine import Machine, built_in

__all__ = ["BUILT_IN", "Constants", "as_text", "file_name", "from_text", "in_force"]

SETTING = "CONVOLVED_CONSTANTS"
BUILT_IN = "builtin"

_FORMAT = 1
# Not constants of the cost models: what they are called, and a setting of its own.
_APART = ("name", "threads")
_COUNTS = ("vector_bytes", "vector_registers", "cache_bytes")
_VECTORS = (16, 32, 64)


@dataclass(frozen=True)
class Constants:
    """Constants, and where they come from.

    Attributes:
        machine: the constants.
        origin: "built in", "calibrated" or "as set".
        path: of the file that holds them; None where they are built in.
    """

    machine: Machine
    origin: str
    path: Path | None = None

    @property
    def identity(self) -> str:
        """Eight digits, the same wherever the constants are the same.

        >>> Constants(built_in(), "built in").identity == Constants(built_in(), "as set").identity
        True
        """
        said = (f"{name}={getattr(self.machine, name)!r}" for name in _names())
        return hashlib.sha256("\n".join(said).encode()).hexdigest()[:8]

    def __str__(self) -> str:
        return f"constants {self.identity}, {self.origin}"


@cache
def in_force() -> Constants:
    """The constants by which this process plans, found once.

    Raises:
        InvalidArgument: `CONVOLVED_CONSTANTS` names no file with constants.
    """
    named = os.environ.get(SETTING)
    if named and named != BUILT_IN:
        path = Path(named).expanduser()
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            wanted = f"a file that `convolved calibrate` wrote, or {BUILT_IN!r}"
            raise InvalidArgument(SETTING, f"{named} ({error})", wanted) from error
        return Constants(from_text(text, SETTING), "as set", path)
    text_kept = None if named else caching.read(file_name())
    if text_kept is not None:
        try:
            found = from_text(text_kept)
            return Constants(found, "calibrated", caching.folder() / file_name())
        except InvalidArgument:
            pass  # from another release; nobody named it
    return Constants(built_in(), "built in")


def file_name() -> str:
    """The file in the cache folder for this processor."""
    return f"constants-{caching.processor_digest()}.toml"


def as_text(machine: Machine, *comments: str) -> str:
    """Constants as TOML, with what each of them means.

    >>> from_text(as_text(built_in())) == built_in()
    True
    """
    lines = [*(f"# {comment}" for comment in comments), f"format = {_FORMAT}"]
    lines.append(f"name = {json.dumps(machine.name)}")
    meanings = _meanings()
    for name in _names():
        value = getattr(machine, name)
        shown = str(value) if name in _COUNTS else f"{value:.4g}"
        lines += ["", f"# {meanings.get(name, name)}", f"{name} = {shown}"]
    return "\n".join(lines) + "\n"


def from_text(text: str, argument: str = "constants") -> Machine:
    """The constants of a text that `as_text` made.

    Args:
        text: TOML.
        argument: what errors call it.

    Raises:
        InvalidArgument: it is something else, or lacks a constant.
    """
    try:
        found: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgument(argument, f"no TOML ({error})", "a file of constants") from error
    if found.pop("format", None) != _FORMAT:
        raise InvalidArgument(argument, "another format", f"a file with format = {_FORMAT}")
    name = str(found.pop("name", "unnamed"))
    if found.keys() != set(_names()):
        odd = ", ".join(sorted(found.keys() ^ set(_names())))
        raise InvalidArgument(argument, f"{odd} missing or unknown", "exactly the constants")
    for key, value in found.items():
        kind: tuple[type, ...] = (int,) if key in _COUNTS else (int, float)
        good = isinstance(value, kind) and not isinstance(value, bool)
        if not good or not math.isfinite(value) or value <= 0:
            raise InvalidArgument(argument, f"{key} = {value!r}", "a number above 0")
        found[key] = value if key in _COUNTS else float(value)
    if found["vector_bytes"] not in _VECTORS:
        raise InvalidArgument(argument, f"vector_bytes = {found['vector_bytes']}", "16, 32 or 64")
    return dataclasses.replace(built_in(), name=name, **found)


def _names() -> list[str]:
    return [field.name for field in dataclasses.fields(Machine) if field.name not in _APART]


def _meanings() -> dict[str, str]:
    """What each constant is, from the documentation of the class."""
    found: dict[str, str] = {}
    last = ""
    for line in (Machine.__doc__ or "").partition("Attributes:")[2].splitlines():
        name, colon, meaning = line.strip().partition(": ")
        if colon and " " not in name:
            last = name
            found[name] = meaning
        elif last:
            found[last] = f"{found[last]} {line.strip()}".strip()
    return found
