"""The demo: the first thing that a newcomer sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import fftconvolve

from tests.client.cli.run import environment

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the demo prints, and the folder that it writes to."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    done = subprocess.run(
        [sys.executable, "-W", "error", "examples/demo.py", folder],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout, folder


def test_the_sound_is_the_convolution_that_scipy_computes(shown: tuple[str, Path]) -> None:
    wet, rate = soundfile.read(shown[1] / "wet.wav")
    voice, _ = soundfile.read(ROOT / "examples/data/voice.flac")
    hall, _ = soundfile.read(ROOT / "examples/data/hall.wav")
    expected = np.stack([fftconvolve(voice, response) for response in hall.T], axis=1)
    assert rate == 48_000
    assert soundfile.info(shown[1] / "wet.wav").subtype == "FLOAT"
    np.testing.assert_allclose(wet, expected, rtol=0, atol=1e-6)


def test_the_picture_is_there(shown: tuple[str, Path]) -> None:
    assert (shown[1] / "wet.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(shown[1].iterdir())) == 2


def test_it_tells_the_plan_and_why_the_speed_and_where_the_files_are(
    shown: tuple[str, Path],
) -> None:
    text, folder = shown
    for words in ("overlap_save", "direct", "im2col", "why", "100%", "times real time"):
        assert words in text
    assert str(folder / "wet.wav") in text
    assert str(folder / "wet.png") in text
    assert "convolved apply examples/data/voice.flac" in text
