"""The client is light: quick to import, and without what only a server needs."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import json, sys, time
begin = time.process_time()
import convolved
seconds = time.process_time() - begin
print(json.dumps([seconds, sorted({name.partition(".")[0] for name in sys.modules})]))
"""
HEAVY = {
    "convolved_engine",
    "convolved_server",
    "matplotlib",
    "numba",
    "pydantic",
    "pyfftw",
    "rich",
    "scipy",
    "soundfile",
    "soxr",
    "structlog",
    "typer",
}


def imported() -> tuple[float, set[str]]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE], capture_output=True, text=True, check=True
    )
    seconds, modules = json.loads(done.stdout)
    return seconds, set(modules)


def test_importing_takes_less_than_half_a_second_and_nothing_heavy() -> None:
    # A machine that is busy with other things may take longer now and then.
    for _ in range(3):
        seconds, modules = imported()
        assert not modules & HEAVY
        if seconds < 0.5:
            return
    raise AssertionError(f"importing took {seconds} s, three times over 0.5")
