"""`convolved stream` between two pipes: block by block, to the bit, and to an orderly end."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from convolved import Client, audio
from convolved.audio.raw import raw_format
from tests.client.cli.run import PROGRAM, RATE, convolved, environment, noise, wav

F32 = raw_format("f32")


@contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """The program between two pipes."""
    process = subprocess.Popen(
        [PROGRAM, "stream", *map(str, arguments)],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def streamed(data: bytes, *arguments: object, code: int = 0) -> tuple[bytes, str]:
    """What comes out for what goes in, and what is said."""
    with running(*arguments) as process:
        out, err = process.communicate(data, timeout=60)
        assert process.returncode == code, err.decode()
    assert b"Traceback" not in err
    return out, err.decode()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An impulse response that is long enough to be partitioned."""
    return wav(tmp_path_factory.mktemp("kernel") / "ir.wav", noise(2, 5000, scale=0.02))


@pytest.fixture(scope="module")
def click(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An impulse response that changes nothing."""
    return wav(tmp_path_factory.mktemp("click") / "ir.wav", np.ones((1, 1), np.float32))


def at(address: str, channels: int = 2, rate: int = RATE) -> list[object]:
    return ["--server", address, "--rate", rate, "--channels", channels]


def test_what_comes_out_is_what_a_stream_of_the_client_gives_to_the_bit(
    address: str, client: Client, kernel: Path
) -> None:
    signal = noise(2, 3001)
    out, err = streamed(F32.encode(signal), kernel, *at(address), "--block", 128)
    response = audio.read(kernel).samples
    with client.stream(response, channels=2, block=128) as live:
        cuts = np.split(signal, range(128, 3001, 128), axis=-1)
        expected = np.concatenate([*map(live.push, cuts), live.flush()], axis=-1)
    assert out == F32.encode(expected)
    assert "stream    blocks of 128 samples (16 ms)" in err
    assert "result    standard output: 1.0 s, stereo, 8 kHz, f32le, peak " in err


@pytest.mark.parametrize(("channels", "kernel_channels"), [(1, 1), (1, 2), (2, 4)])
def test_it_agrees_with_apply_within_float32(
    tmp_path: Path, address: str, channels: int, kernel_channels: int
) -> None:
    signal = noise(channels, 2000)
    dry = wav(tmp_path / "dry.wav", signal)
    response = wav(tmp_path / "ir.wav", noise(kernel_channels, 3000, seed=3, scale=0.02))
    applied = convolved("apply", dry, response, tmp_path / "wet.wav", "--server", address)
    assert applied.code == 0, applied.err
    out, _ = streamed(F32.encode(signal), response, *at(address, channels))
    wet = audio.read(tmp_path / "wet.wav").samples
    np.testing.assert_allclose(F32.decode(out, len(wet)), wet, rtol=0, atol=4e-6)


def test_where_sums_are_exact_it_gives_the_samples_that_apply_writes(
    tmp_path: Path, address: str
) -> None:
    data = np.random.default_rng(5).integers(-(2**14), 2**14, (700, 2), np.int16)
    dry = tmp_path / "dry.wav"
    audio.write(dry, data.T / np.float32(2**15), RATE, "PCM_16")
    taps = np.array([[0.5, -0.25, 0.125]], np.float32)
    response = wav(tmp_path / "ir.wav", taps)
    wet = tmp_path / "wet.wav"
    applied = convolved("apply", dry, response, wet, "--server", address, "--subtype", "PCM_16")
    assert applied.code == 0, applied.err
    out, _ = streamed(data.tobytes(), response, *at(address), "--format", "s16")
    expected = np.rint(audio.read(wet).samples.T * 2**15).astype(np.int16)
    assert out == expected.tobytes()


@pytest.mark.parametrize("format", ["s16", "s24be", "s32", "f64"])
def test_an_impulse_gives_back_every_bit(address: str, click: Path, format: str) -> None:
    chosen = raw_format(format)
    data = chosen.encode(noise(2, 1000).astype(np.float64))
    assert streamed(data, click, *at(address), "--format", format)[0] == data


def test_one_format_goes_in_and_another_comes_out(address: str, click: Path) -> None:
    s16 = raw_format("s16")
    data = s16.encode(noise(2, 1000))
    out, err = streamed(data, click, *at(address), "--format", "s16", "--to", "f32be")
    assert out == raw_format("f32be").encode(s16.decode(data, 2))
    assert "stereo, 8 kHz, s16le\n" in err
    assert "f32be, peak" in err


def test_a_block_comes_out_before_more_goes_in(address: str, kernel: Path) -> None:
    block = F32.encode(noise(2, 64))
    with running(kernel, *at(address), "--block", 64) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(5):
            process.stdin.write(block)
            got = b""
            while len(got) < len(block):
                assert select.select([process.stdout], [], [], 30)[0]
                got += os.read(process.stdout.fileno(), len(block))
            assert not select.select([process.stdout], [], [], 0.02)[0]


def test_pieces_that_are_no_blocks_and_pipes_that_do_not_wait_change_nothing(
    address: str, kernel: Path
) -> None:
    data = F32.encode(noise(2, 20_000))
    whole, _ = streamed(data, kernel, *at(address))
    ends = [*os.pipe(), *os.pipe()]
    for end in ends:
        os.set_blocking(end, False)
    stdin, writer, reader, stdout = ends
    with subprocess.Popen(
        [PROGRAM, "stream", kernel, *map(str, at(address)), "--quiet"],
        env=environment(),
        stdin=stdin,
        stdout=stdout,
    ) as process:
        os.close(stdin)
        os.close(stdout)
        sent, got = 0, b""
        while True:
            ready = select.select([reader], [writer] if sent < len(data) else [], [], 30)
            assert ready[0] or ready[1]
            if ready[1]:
                sent += os.write(writer, data[sent : sent + 1001])
                if sent == len(data):
                    os.close(writer)
            if ready[0]:
                # Less than a block at a time, so that what comes out has to wait, too.
                piece = os.read(reader, 777)
                if not piece:
                    break
                got += piece
        os.close(reader)
    assert process.returncode == 0
    assert got == whole


def test_nothing_is_taken_that_cannot_be_given_on(address: str, click: Path) -> None:
    with running(click, *at(address)) as process:
        assert process.stdin is not None
        writer = process.stdin.fileno()
        os.set_blocking(writer, False)
        sent, idle = 0, 0.0
        while idle < 1.0:
            if select.select([], [writer], [], 0.1)[1]:
                sent, idle = sent + os.write(writer, bytes(1 << 12)), 0.0
            else:
                # The program takes its time to start.
                idle += 0.1 if sent > (96 << 10) else 0.005
        # Two pipes of 64 KiB, a block in between, and what the kernel rounds up.
        assert sent < 256 << 10


def test_the_tail_can_be_left_out_and_dry_and_wet_be_mixed(address: str, kernel: Path) -> None:
    signal = noise(2, 1000)
    data = F32.encode(signal)
    wet, _ = streamed(data, kernel, *at(address))
    assert len(wet) == 8 * (1000 + 4999)
    assert streamed(data, kernel, *at(address), "--no-tail")[0] == wet[: 8 * 1000]
    padded = np.concatenate([signal, np.zeros((2, 4999), np.float32)], axis=-1)
    dry, _ = streamed(data, kernel, *at(address), "--mix", 0)
    np.testing.assert_array_equal(F32.decode(dry, 2), padded)
    out, _ = streamed(data, kernel, *at(address), "--mix", 0.25, "--gain", 6.0206)
    expected = 2 * (0.75 * padded + 0.25 * F32.decode(wet, 2))
    np.testing.assert_allclose(F32.decode(out, 2), expected, atol=1e-5)


def test_what_is_cut_off_is_told_at_once_and_with_the_gain_that_avoids_it(
    address: str, click: Path
) -> None:
    signal = np.full((1, 2000), 0.5, np.float32)
    signal[:, 600:610] = -1.5
    out, err = streamed(
        F32.encode(signal), click, *at(address, 1), "--to", "s16", "--block", 100, "--quiet"
    )
    first, last = err.splitlines()
    assert first == (
        "clipped   from 75 ms on, peak +3.52 dBFS: lower --gain by 3.6 dB, "
        "or write floats (--to f32)"
    )
    assert last.startswith("clipped   10 samples in all, peak +3.52 dBFS")
    found = np.frombuffer(out, "<i2")
    assert found[:600].tolist() == [1 << 14] * 600
    assert found[600:610].tolist() == [-(1 << 15)] * 10
    _, err = streamed(
        F32.encode(signal), click, *at(address, 1), "--to", "s16", "--gain", -3.6, "--quiet"
    )
    assert err == ""


def test_floats_hold_what_integers_cannot(address: str, click: Path) -> None:
    data = F32.encode(np.array([[0.5, np.nan, 7.0]], np.float32))
    out, _ = streamed(data, click, *at(address, 1))
    np.testing.assert_array_equal(F32.decode(out, 1), [[0.5, np.nan, 7.0]])
    out, err = streamed(data, click, *at(address, 1), "--to", "s16", code=2)
    assert out == b""
    assert err.splitlines()[-1].startswith("convolved: standard input: got samples that give NaN")


def test_bytes_that_are_no_whole_frame_are_told_when_all_else_is_done(
    address: str, click: Path
) -> None:
    data = F32.encode(noise(2, 600))
    out, err = streamed(data + b"abc", click, *at(address), code=2)
    assert out == data
    assert "standard input: got 3 bytes after the last whole frame; want a multiple of 8" in err


def test_no_samples_give_none(address: str, click: Path) -> None:
    out, err = streamed(b"", click, *at(address))
    assert out == b""
    assert "result    standard output: 0 s, stereo" in err


def test_a_kernel_at_another_rate_is_resampled_and_a_held_filter_is_named(
    address: str, client: Client, kernel: Path
) -> None:
    _, err = streamed(bytes(8), kernel, *at(address, rate=16_000))
    assert "resampled from 8 kHz to 16 kHz" in err
    held = client.register(audio.read(kernel).samples)
    data = F32.encode(noise(2, 100))
    out, err = streamed(data, held.name, *at(address))
    assert out == streamed(data, kernel, *at(address))[0]
    assert "held by the server; stereo to stereo" in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_stops_it_gets_whole_blocks_and_no_traceback(
    address: str, click: Path, number: int, code: int
) -> None:
    block = F32.encode(noise(2, 512))
    with running(click, *at(address)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(block + block[:100])
        assert process.stdout.read(len(block)) == block
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code
    assert out == b""
    assert b"Traceback" not in err
    assert err.endswith(b"convolved: interrupted\n") == (number == signal.SIGINT)


def test_a_reader_that_leaves_ends_it_without_a_word(address: str, click: Path) -> None:
    reader, stdout = os.pipe()
    with (
        Path("/dev/zero").open("rb") as zeros,
        subprocess.Popen(
            [PROGRAM, "stream", click, *map(str, at(address)), "--quiet"],
            env=environment(),
            stdin=zeros,
            stdout=stdout,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        os.close(stdout)
        assert os.read(reader, 8) == bytes(8)
        os.close(reader)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err == b""


@pytest.mark.parametrize("end", [0, 1])
def test_neither_a_keyboard_nor_a_screen_has_samples(click: Path, end: int) -> None:
    controller, terminal = pty.openpty()
    stdin, stdout = (terminal, subprocess.DEVNULL)[:: -1 if end else 1]
    done = subprocess.run(
        [PROGRAM, "stream", click, "--rate", str(RATE)],
        env=environment(),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(controller)
    os.close(terminal)
    name = "standard output" if end else "standard input"
    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"convolved: {name}: got a terminal; want ")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--format", "mp3"], "--format: got 'mp3'; want one of s16, s24, s32, f32, f64"),
        (["--to", "u7"], "--to: got 'u7'; want "),
        (["--channels", "3"], "KERNEL: got 2 channels for a signal of 3; want "),
        (["--channels", "0"], "--channels: got 0; want at least 1"),
        (["--block", "0"], "--block: got 0; want at least 1"),
        (["--rate", "0"], "--rate: got 0; want a rate above 0"),
        (["--mix", "2"], "--mix: got 2; want 0 "),
        (["--gain", "inf"], "--gain: got inf; want decibels"),
        (["--accuracy", "some"], "--accuracy: got 'some'; want "),
    ],
)
def test_what_is_wrong_is_told_before_a_server_starts(
    kernel: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], words: str
) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    ended = convolved("stream", kernel, "--rate", RATE, *given)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith(f"convolved: {words}")


def test_the_rate_has_to_be_said(kernel: Path) -> None:
    ended = convolved("stream", kernel)
    assert ended.code == 2
    assert "--rate" in ended.err


@pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed")
def test_it_stands_between_two_sox_with_a_server_of_its_own(tmp_path: Path) -> None:
    signal = noise(2, 30_000)
    wav(tmp_path / "in.wav", signal, 48_000)
    response = wav(tmp_path / "hall.wav", noise(2, 4000, seed=2, scale=0.02), 48_000)
    line = (
        f"sox in.wav -t f32 - | {PROGRAM} stream hall.wav --rate 48000 --channels 2 --format f32"
        " | sox -t f32 -r 48000 -c 2 - -e floating-point out.wav"
    )
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    applied = convolved("apply", tmp_path / "in.wav", response, tmp_path / "wet.wav")
    assert applied.code == 0, applied.err
    expected = audio.read(tmp_path / "wet.wav").samples
    # What sox passes on has the 32 bits of its own integers.
    np.testing.assert_allclose(audio.read(tmp_path / "out.wav").samples, expected, atol=2e-6)
