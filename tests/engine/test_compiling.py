"""Kernels are compiled once, not once for each process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_KERNELS = """
from convolved_engine.kernels.compile import kernel

def outer(step):
    @kernel
    def inner(x):
        return x + step

    @kernel
    def around(x):
        return inner(x) * 2

    return around

for step in (1, 5):
    found = outer(step)
    print(found(3), sum(found.stats.cache_hits.values()))
"""


def test_a_kernel_that_holds_another_is_found_again_by_the_next_process(tmp_path: Path) -> None:
    script = tmp_path / "kernels.py"
    script.write_text(_KERNELS, encoding="utf-8")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run() -> list[str]:
        command = [sys.executable, str(script)]
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return found.stdout.splitlines()

    assert run() == ["8 0", "16 0"]
    assert run() == ["8 1", "16 1"]
