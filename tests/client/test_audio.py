"""Recordings: what is written comes back, nothing clips in silence, and errors say what to do."""

from __future__ import annotations

import builtins
import pickle
import resource
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved import audio
from convolved_vocabulary.errors import InvalidArgument, MissingExtra, ResourceExhausted

RATE = 48_000


def noise(channels: int = 2, frames: int = 5000, peak: float = 0.5) -> NDArray[Any]:
    x = np.random.default_rng(channels * frames).uniform(-peak, peak, (channels, frames))
    return x.astype(np.float32)


def refused(*words: str) -> Any:
    return pytest.raises(InvalidArgument, match=".*".join(words))


class TestRoundTrip:
    @pytest.mark.parametrize("channels", [1, 2, 5])
    @pytest.mark.parametrize(
        ("name", "subtype", "kept", "error"),
        [
            ("a.wav", None, "FLOAT", 0.0),
            ("a.wav", "DOUBLE", "DOUBLE", 0.0),
            ("a.wav", "PCM_16", "PCM_16", 2**-16),
            ("a.wav", "pcm_24", "PCM_24", 2**-24),
            ("a.w64", None, "FLOAT", 0.0),
            ("a.flac", None, "PCM_24", 2**-24),
            ("a.flac", "PCM_16", "PCM_16", 2**-16),
            ("A.FLAC", None, "PCM_24", 2**-24),
        ],
    )
    def test_audio_comes_back_to_within_half_a_step(
        self, tmp_path: Path, channels: int, name: str, subtype: str | None, kept: str, error: float
    ) -> None:
        x = noise(channels)
        audio.write(tmp_path / name, x, RATE, subtype)
        back = audio.read(tmp_path / name)
        assert (back.sample_rate_hertz, back.subtype, back.path) == (RATE, kept, tmp_path / name)
        assert back.samples.shape == x.shape
        assert back.samples.dtype == (np.float64 if kept == "DOUBLE" else np.float32)
        assert np.abs(back.samples - x).max() <= error

    def test_float64_keeps_every_bit_when_asked_to(self, tmp_path: Path) -> None:
        x = np.random.default_rng(1).normal(size=(1, 100))
        audio.write(tmp_path / "a.wav", x, RATE, "DOUBLE")
        np.testing.assert_array_equal(audio.read(tmp_path / "a.wav").samples, x)

    @pytest.mark.parametrize(("name", "subtype"), [("a.wav", "PCM_16"), ("a.flac", "PCM_24")])
    def test_copies_of_copies_are_the_same(self, tmp_path: Path, name: str, subtype: str) -> None:
        audio.write(tmp_path / name, noise(peak=1.0), RATE, subtype)
        first = audio.read(tmp_path / name).samples
        audio.write(tmp_path / name, first, RATE, subtype)
        np.testing.assert_array_equal(audio.read(tmp_path / name).samples, first)

    def test_float_audio_holds_more_than_full_scale(self, tmp_path: Path) -> None:
        x = noise(peak=30.0)
        audio.write(tmp_path / "a.wav", x, RATE)
        np.testing.assert_array_equal(audio.read(tmp_path / "a.wav").samples, x)

    def test_ogg_sounds_the_same(self, tmp_path: Path) -> None:
        t = np.arange(2 * RATE) / RATE
        x = 0.5 * np.stack([np.sin(2 * np.pi * 440 * t), np.sin(2 * np.pi * 660 * t)])
        audio.write(tmp_path / "a.ogg", x, RATE)
        back = audio.read(tmp_path / "a.ogg")
        assert back.subtype == "VORBIS"
        assert back.samples.shape == x.shape
        assert np.sqrt(np.mean((back.samples - x) ** 2)) < 0.01

    def test_a_minute_of_ogg_at_once_is_no_trouble_to_its_encoder(self, tmp_path: Path) -> None:
        audio.write(tmp_path / "a.ogg", noise(2, 60 * 8000), 8000)
        assert audio.read(tmp_path / "a.ogg").frames == 60 * 8000

    def test_one_dimension_is_one_channel(self, tmp_path: Path) -> None:
        audio.write(tmp_path / "a.wav", noise(1)[0], RATE)
        np.testing.assert_array_equal(audio.read(tmp_path / "a.wav").samples, noise(1))

    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16", "i2", "u1", "i8", ">f4"])
    @pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 2, 7)])
    def test_arrays_come_back_as_they_are(
        self, tmp_path: Path, dtype: str, shape: tuple[int, ...]
    ) -> None:
        x = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
        audio.write(tmp_path / "a.npy", x)
        back = audio.read(tmp_path / "a.npy")
        assert (back.sample_rate_hertz, back.subtype, back.seconds) == (None, None, None)
        assert back.samples.dtype == x.dtype.newbyteorder("=")
        assert back.samples.dtype.isnative
        np.testing.assert_array_equal(back.samples, x if x.ndim > 1 else x[np.newaxis])

    def test_the_content_decides_how_a_file_is_read(self, tmp_path: Path) -> None:
        audio.write(tmp_path / "a.flac", noise(), RATE)
        audio.write(tmp_path / "a.npy", noise())
        (tmp_path / "a.flac").rename(tmp_path / "recording.raw")
        (tmp_path / "a.npy").rename(tmp_path / "array")
        assert audio.read(tmp_path / "recording.raw").subtype == "PCM_24"
        np.testing.assert_array_equal(audio.read(tmp_path / "array").samples, noise())

    def test_the_header_tells_what_reading_gives(self, tmp_path: Path) -> None:
        for name, rate in (("a.wav", RATE), ("a.npy", None)):
            audio.write(tmp_path / name, noise(3, 2400), rate)
            head, whole = audio.header(tmp_path / name), audio.read(tmp_path / name)
            assert (head.channels, head.frames) == (whole.channels, whole.frames) == (3, 2400)
            assert (head.shape, head.dtype) == (whole.samples.shape, whole.samples.dtype)
            assert head.seconds == whole.seconds == (0.05 if rate else None)


class TestBlocks:
    @pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.npy"])
    @pytest.mark.parametrize("frames", [1, 333, 5000, 10**9])
    def test_blocks_joined_are_the_whole(self, tmp_path: Path, name: str, frames: int) -> None:
        n = 700 if frames == 1 else 5000
        audio.write(tmp_path / name, noise(2, n), RATE)
        got = list(audio.blocks(tmp_path / name, frames))
        assert [b.shape[1] for b in got[:-1]] == [frames] * (len(got) - 1)
        assert all(b.flags.c_contiguous and b.flags.writeable for b in got)
        np.testing.assert_array_equal(np.concatenate(got, 1), audio.read(tmp_path / name).samples)

    def test_a_matrix_of_responses_comes_in_blocks_of_time(self, tmp_path: Path) -> None:
        x = np.arange(28.0).reshape(2, 2, 7)
        audio.write(tmp_path / "a.npy", x)
        got = list(audio.blocks(tmp_path / "a.npy", 3))
        assert [b.shape for b in got] == [(2, 2, 3), (2, 2, 3), (2, 2, 1)]
        np.testing.assert_array_equal(np.concatenate(got, -1), x)

    def test_what_is_wrong_is_said_at_the_call(self, tmp_path: Path) -> None:
        with refused("path", "does not exist"):
            audio.blocks(tmp_path / "a.wav", 100)
        audio.write(tmp_path / "a.wav", noise(), RATE)
        with refused("frames: got 0; want at least 1"):
            audio.blocks(tmp_path / "a.wav", 0)

    @given(cuts=st.lists(st.integers(0, 3000), max_size=6), name=st.sampled_from(["wav", "npy"]))
    @settings(max_examples=30, deadline=None)
    def test_writing_in_blocks_is_writing_whole(
        self, tmp_path_factory: pytest.TempPathFactory, cuts: list[int], name: str
    ) -> None:
        folder, x = tmp_path_factory.mktemp("cut"), noise(2, 3000)
        with audio.Writer(folder / f"a.{name}", 2, RATE) as writer:
            for block in np.split(x, sorted(cuts), axis=1):
                writer.write(block)
        np.testing.assert_array_equal(audio.read(folder / f"a.{name}").samples, x)
        assert writer.fit.peak_dbfs == pytest.approx(audio.decibels(float(np.abs(x).max())))

    def test_an_array_grows_by_blocks_of_any_numbers(self, tmp_path: Path) -> None:
        x = np.arange(40).reshape(4, 10) * (1 + 2j)
        with audio.Writer(tmp_path / "a.npy", 4) as writer:
            writer.write(x[:, :3])
            writer.write(x[:, 3:])
        np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), x)

    def test_a_file_is_read_while_it_is_replaced(self, tmp_path: Path) -> None:
        path, x = tmp_path / "a.wav", noise()
        audio.write(path, x, RATE)
        with audio.Writer(path, 2, RATE) as writer:
            for block in audio.blocks(path, 700):
                writer.write(block * 2)
        np.testing.assert_array_equal(audio.read(path).samples, x * 2)

    def test_a_failure_keeps_the_old_file_and_leaves_no_other(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        audio.write(path, noise(), RATE)
        with (
            refused("block: got dtype int64"),
            audio.Writer(path, 1, RATE, normalize=True) as writer,
        ):
            writer.write(noise(1))
            writer.write(np.arange(9))
        np.testing.assert_array_equal(audio.read(path).samples, noise())
        assert list(tmp_path.iterdir()) == [path]

    def test_memory_holds_a_block_and_not_the_recording(self, tmp_path: Path) -> None:
        import tracemalloc

        block = noise(2, 10_000)
        tracemalloc.start()
        try:
            with audio.Writer(tmp_path / "a.wav", 2, RATE, "PCM_16", normalize=True) as writer:
                for _ in range(400):
                    writer.write(block)
            total = sum(b.shape[1] for b in audio.blocks(tmp_path / "a.wav", 10_000))
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert total == 4_000_000
        assert most < 12e6 < 400 * block.nbytes


class TestPeak:
    def test_what_would_clip_is_refused_with_its_peak_and_what_would_do(
        self, tmp_path: Path
    ) -> None:
        x = noise()
        x[1, 77] = -1.5
        with refused(
            r"a peak of \+3\.52 dBFS, which would clip as PCM_24",
            r"lower --gain by 4\.6 dB",
            "--normalize",
            r"float32 \(a \.wav file",
        ):
            audio.write(tmp_path / "a.flac", x, RATE)
        assert list(tmp_path.iterdir()) == []

    def test_the_named_gain_suffices(self, tmp_path: Path) -> None:
        audio.write(tmp_path / "a.flac", noise() / noise().max() * 1.5 * 10 ** (-4.6 / 20), RATE)

    def test_full_scale_itself_does_not_clip(self, tmp_path: Path) -> None:
        x = np.array([[1.0, -1.0, 0.5]])
        audio.write(tmp_path / "a.wav", x, RATE, "PCM_16")
        assert np.abs(audio.read(tmp_path / "a.wav").samples - x).max() <= 2**-15

    def test_a_writer_states_the_peak_of_the_whole(self, tmp_path: Path) -> None:
        with (
            refused(r"a peak of \+12\.04 dBFS"),
            audio.Writer(tmp_path / "a.wav", 1, RATE, "PCM_16") as writer,
        ):
            for peak in (0.1, 2.0, 4.0, 3.0):
                writer.write(np.full((1, 10), peak))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("peak", [0.01, 4.0])
    @pytest.mark.parametrize(
        ("name", "subtype"), [("a.flac", "PCM_24"), ("a.wav", None), ("a.wav", "DOUBLE")]
    )
    def test_normalized_files_peak_at_minus_one_decibel(
        self, tmp_path: Path, peak: float, name: str, subtype: str | None
    ) -> None:
        x = noise(2, 6000) / noise(2, 6000).max() * peak
        whole = audio.write(tmp_path / name, x, RATE, subtype, normalize=True)
        with audio.Writer(
            tmp_path / ("blocks-" + name), 2, RATE, subtype, normalize=True
        ) as writer:
            for block in np.split(x, 6, axis=1):
                writer.write(block)
        assert writer.fit.peak_dbfs == pytest.approx(whole.peak_dbfs)
        assert f"peak {whole.peak_dbfs:+.1f} dBFS, scaled by" in str(whole)
        for made in (name, "blocks-" + name):
            got = audio.read(tmp_path / made).samples
            assert audio.decibels(float(np.abs(got).max())) == pytest.approx(-1, abs=1e-3)
            assert np.abs(got - x * whole.factor).max() < 1e-6

    def test_silence_stays_silence(self, tmp_path: Path) -> None:
        done = audio.write(tmp_path / "a.wav", np.zeros((1, 9)), RATE, "PCM_16", normalize=True)
        assert (done.peak_dbfs, done.gain_decibels) == (-np.inf, 0)

    def test_fitting_gives_the_samples_back_when_nothing_is_to_be_done(self) -> None:
        x = noise()
        fitted, done = audio.fit_peak(x, "PCM_16")
        assert fitted is x
        assert str(done) == "peak -6.0 dBFS"
        loud, _ = audio.fit_peak(x * 9, "FLOAT")
        assert loud.max() > 4
        scaled, _ = audio.fit_peak(x * 9, "PCM_16", normalize=True)
        assert scaled.dtype == np.float32

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_whole_numbers_cannot_hold_what_is_not_finite(self, tmp_path: Path, bad: float) -> None:
        x = noise()
        x[0, 3] = bad
        for subtype, normalize in (("PCM_16", False), ("FLOAT", True)):
            with refused("samples: got samples that are NaN or infinite"):
                audio.write(tmp_path / "a.wav", x, RATE, subtype, normalize=normalize)
        with (
            refused("NaN or infinite, to be PCM_16"),
            audio.Writer(tmp_path / "a.wav", 2, RATE, "PCM_16") as writer,
        ):
            writer.write(x)
            writer.write(noise())
        audio.write(tmp_path / "a.wav", x, RATE)
        np.testing.assert_array_equal(audio.read(tmp_path / "a.wav").samples, x)


class TestResample:
    @pytest.mark.parametrize("rate", [44_100, 96_000, 8_000])
    def test_length_follows_the_ratio_and_the_wave_keeps_its_shape(self, rate: int) -> None:
        def sine(rate: int) -> NDArray[Any]:
            t = np.arange(2 * rate) / rate
            return np.stack([np.sin(2 * np.pi * 440 * t), np.cos(2 * np.pi * 990 * t)])

        got = audio.resample(audio.Recording(sine(RATE), RATE, "PCM_16"), rate)
        assert (got.sample_rate_hertz, got.subtype, got.frames) == (rate, "PCM_16", 2 * rate)
        middle = slice(rate // 2, -rate // 2)
        assert np.abs(got.samples - sine(rate))[:, middle].max() < 1e-5

    @pytest.mark.parametrize("rate", [44_100, 96_000])
    def test_a_resampled_impulse_response_keeps_its_gain(self, rate: int) -> None:
        lowpass = np.hanning(800)[np.newaxis] / 400
        kernel = audio.Recording(lowpass, RATE)
        got = audio.resample(kernel, rate, impulse_response=True).samples
        assert got.sum() == pytest.approx(lowpass.sum(), rel=1e-4)
        assert audio.resample(kernel, rate).samples.max() == pytest.approx(lowpass.max(), rel=1e-3)

    def test_float32_stays_float32(self) -> None:
        got = audio.resample(audio.Recording(noise(), RATE), 44_100, impulse_response=True)
        assert got.samples.dtype == np.float32

    def test_the_same_rate_changes_nothing(self) -> None:
        recording = audio.Recording(noise(), RATE)
        assert audio.resample(recording, RATE) is recording

    def test_without_a_rate_there_is_nothing_to_go_by(self) -> None:
        with refused("recording: got samples without a sample rate"):
            audio.resample(audio.Recording(noise()), RATE)
        with refused("sample_rate_hertz: got 0"):
            audio.resample(audio.Recording(noise(), RATE), 0)


class TestWhatCannotBeRead:
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"Dear all,\nplease find attached", r"a text that begins 'Dear all,\\nplease"),
            ("Où est la mélodie à présent, et où va-t-elle donc ? Là-bâs é".encode(), "'Où est"),
            (b"\x89PNG\r\n\x1a\n" + bytes(90), "a PNG picture"),
            (b"\x00\x00\x00\x18ftypisom" + bytes(90), "an MP4 file"),
            (b"PK\x03\x04" + bytes(90), "a ZIP archive"),
            (pickle.dumps([1, 2, 3]), "a Python pickle"),
            (b"\x00\x01\x02\x03\xfe\xfd\xfc\xfb" * 9, "bytes 00 01 02 03 fe fd fc fb"),
            (b"RIFF\x24\x00\x00\x00WAVEjunk" + bytes(30), "not audio"),
        ],
    )
    @pytest.mark.parametrize("name", ["a.wav", "a.npy", "a.raw"])
    def test_a_file_that_is_not_audio_is_called_by_its_looks(
        self, tmp_path: Path, name: str, content: bytes, words: str
    ) -> None:
        (tmp_path / name).write_bytes(content)
        for attempt in (audio.read, audio.header):
            with refused("kernel: got", name, words, "; want a WAV, FLAC, OGG or .npy file"):
                attempt(tmp_path / name, argument="kernel")

    def test_a_missing_file_a_folder_and_an_empty_file(self, tmp_path: Path) -> None:
        with refused("path: got", "which does not exist; want a WAV"):
            audio.read(tmp_path / "no.wav")
        with refused("path: got", "which is a folder"):
            audio.read(tmp_path)
        (tmp_path / "a.wav").touch()
        with refused("path: got", "0 bytes long"):
            audio.read(tmp_path / "a.wav")
        with refused("path: got", "Not a directory"):
            audio.read(tmp_path / "a.wav" / "b.wav")

    def test_audio_without_samples(self, tmp_path: Path) -> None:
        with wave.open(str(tmp_path / "a.wav"), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(RATE)
        np.save(tmp_path / "a.npy", np.zeros((2, 0)))
        for name in ("a.wav", "a.npy"):
            with refused(r"holds no samples \(shape \(2, 0\)\); want at least one sample"):
                audio.read(tmp_path / name)

    @pytest.mark.parametrize("dtype", ["?", "U3", "O", "M8[s]", "V4", "g"])
    def test_arrays_of_other_things_than_numbers(self, tmp_path: Path, dtype: str) -> None:
        np.save(tmp_path / "a.npy", np.zeros(4, dtype))
        with refused("an array of dtype", "; want real or complex numbers"):
            audio.read(tmp_path / "a.npy")

    @pytest.mark.parametrize("shape", [(), (1, 2, 3, 4)])
    def test_arrays_of_other_ranks(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        np.save(tmp_path / "a.npy", np.zeros(shape))
        with refused(r"an array of shape", r"; want shape \(n,\), \(channels, n\)"):
            audio.read(tmp_path / "a.npy")

    def test_an_array_cut_short(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npy"
        np.save(path, np.zeros((2, 1000)))
        whole = path.read_bytes()
        for length in (5000, 100):
            path.write_bytes(whole[:length])
            with refused("a damaged array"):
                audio.read(path)

    def test_a_recording_cut_short(self, tmp_path: Path) -> None:
        path = tmp_path / "a.flac"
        audio.write(path, noise(2, 50_000), RATE)
        path.write_bytes(path.read_bytes()[:100_000])
        with refused("path: got", "a.flac"):
            audio.read(path)


class TestWhatCannotBeWritten:
    @pytest.mark.parametrize(
        ("name", "words"),
        [("a.mp3", r"whose ending is '\.mp3'"), ("a", "whose ending is missing")],
    )
    def test_endings_of_other_formats(self, tmp_path: Path, name: str, words: str) -> None:
        with refused("out: got", words, r"; want a path that ends in \.wav, .*\.npy"):
            audio.write(tmp_path / name, noise(), RATE, argument="out")

    @pytest.mark.parametrize(
        ("name", "subtype", "words"),
        [
            ("a.flac", "FLOAT", "'FLOAT' for .flac; want one of PCM_16, PCM_24"),
            ("a.wav", "loud", "want one of .*FLOAT"),
            ("a.npy", "PCM_16", "want None, for .npy keeps"),
        ],
    )
    def test_sample_formats_that_the_file_format_lacks(
        self, tmp_path: Path, name: str, subtype: str, words: str
    ) -> None:
        with refused("subtype: got", words):
            audio.write(tmp_path / name, noise(), RATE, subtype)

    @pytest.mark.parametrize("rate", [None, 0, -1, 44_100.5])
    def test_rates_that_are_none(self, tmp_path: Path, rate: float | None) -> None:
        with refused(f"sample_rate_hertz: got {rate}; want a whole number"):
            audio.write(tmp_path / "a.wav", noise(), rate)

    @pytest.mark.parametrize(
        ("samples", "words"),
        [
            (np.zeros((2, 9), np.int16), "dtype int16; want real floats"),
            (np.zeros((2, 9), complex), "dtype complex128"),
            (np.zeros((2, 2, 9)), r"shape \(2, 2, 9\); want \(channels, n\)"),
            (np.zeros(()), r"shape \(\)"),
            (np.zeros((2, 0)), "none; want at least one sample"),
            (np.zeros((9, 100)), "9 channels at 48000 Hz as PCM_24 for .flac"),
        ],
    )
    def test_samples_that_are_no_audio(
        self, tmp_path: Path, samples: NDArray[Any], words: str
    ) -> None:
        with refused("samples: got", words):
            audio.write(tmp_path / "a.flac", samples, RATE)
        assert list(tmp_path.iterdir()) == []

    def test_channels_that_come_last(self, tmp_path: Path) -> None:
        with refused("channels: got 5000; want 1 to 1024", "transpose"):
            audio.write(tmp_path / "a.wav", noise().T, RATE)
        with (
            refused(r"block: got shape \(5000, 2\); want \(2, n\); transpose it"),
            audio.Writer(tmp_path / "a.wav", 2, RATE) as writer,
        ):
            writer.write(noise().T)

    def test_arrays_of_objects_and_normalized_arrays(self, tmp_path: Path) -> None:
        with refused("samples: got dtype object; want numbers"):
            audio.write(tmp_path / "a.npy", np.array([None]))
        for attempt in (
            lambda: audio.write(tmp_path / "a.npy", noise(), normalize=True),
            lambda: audio.Writer(tmp_path / "a.npy", 2, normalize=True),
        ):
            with refused("normalize: got True for 'a.npy'"):
                attempt()

    def test_blocks_whose_dtype_changes(self, tmp_path: Path) -> None:
        with (
            refused("block: got dtype int64; want float32, as the blocks before"),
            audio.Writer(tmp_path / "a.npy", 2) as writer,
        ):
            writer.write(noise())
            writer.write(noise().astype(int))

    def test_places_where_no_file_can_be(self, tmp_path: Path) -> None:
        with refused("path: got", "whose folder does not exist"):
            audio.write(tmp_path / "no" / "a.wav", noise(), RATE)
        (tmp_path / "folder.wav").mkdir()
        with refused("path: got", "which is no file"):
            audio.write(tmp_path / "folder.wav", noise(), RATE)
        (tmp_path / "file").touch()
        with refused("path: got", "Not a directory"):
            audio.write(tmp_path / "file" / "a.npy", noise())

    def test_more_than_a_wav_file_holds(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from convolved.audio import formats

        small = formats.Format("WAV", "FLOAT", greatest_bytes=100_000)
        monkeypatch.setitem(formats.FORMATS, ".wav", small)
        audio.write(tmp_path / "a.wav", noise(2, 12_500), RATE)
        with refused("samples: got", "for 'a.wav'; want less than 4 GiB", "w64"):
            audio.write(tmp_path / "a.wav", noise(2, 12_501), RATE)
        audio.write(tmp_path / "a.w64", noise(2, 12_501), RATE)

    @pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.npy"])
    @pytest.mark.parametrize("in_blocks", [False, True])
    def test_a_full_disk_is_called_so(self, tmp_path: Path, name: str, in_blocks: bool) -> None:
        def fill() -> None:
            if in_blocks:
                with audio.Writer(tmp_path / name, 2, RATE) as writer:
                    writer.write(noise(2, 400_000))
            else:
                audio.write(tmp_path / name, noise(2, 400_000), RATE)

        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            with pytest.raises(ResourceExhausted, match="want more room on the disk"):
                fill()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "attempt"),
    [
        ("soundfile", lambda folder: audio.write(folder / "b.wav", noise(), RATE)),
        ("soundfile", lambda folder: audio.read(folder / "a.wav")),
        ("soxr", lambda _: audio.resample(audio.Recording(noise(), RATE), 8000)),
    ],
)
def test_a_light_install_names_the_extra(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    attempt: Callable[[Path], object],
) -> None:
    audio.write(tmp_path / "a.wav", noise(), RATE)
    really = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name == module:
            raise ModuleNotFoundError(name)
        return really(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"pip install 'convolved\[cli\]'"):
        attempt(tmp_path)
    audio.write(tmp_path / "a.npy", noise())
    np.testing.assert_array_equal(audio.read(tmp_path / "a.npy").samples, noise())
