"""The picture of before and after: whole, readable, true to its signals; and the example data."""

from __future__ import annotations

import builtins
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray
from scipy.signal import oaconvolve

from convolved import audio, picture
from convolved.spectrogram import ROWS, Grid, outline, power
from convolved_vocabulary.errors import InvalidArgument, MissingExtra

RATE = 48_000
DATA = Path(__file__).parents[2] / "examples" / "data"


def pixels(path: Path) -> NDArray[Any]:
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    image = imread(path)
    assert image.shape[:2] == (picture.HEIGHT, picture.WIDTH)
    return np.asarray(image[..., :3])


def panel(image: NDArray[Any], edges: tuple[int, int]) -> NDArray[Any]:
    top, height = edges
    return image[top : top + height, picture.LEFT : picture.WIDTH - picture.RIGHT]


def seen_until(part: NDArray[Any]) -> float:
    """The share of a panel's width after which nothing but white follows."""
    drawn = np.flatnonzero((part < 0.7).any(axis=(0, 2)))
    return float((drawn[-1] + 1) / part.shape[1])


@pytest.fixture(scope="module")
def example() -> tuple[NDArray[Any], NDArray[Any]]:
    dry = audio.read(DATA / "voice.flac").samples
    return dry, oaconvolve(dry, audio.read(DATA / "hall.wav").samples, axes=1)


class TestExampleData:
    def test_together_they_stay_under_a_megabyte(self) -> None:
        assert sum(path.stat().st_size for path in DATA.iterdir() if path.is_file()) < 1_000_000

    def test_a_mono_voice_and_a_stereo_hall_share_one_rate(self) -> None:
        voice, hall = audio.read(DATA / "voice.flac"), audio.read(DATA / "hall.wav")
        assert voice.sample_rate_hertz == hall.sample_rate_hertz == RATE
        assert (voice.channels, hall.channels) == (1, 2)
        assert voice.seconds == pytest.approx(10.7, abs=0.1)
        assert hall.seconds == 1.6

    def test_the_wet_voice_fits_into_whole_numbers(
        self, example: tuple[NDArray[Any], NDArray[Any]]
    ) -> None:
        for x in example:
            _, fit = audio.fit_peak(x, "PCM_16")
            assert fit.peak_dbfs == pytest.approx(-3, abs=0.1)

    def test_the_hall_starts_with_its_direct_sound_and_dies_away(self) -> None:
        for ear in audio.read(DATA / "hall.wav").samples:
            assert np.abs(ear).argmax() == pytest.approx(0.002 * RATE, abs=10)
            energy = np.cumsum(ear[::-1] ** 2)[::-1]
            left = 10 * np.log10(energy / energy[0] + 1e-20)
            at_5, at_35 = np.argmax(left < -5), np.argmax(left < -35)
            assert 1.2 < 2 * (at_35 - at_5) / RATE < 2.0
            assert left[int(1.5 * RATE)] < -55


class TestPicture:
    def test_every_panel_shows_something(
        self, tmp_path: Path, example: tuple[NDArray[Any], NDArray[Any]]
    ) -> None:
        picture.before_and_after(*example, RATE, tmp_path / "wet.png", title="A voice in a hall")
        image = pixels(tmp_path / "wet.png")
        for edges in picture.WAVEFORMS:
            assert panel(image, edges).std() > 0.1
        for edges in picture.SPECTROGRAMS:
            assert panel(image, edges).std() > 0.15
        assert (tmp_path / "wet.png").stat().st_size < 2_000_000

    def test_time_runs_alike_in_all_panels(
        self, tmp_path: Path, example: tuple[NDArray[Any], NDArray[Any]]
    ) -> None:
        dry, wet = example
        picture.before_and_after(dry, wet, RATE, tmp_path / "wet.png")
        image = pixels(tmp_path / "wet.png")
        share = dry.shape[1] / wet.shape[1]
        before, after = (panel(image, edges) for edges in picture.SPECTROGRAMS)
        assert seen_until(before) == pytest.approx(share, abs=0.002)
        assert seen_until(after) == 1

    def test_colors_mean_the_same_before_and_after(self, tmp_path: Path) -> None:
        x = np.random.default_rng(0).normal(size=20 * RATE) * 0.1
        picture.before_and_after(x, x / 100, RATE, tmp_path / "a.png")
        image = pixels(tmp_path / "a.png")
        before, after = (panel(image, edges).mean() for edges in picture.SPECTROGRAMS)
        assert before > 2 * after

    def test_the_same_signals_give_the_same_bytes(self, tmp_path: Path) -> None:
        x = np.sin(np.arange(9000))
        for name in ("a.png", "b.png"):
            picture.before_and_after(x, x, 8000, tmp_path / name)
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()

    @pytest.mark.parametrize(
        ("dry", "wet", "rate"),
        [
            (np.ones(1), np.ones((3, 2)), 8000),
            (np.zeros(5000), np.zeros(6000), 0.1),
            (np.full(5000, np.nan), np.full((2, 5000), -np.inf), RATE),
            (np.arange(5000, dtype=np.int16), np.arange(100, dtype=np.float16), 1e6),
        ],
    )
    def test_any_real_signal_can_be_drawn(
        self, tmp_path: Path, dry: NDArray[Any], wet: NDArray[Any], rate: float
    ) -> None:
        picture.before_and_after(dry, wet, rate, tmp_path / "a.png")
        assert pixels(tmp_path / "a.png").std() > 0.05

    @pytest.mark.parametrize(
        ("dry", "wet", "rate", "name", "words"),
        [
            (np.ones(0), np.ones(5), 1, "a.png", r"dry: got float64 of shape \(0,\); want real"),
            (np.ones(5), np.ones(5) * 1j, 1, "a.png", "wet: got complex128"),
            (np.ones(5), np.ones((2, 2, 2)), 1, "a.png", r"wet: got float64 of shape \(2, 2, 2\)"),
            (np.ones(5), np.ones(5), 0, "a.png", "sample_rate_hertz: got 0; want a rate above 0"),
            (np.ones(5), np.ones(5), 1, "a.jpg", r"path: got '.*a\.jpg'; want .* ends in \.png"),
            (np.ones(5), np.ones(5), 1, "no/a.png", "path: got .* folder does not exist"),
        ],
    )
    def test_what_cannot_be_drawn_is_refused(
        self,
        tmp_path: Path,
        dry: NDArray[Any],
        wet: NDArray[Any],
        rate: float,
        name: str,
        words: str,
    ) -> None:
        with pytest.raises(InvalidArgument, match=words):
            picture.before_and_after(dry, wet, rate, tmp_path / name)
        assert list(tmp_path.iterdir()) == []

    def test_a_light_install_names_the_extra(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        really = builtins.__import__

        def without(name: str, *args: Any, **options: Any) -> Any:
            if name.startswith("matplotlib"):
                raise ModuleNotFoundError(name)
            return really(name, *args, **options)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(MissingExtra, match=r"pip install 'convolved\[cli\]'"):
            picture.before_and_after(np.ones(5), np.ones(5), 1, tmp_path / "a.png")


class TestSpectrogram:
    @pytest.mark.parametrize("hertz", [110, 440, 3000, 15_000])
    def test_a_tone_lies_at_its_pitch(self, hertz: float) -> None:
        grid = Grid.of(RATE, RATE, 200)
        tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)
        middle = power(tone[np.newaxis], grid)[:, 100]
        bin_height = grid.height(hertz + RATE / grid.window) - grid.height(hertz)
        assert middle.argmax() / ROWS == pytest.approx(grid.height(hertz), abs=bin_height)

    def test_a_click_lies_at_its_time(self) -> None:
        x = np.zeros((1, 10 * RATE))
        x[0, 7 * RATE + 240] = 1
        grid = Grid.of(10 * RATE, RATE, 1000)
        loud = power(x, grid).sum(axis=0)
        assert loud.argmax() == 700
        assert np.flatnonzero(loud).min() >= 697

    def test_channels_are_averaged_in_power_and_cannot_cancel(self) -> None:
        x = np.random.default_rng(0).normal(size=(1, RATE))
        grid = Grid.of(RATE, RATE, 100)
        np.testing.assert_allclose(power(np.concatenate([x, -x]), grid), power(x, grid), rtol=1e-5)
        half = np.concatenate([x, 0 * x])
        np.testing.assert_allclose(2 * power(half, grid), power(x, grid), rtol=1e-5)

    def test_how_it_is_cut_into_chunks_changes_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        x = np.random.default_rng(0).normal(size=(2, 5 * RATE))
        grid = Grid.of(5 * RATE, RATE, 70)
        whole = power(x, grid)
        monkeypatch.setattr("convolved.spectrogram.CHUNK_SAMPLES", 10_000)
        np.testing.assert_allclose(power(x, grid), whole, rtol=1e-4)

    def test_the_outline_touches_every_extreme_and_passes_over_what_is_not_finite(self) -> None:
        x = np.random.default_rng(0).normal(size=(2, 1003))
        low, high = outline(x, Grid.of(1003, RATE, 10))
        assert (low.min(), high.max()) == (x.min(), x.max())
        assert (low[0], high[0]) == (x[:, :101].min(), x[:, :101].max())
        x[0, :50] = np.nan
        np.testing.assert_array_equal(
            outline(x, Grid.of(1003, RATE, 10))[:, 0],
            [min(x[0, 50:101].min(), x[1, :101].min()), max(x[0, 50:101].max(), x[1, :101].max())],
        )

    def test_memory_follows_the_picture_and_not_the_signal(self, tmp_path: Path) -> None:
        np.save(tmp_path / "long.npy", np.zeros((1, 20_000_000), np.float32))
        x = np.load(tmp_path / "long.npy", mmap_mode="r")
        grid = Grid.of(x.shape[1], RATE, 1000)
        tracemalloc.start()
        try:
            power(x, grid)
            outline(x, grid)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < 40e6 < x.nbytes
