"""The machine and the software that a figure belongs to, and who else used it meanwhile."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.metadata
import os
import platform
import resource
import subprocess
import time
from pathlib import Path
from typing import Any

__all__ = ["OtherLoad", "describe"]

_PACKAGES = (
    "convolved",
    "grpcio",
    "julius",
    "numba",
    "numpy",
    "pedalboard",
    "protobuf",
    "pyarrow",
    "pyfftw",
    "scipy",
    "torch",
)
_VECTORS = ("avx512f", "avx2", "avx", "asimd")


def describe() -> dict[str, Any]:
    """Return processor, memory, system, versions, state of the sources and date."""
    processor = _processor()
    return {
        "processor": processor.get("model name", platform.processor() or platform.machine()),
        "family": f"family {processor['cpu family']}" if "cpu family" in processor else "",
        "vectors": _vectors(processor.get("flags", processor.get("Features", ""))),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(
            os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30), 1
        ),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": _versions(),
        "revision": _revision(),
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"),
    }


class OtherLoad:
    """Cores that other processes used, between its making and its reading.

    Child processes count as ours once they have ended and been waited for: read it after that.
    """

    def __init__(self) -> None:
        self._begun = (time.monotonic(), _busy(), _own())

    def read(self) -> float:
        """Cores in use by others, on average; 0.0 where the system does not tell."""
        begun, busy, own = self._begun
        others = (_busy() - busy) - (_own() - own)
        return max(0.0, others / max(time.monotonic() - begun, 1e-3))


def _processor() -> dict[str, str]:
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
        lines = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
        return {key.strip(): value.strip() for key, _, value in lines}
    return {}


def _vectors(flags: str) -> str:
    return next((name for name in _VECTORS if name in flags.split()), "")


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _revision() -> str:
    """The commit of the sources, with a plus where they differ from it."""
    root = Path(__file__).resolve().parents[1]
    try:
        commit = _git(root, "rev-parse", "--short=10", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{commit}+" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    found = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, check=True, text=True
    )
    return found.stdout.strip()


def _busy() -> float:
    """Seconds in which cores of the machine were busy, or taken away by its host."""
    with contextlib.suppress(OSError, ValueError):
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _own() -> float:
    parts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in parts)
