"""The real program, as a user runs it: an embedded server, signals, pipes, terminals, memory."""

from __future__ import annotations

import os
import pty
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import fftconvolve

from convolved import audio, cli
from convolved.cli.talk import Talk
from tests.client.cli.run import PROGRAM, environment, noise, program, samples_of, wav

DATA = Path(__file__).resolve().parents[3] / "examples" / "data"
VOICE, HALL = DATA / "voice.flac", DATA / "hall.wav"


def processor_seconds() -> float:
    """The time of all processors that programs have taken that have ended, with their servers."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def test_a_voice_goes_through_a_hall_and_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    wet = tmp_path / "wet.wav"
    seconds = []
    for _ in range(2):
        begun = processor_seconds()
        ended = program("apply", VOICE, HALL, wet, env={"TMPDIR": str(tmp_path / "t")})
        seconds.append(processor_seconds() - begun)
        assert ended.code == 0, ended.err
    voice, hall = samples_of(VOICE)[0], samples_of(HALL)
    expected = np.stack([fftconvolve(voice.astype(float), h) for h in hall])
    np.testing.assert_allclose(samples_of(wet), expected, atol=1e-6)
    assert soundfile.info(wet).subtype == "FLOAT"
    assert "server    an embedded one, ready after " in ended.err
    # The first may have compiled kernels; a quiet machine takes half of it by the clock.
    assert min(seconds) < 10
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["wet.wav"]
    assert list((tmp_path / "t").iterdir()) == []


def test_plan_and_info_embed_a_server_too() -> None:
    ended = program("plan", HALL, "--json")
    assert ended.code == 0, ended.err
    assert ended.report["steps"]


def long_signal(path: Path, frames: int) -> Path:
    """A file of silence that takes its time but no room on the disk."""
    np.lib.format.open_memmap(path, "w+", np.float32, (1, frames)).flush()
    return path


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_stops_it_finds_no_half_a_file(
    tmp_path: Path, address: str, number: int, code: int
) -> None:
    long = long_signal(tmp_path / "long.npy", 40_000_000)
    np.save(tmp_path / "h.npy", noise(3000))
    (tmp_path / "wet.npy").write_text("as it was before")
    process = subprocess.Popen(
        [PROGRAM, "apply", long, tmp_path / "h.npy", tmp_path / "wet.npy", "--server", address],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(tmp_path.glob(".wet.npy.*")):
        assert process.poll() is None
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    if number == signal.SIGINT:
        assert err.endswith("convolved: interrupted\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h.npy", "long.npy", "wet.npy"]
    assert (tmp_path / "wet.npy").read_text() == "as it was before"


def test_a_long_file_is_never_held_whole(tmp_path: Path, address: str) -> None:
    frames = 25_000_000
    block = noise(1, 1_000_000)
    with audio.Writer(tmp_path / "long.wav", 1, 48_000, "PCM_16") as writer:
        for _ in range(frames // block.shape[1]):
            writer.write(block)
    wav(tmp_path / "ir.wav", np.eye(1, 64, dtype=np.float32) * 0.5, 48_000)
    files = [str(tmp_path / name) for name in ("long.wav", "ir.wav", "wet.wav")]
    code = (
        f"import sys; sys.argv = ['convolved', 'apply', *{files}, '--server', {address!r}]\n"
        "from convolved.cli import main\n"
        "try: main()\n"
        "finally: print(open('/proc/self/status').read())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert soundfile.info(files[2]).frames == frames + 63
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", done.stdout)
    # The signal and the result alone are 100 MB each in float32.
    assert int(peak) * 1024 < 180e6


def test_on_a_terminal_there_is_a_bar(tmp_path: Path, address: str) -> None:
    long = long_signal(tmp_path / "long.npy", 4_000_000)
    np.save(tmp_path / "h.npy", noise(300))
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, "apply", long, tmp_path / "h.npy", tmp_path / "wet.npy", "--server", address],
        env=environment(TERM="xterm"),
        stderr=terminal,
    )
    os.close(terminal)
    seen = b""
    while True:
        try:
            some = os.read(controller, 65_536)
        except OSError:  # how Linux says that nobody holds the terminal any more
            break
        if not some:
            break
        seen += some
    os.close(controller)
    assert process.wait() == 0
    text = seen.decode()
    assert "convolving" in text
    assert "━" in text
    assert re.search(r"\d+%", text)


def test_elsewhere_progress_comes_in_plain_lines_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("convolved.cli.talk.SECONDS_BETWEEN_LINES", 0.0)
    with Talk().progress("convolving") as advance:
        advance(1, 4)
        advance(3, 4)
    assert capsys.readouterr().err.split("\n") == [
        "          convolving: 25%",
        "          convolving: 75%",
        "",
    ]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_early_is_no_reason_to_complain(address: str, unbuffered: str) -> None:
    process = subprocess.Popen(
        [PROGRAM, "info", "--server", address],
        env=environment(PYTHONUNBUFFERED=unbuffered),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err == b""


def test_it_runs_as_a_module_too() -> None:
    command = [sys.executable, "-W", "error", "-m", "convolved.cli", "--version"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.startswith("convolved ")
    assert done.stderr == ""


def test_a_light_installation_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda _: None)
    assert cli.main() == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "convolved: the command convolved needs a part that is not installed: "
        "pip install 'convolved[cli]'\n"
    )


def test_health_starts_without_what_only_other_commands_need() -> None:
    heavy = ("matplotlib", "rich", "scipy", "soundfile", "soxr", "convolved_server", "structlog")
    code = (
        "import sys; sys.argv = ['convolved', 'health', '--server', 'unix:/none', '--json']\n"
        "from convolved.cli import main\n"
        "try: main()\n"
        f"finally: print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "[]"
