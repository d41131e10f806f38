"""The programs in examples/ do what they say, run as a reader would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy.signal import fftconvolve

from convolved import audio

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DATA = EXAMPLES / "data"

# What python-sounddevice offers of itself to the example, without a device.
SOUNDDEVICE = """
import numpy as np

class Stream:
    def __init__(self, *, device, samplerate, blocksize, dtype, channels, latency, callback):
        assert (device, dtype, channels) == ((None, "Loud"), "float32", (1, 2)), device
        self.blocksize, self.callback, self.active = blocksize, callback, True

    def __enter__(self):
        outdata = np.full((self.blocksize, 2), np.nan, np.float32)
        indata = np.ones((self.blocksize, 1), np.float32)
        self.callback(indata, outdata, self.blocksize, None, "late")
        assert np.isfinite(outdata).all() and outdata.any()
        self.active = False
        return self

    def __exit__(self, *_):
        pass

def query_devices():
    return "0 Loud"
"""


def example(
    name: str, *arguments: object, folder: Path, code: int = 0, path: str = ""
) -> tuple[str, str]:
    """What a program says on standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def test_a_recording_in_the_place_of_the_microphone_is_heard_in_the_hall(tmp_path: Path) -> None:
    voice = audio.read(DATA / "voice.flac").samples[:, 48_000:72_000]
    audio.write(tmp_path / "voice.wav", voice, 48_000)
    files = ["--file", tmp_path / "voice.wav", "--out", tmp_path / "wet.wav"]
    out, err = example("microphone.py", *files, folder=tmp_path)
    assert err == ""
    assert re.search(r"\n94 blocks of 5\.3 ms: answered in [\d.]+ ms, 99 of 100 within", out)
    wet = audio.read(tmp_path / "wet.wav").samples
    hall = audio.read(DATA / "hall.wav").samples
    expected = np.stack([fftconvolve(voice[0], response)[:24_000] for response in hall])
    np.testing.assert_allclose(wet, expected, atol=1e-6)


def test_devices_are_used_as_python_sounddevice_asks(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text(SOUNDDEVICE)
    out, err = example("microphone.py", "-o", "Loud", folder=tmp_path, path=str(tmp_path))
    assert err == "late\n"
    assert "1 blocks" in out
    out, _ = example("microphone.py", "--list-devices", folder=tmp_path, path=str(tmp_path))
    assert out == "0 Loud\n"


def test_without_python_sounddevice_it_says_what_would_do(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    _, err = example("microphone.py", "-l", folder=tmp_path, path=str(tmp_path), code=1)
    assert err.startswith("PortAudio library not found: pip install sounddevice, or give")


def test_every_pulse_that_is_hidden_in_the_sensor_is_found_and_nothing_else(
    tmp_path: Path,
) -> None:
    out, err = example("live_time_series.py", folder=tmp_path)
    assert err == ""
    lines = [line.split() for line in out.splitlines() if "amplitude" in line]
    found = {round(1000 * float(words[0])): float(words[-1]) for words in lines}
    assert found.keys() == {2_345, 7_000, 7_400, 15_821}
    for (_, amplitude), wanted in zip(sorted(found.items()), (1.0, 0.8, 1.5, 0.7), strict=True):
        assert abs(amplitude - wanted) < 0.25
    assert out.splitlines()[-1].startswith("20000 readings in ")
    assert out.endswith(" blocks, 4 pulses\n")
