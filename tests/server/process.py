"""A server as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "convolved_server")
PROGRAM = (str(Path(sys.executable).with_name("convolved")), "serve")


@contextmanager
def process(
    *flags: str, command: Sequence[str] = COMMAND, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    found = subprocess.Popen(
        [*command, *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    try:
        yield found
    finally:
        found.kill()
        found.wait()
        for pipe in (found.stdin, found.stdout, found.stderr):
            if pipe is not None:
                pipe.close()


def serving_on(found: subprocess.Popen[str]) -> str:
    assert found.stdout is not None
    line = found.stdout.readline()
    assert line.startswith("serving on "), line
    return line.removeprefix("serving on ").rstrip("\n")


def processor_seconds(found: subprocess.Popen[str]) -> float:
    """The time that a process has computed."""
    fields = Path(f"/proc/{found.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(found: subprocess.Popen[str]) -> int:
    """The memory that a process holds now."""
    status = Path(f"/proc/{found.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024
