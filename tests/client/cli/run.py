"""Running the command line: within this process by typer's runner, or as the real program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typer.testing import CliRunner

from convolved import audio
from convolved.cli.app import app

PROGRAM = Path(sys.executable).with_name("convolved")
RATE = 8000


@dataclass(frozen=True)
class Ended:
    """What a run said and ended with."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The one object on standard output."""
        [line] = self.out.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found


def convolved(*arguments: object, env: dict[str, str] | None = None) -> Ended:
    """Run a command line in this process, by default without a server named."""
    given = {"CONVOLVED_SERVER": None, "CONVOLVED_TOKEN": None, "COLUMNS": "80", **(env or {})}
    runner = CliRunner(env=given)
    result = runner.invoke(app, [str(word) for word in arguments], prog_name="convolved")
    return Ended(result.exit_code, result.stdout, result.stderr)


def environment(**more: str) -> dict[str, str]:
    """The environment of a program, without settings of whoever runs the tests."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CONVOLVED_")}
    return {**own, "COLUMNS": "80", "CONVOLVED_WARM_UP_SECONDS": "0", **more}


def program(*arguments: object, env: dict[str, str] | None = None) -> Ended:
    """Run the real program."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        env=environment(**(env or {})),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def noise(*shape: int, seed: int = 1, scale: float = 0.1) -> NDArray[np.float32]:
    """Samples well below full scale."""
    found = np.random.default_rng(seed).normal(scale=scale, size=shape)
    return np.clip(found, -0.9, 0.9).astype(np.float32)


def wav(path: Path, samples: NDArray[np.float32], rate: int = RATE) -> Path:
    """Write samples (channels, n) to a float32 file, and return its path."""
    audio.write(path, samples, rate)
    return path


def samples_of(path: Path) -> NDArray[np.floating[Any]]:
    """The samples of a file, (channels, n)."""
    found: NDArray[np.floating[Any]] = audio.read(path).samples
    return found
