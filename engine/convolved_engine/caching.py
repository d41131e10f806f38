"""The user's cache folder: what was once measured, for the processes to come.

`CONVOLVED_CACHE` names the folder; else it is where the platform keeps caches. All of it can be
deleted at any time, and where nothing can be written nothing is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
import tempfile
from functools import cache
from pathlib import Path

__all__ = ["folder", "processor", "processor_digest", "read", "write"]

SETTING = "CONVOLVED_CACHE"


def folder() -> Path:
    """`CONVOLVED_CACHE`, else `convolved` in XDG_CACHE_HOME or the platform's place for caches."""
    if named := os.environ.get(SETTING):
        return Path(named).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(base) / "convolved" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "convolved"
    # The specification wants relative paths to be ignored.
    given = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return (given if given.is_absolute() else Path("~/.cache").expanduser()) / "convolved"


def read(name: str) -> str | None:
    """The text of a file of the folder; None where there is none that can be read."""
    try:
        return (folder() / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, RuntimeError):
        return None


def write(name: str, text: str) -> Path | None:
    """Put a file into the folder, whole or not at all; None where that cannot be.

    Other processes see the old text or the new one, never a part.
    """
    with contextlib.suppress(OSError, RuntimeError):
        path = folder() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        number, part = tempfile.mkstemp(dir=path.parent, prefix=f".{name}.")
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink()
            raise
        return path
    return None


@cache
def processor() -> str:
    """The processor by name, as far as the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@cache
def processor_digest() -> str:
    """Eight digits that tell one kind of processor from another: a home may serve many machines."""
    return hashlib.sha256(processor().encode()).hexdigest()[:8]
