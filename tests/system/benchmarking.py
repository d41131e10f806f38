"""Running the benchmarks as a reader does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["benchmarks"]

_ROOT = Path(__file__).resolve().parents[2]


def benchmarks(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m benchmarks`, whose times a tracer of coverage would spoil and prolong."""
    untraced = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
    }
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        cwd=_ROOT,
        env={**untraced, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
