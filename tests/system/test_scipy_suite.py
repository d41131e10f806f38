"""SciPy's own tests of its convolutions pass with ours in their place."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.scipy_in_place import LEFT_OUT, TESTS

ROOT = Path(__file__).parents[2]


def run(folder: Path, marks: str) -> str:
    """The last lines of what pytest says about SciPy's tests."""
    settings = folder / "settings.ini"
    settings.write_text("[pytest]\n", encoding="ascii")
    command = [sys.executable, "-m", "pytest", "--pyargs", TESTS, "-m", marks, "-q"]
    command += ["-c", str(settings), "-p", "tests.system.scipy_in_place", "-p", "no:cacheprovider"]
    # SciPy registers its marks too late for its own use of them.
    command += ["-p", "no:asyncio", "-W", "error", "-W", "ignore::pytest.PytestUnknownMarkWarning"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


def passed(line: str) -> int:
    found = re.search(r"(\d+) passed", line)
    return int(found[1]) if found else 0


def test_scipys_tests_pass_with_ours_in_their_place(tmp_path: Path) -> None:
    line = run(tmp_path, "not slow")
    assert passed(line) > 1300, line
    assert "failed" not in line


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_scipys_slow_tests_pass_with_ours_in_their_place(tmp_path: Path) -> None:
    line = run(tmp_path, "slow")
    assert passed(line) > 5000, line


def test_what_is_left_out_has_a_reason() -> None:
    assert all(LEFT_OUT.values())
    assert len(LEFT_OUT) <= 12
