"""`convolved apply` on real files, through a real server: the sound is that of SciPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from convolved import audio
from tests.client.cli.run import RATE, Ended, convolved, noise, samples_of, wav

Array = NDArray[Any]


def apply(address: str, *arguments: object) -> Ended:
    ended = convolved("apply", *arguments, "--server", address)
    assert ended.code == 0, ended.err
    return ended


def through(x: Array, *responses: Array) -> Array:
    """Each channel of x through its response, in float64."""
    return np.stack([fftconvolve(a.astype(float), h) for a, h in zip(x, responses, strict=True)])


MONO, STEREO, SIX = noise(1, 3000), noise(2, 3000, seed=2), noise(6, 400, seed=3)
H = noise(4, 500, seed=4)
LEFT, RIGHT = STEREO


@pytest.mark.parametrize(
    ("x", "kernel", "routing", "expected"),
    [
        (MONO, H[:1], "per_channel", through(MONO, H[0])),
        (STEREO, H[:1], "per_channel", through(STEREO, H[0], H[0])),
        (SIX, H[:1], "per_channel", through(SIX, *[H[0]] * 6)),
        (MONO, H[:2], "spread", through(MONO[[0, 0]], H[0], H[1])),
        (STEREO, H[:2], "by_channel", through(STEREO, H[0], H[1])),
        (
            STEREO,
            H,
            "true_stereo",
            np.stack(
                [
                    fftconvolve(LEFT, H[0]) + fftconvolve(RIGHT, H[2]),
                    fftconvolve(LEFT, H[1]) + fftconvolve(RIGHT, H[3]),
                ]
            ),
        ),
    ],
)
def test_each_channel_rule_is_what_scipy_computes(
    tmp_path: Path, address: str, x: Array, kernel: Array, routing: str, expected: Array
) -> None:
    dry, ir = wav(tmp_path / "dry.wav", x), wav(tmp_path / "ir.wav", kernel)
    ended = apply(address, dry, ir, tmp_path / "wet.wav", "--json")
    wet = audio.read(tmp_path / "wet.wav")
    assert wet.subtype == "FLOAT"
    assert wet.sample_rate_hertz == RATE
    np.testing.assert_allclose(wet.samples, expected, atol=4e-6)
    assert ended.report["kernel"]["routing"] == routing
    assert ended.report["result"]["shape"] == list(expected.shape)


def test_a_matrix_comes_from_an_array_and_needs_no_audio_at_all(
    tmp_path: Path, address: str
) -> None:
    matrix = noise(3, 2, 50).astype(np.float64)
    np.save(tmp_path / "m.npy", matrix)
    np.save(tmp_path / "x.npy", STEREO)
    apply(address, tmp_path / "x.npy", tmp_path / "m.npy", tmp_path / "y.npy")
    expected = np.stack([fftconvolve(LEFT, a) + fftconvolve(RIGHT, b) for a, b in matrix])
    found = np.load(tmp_path / "y.npy")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_arrays_of_integers_come_out_exact(tmp_path: Path, address: str) -> None:
    np.save(tmp_path / "x.npy", np.arange(100, dtype=np.int16))
    np.save(tmp_path / "h.npy", np.array([1, -2, 3], np.int16))
    apply(address, tmp_path / "x.npy", tmp_path / "h.npy", tmp_path / "y.npy")
    found = np.load(tmp_path / "y.npy")
    assert found.dtype.kind == "i"
    np.testing.assert_array_equal(found, [np.convolve(np.arange(100), [1, -2, 3])])


def test_mix_and_gain_blend_the_aligned_dry_signal(tmp_path: Path, address: str) -> None:
    dry, ir = wav(tmp_path / "dry.wav", MONO), wav(tmp_path / "ir.wav", H[:2])
    apply(address, dry, ir, tmp_path / "wet.wav", "--mix", 0.25, "--gain", -6)
    wet = through(MONO[[0, 0]], H[0], H[1])
    padded = np.pad(MONO, ((0, 0), (0, 499)))
    expected = 10 ** (-6 / 20) * (0.75 * padded + 0.25 * wet)
    np.testing.assert_allclose(samples_of(tmp_path / "wet.wav"), expected, atol=4e-6)


@pytest.mark.parametrize("ending", ["flac", "ogg", "w64", "npy", "wav"])
def test_every_kind_of_file_goes_in_and_comes_out(
    tmp_path: Path, address: str, ending: str
) -> None:
    dry, ir = tmp_path / f"dry.{ending}", tmp_path / f"ir.{ending}"
    audio.write(dry, STEREO, RATE)
    audio.write(ir, H[:1] * 0.5, RATE)
    report = apply(address, dry, ir, tmp_path / f"wet.{ending}", *("--gain", -12), "--json").report
    x, h = samples_of(dry), samples_of(ir)
    expected = through(x, h[0], h[0]) * 10 ** (-12 / 20)
    # A lossy format is near what went in; a lossless one to its last bit or two.
    tolerance = {"ogg": 0.2, "flac": 2.0**-22}.get(ending, 4e-6)
    np.testing.assert_allclose(samples_of(tmp_path / f"wet.{ending}"), expected, atol=tolerance)
    assert (report["result"]["sample_rate_hertz"] is None) == (ending == "npy")


def test_a_kernel_at_another_rate_is_resampled_and_this_is_said(
    tmp_path: Path, address: str
) -> None:
    dry, ir = wav(tmp_path / "dry.wav", MONO), wav(tmp_path / "ir.wav", H[:1], 2 * RATE)
    ended = apply(address, dry, ir, tmp_path / "wet.wav", "--json")
    assert "resampled from 16 kHz to 8 kHz" in ended.err
    assert ended.report["kernel"]["resampled_from_hertz"] == 2 * RATE
    at_rate = audio.resample(audio.read(ir), RATE, impulse_response=True).samples
    expected = through(MONO, at_rate[0])
    np.testing.assert_allclose(samples_of(tmp_path / "wet.wav"), expected, atol=4e-6)


def test_an_array_is_taken_to_be_at_the_rate_of_the_signal_and_this_is_said(
    tmp_path: Path, address: str
) -> None:
    dry = wav(tmp_path / "dry.wav", MONO)
    np.save(tmp_path / "ir.npy", H[0])
    ended = apply(address, dry, tmp_path / "ir.npy", tmp_path / "wet.wav")
    assert "states no sample rate: taken as 8 kHz" in ended.err


def test_a_rate_makes_audio_of_arrays(tmp_path: Path, address: str) -> None:
    np.save(tmp_path / "x.npy", MONO)
    np.save(tmp_path / "h.npy", H[0])
    apply(address, tmp_path / "x.npy", tmp_path / "h.npy", tmp_path / "y.wav", "--rate", 44_100)
    assert audio.read(tmp_path / "y.wav").sample_rate_hertz == 44_100


class TestFullScale:
    @pytest.fixture
    def loud(self, tmp_path: Path) -> tuple[Path, Path]:
        """A signal and a kernel whose result has a peak of exactly 2: +6.02 dBFS."""
        return (
            wav(tmp_path / "dry.wav", np.full((1, 100), 0.5, np.float32)),
            wav(tmp_path / "ir.wav", np.array([[4.0]], np.float32)),
        )

    @pytest.mark.parametrize("out", [("wet.flac",), ("wet.wav", "--subtype", "PCM_16")])
    def test_what_would_clip_is_refused_and_the_peak_is_stated(
        self, tmp_path: Path, address: str, loud: tuple[Path, Path], out: tuple[str, ...]
    ) -> None:
        path = tmp_path / out[0]
        path.write_text("as it was before")
        ended = convolved("apply", *loud, path, *out[1:], "--server", address)
        assert ended.code == 2
        last = ended.err.splitlines()[-1]
        assert last.startswith("convolved: OUT: got a peak of +6.02 dBFS, which would clip as PCM_")
        assert "lower --gain by 7.1 dB" in last
        assert "--normalize" in last
        assert path.read_text() == "as it was before"
        assert sorted(each.name for each in tmp_path.iterdir()) == [
            "dry.wav",
            "ir.wav",
            path.name,
        ]

    def test_the_gain_that_is_advised_suffices(
        self, tmp_path: Path, address: str, loud: tuple[Path, Path]
    ) -> None:
        apply(address, *loud, tmp_path / "wet.flac", "--gain", -7.1)
        assert abs(samples_of(tmp_path / "wet.flac")).max() < 1

    def test_normalized_the_peak_comes_to_1_db_below_full_scale_and_is_stated(
        self, tmp_path: Path, address: str, loud: tuple[Path, Path]
    ) -> None:
        ended = apply(address, *loud, tmp_path / "wet.flac", "--normalize", "--json")
        assert "peak +6.0 dBFS, scaled by -7.0 dB to -1.0 dBFS" in ended.err
        assert ended.report["result"]["peak_dbfs"] == pytest.approx(6.0206, abs=1e-3)
        peak = abs(samples_of(tmp_path / "wet.flac")).max()
        assert peak == pytest.approx(10 ** (-1 / 20), abs=1e-4)

    def test_float_files_hold_what_is_beyond(
        self, tmp_path: Path, address: str, loud: tuple[Path, Path]
    ) -> None:
        apply(address, *loud, tmp_path / "wet.wav")
        assert abs(samples_of(tmp_path / "wet.wav")).max() == pytest.approx(2)

    def test_silence_has_no_decibels(self, tmp_path: Path, address: str) -> None:
        dry = wav(tmp_path / "dry.wav", np.zeros((1, 100), np.float32))
        ended = apply(address, dry, dry, tmp_path / "wet.wav", "--json")
        assert ended.report["result"]["peak_dbfs"] is None


def test_more_than_a_message_is_streamed_through_in_order(tmp_path: Path, address: str) -> None:
    x = noise(2, 700_000, seed=9)
    dry, ir = wav(tmp_path / "dry.wav", x, 48_000), wav(tmp_path / "ir.wav", H[:1], 48_000)
    report = apply(address, dry, ir, tmp_path / "wet.wav", "--mix", 0.5, "--json").report
    expected = 0.5 * through(x, H[0], H[0]) + 0.5 * np.pad(x, ((0, 0), (0, 499)))
    np.testing.assert_allclose(samples_of(tmp_path / "wet.wav"), expected, atol=4e-6)
    assert report["real_time_factor"] == pytest.approx(700_000 / 48_000 / report["seconds"])


def test_it_says_what_it_does_and_how_fast_on_standard_error_only(
    tmp_path: Path, address: str
) -> None:
    dry, ir = wav(tmp_path / "dry.wav", MONO), wav(tmp_path / "ir.wav", H[:2])
    ended = apply(address, dry, ir, tmp_path / "wet.wav")
    assert ended.out == ""
    lines = {line.split()[0]: line for line in ended.err.splitlines() if line[0] != " "}
    assert list(lines) == ["signal", "kernel", "server", "plan", "result", "time"]
    assert "375 ms, mono, 8 kHz" in lines["signal"]
    assert lines["kernel"].endswith("62.5 ms, stereo, 8 kHz; mono to stereo")
    assert lines["server"].endswith(address)
    assert "predicted" in lines["plan"]
    assert "stereo, 8 kHz, FLOAT, peak" in lines["result"]
    assert "times real time" in lines["time"]


def test_quiet_says_nothing(tmp_path: Path, address: str) -> None:
    dry = wav(tmp_path / "dry.wav", MONO)
    ended = apply(address, dry, dry, tmp_path / "wet.wav", "--quiet")
    assert (ended.out, ended.err) == ("", "")


def test_a_picture_is_drawn_of_what_the_files_hold(tmp_path: Path, address: str) -> None:
    dry, ir = wav(tmp_path / "dry.wav", MONO), wav(tmp_path / "ir.wav", H[:2])
    ended = apply(address, dry, ir, tmp_path / "wet.flac", "--plot", tmp_path / "wet.png")
    assert (tmp_path / "wet.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path / "wet.png") in ended.err
    assert len(list(tmp_path.iterdir())) == 4


def test_an_algorithm_and_an_accuracy_can_be_asked_for(tmp_path: Path, address: str) -> None:
    dry = wav(tmp_path / "dry.wav", MONO[:, :900])
    asked = ("--algorithm", "direct", "--accuracy", "strict")
    report = apply(address, dry, dry, tmp_path / "wet.wav", *asked, "--json").report
    assert report["plan"]["steps"][0]["chosen"]["algorithm"] == "direct"


def test_a_result_may_be_replaced_but_nothing_that_is_read(tmp_path: Path, address: str) -> None:
    dry, ir = wav(tmp_path / "dry.wav", MONO), wav(tmp_path / "ir.wav", H[:1])
    link = tmp_path / "link.wav"
    link.symlink_to(dry)
    before = dry.read_bytes(), ir.read_bytes()
    for flags, words in (
        ((dry,), "OUT: got"),
        ((tmp_path / "." / "dry.wav",), "OUT: got"),
        ((link,), "OUT: got"),
        ((ir,), "OUT: got"),
        ((tmp_path / "wet.wav", "--plot", dry), "--plot: got"),
        ((tmp_path / "wet.png", "--plot", tmp_path / "wet.png"), "--plot: got"),
    ):
        ended = convolved("apply", dry, ir, *flags, "--server", address)
        assert ended.code == 2
        assert words in ended.err
    assert (dry.read_bytes(), ir.read_bytes()) == before
    for _ in range(2):
        apply(address, dry, ir, tmp_path / "wet.wav")
