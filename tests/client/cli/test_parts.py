"""The pure parts: blending, rates, files in the place of arrays, words, errors, exit codes."""

from __future__ import annotations

import doctest
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convolved import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    MissingExtra,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
    audio,
)
from convolved.cli import commands, exits, failures, files, names, rates, routing, words
from convolved.cli.blending import Blend
from convolved.cli.exits import MEANINGS, ExitCode, code_of
from convolved.cli.files import FileSignal
from convolved.cli.rates import settle
from convolved.wire.reasons import Draining, Overloaded, Unauthenticated
from tests.client.cli.run import noise, wav


@pytest.mark.parametrize("module", [commands, exits, files, names, rates, routing, words])
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


class TestBlending:
    @given(
        st.lists(st.integers(0, 40), max_size=8),
        st.lists(st.integers(0, 60), min_size=1, max_size=8),
        st.floats(0, 1),
        st.floats(-40, 20),
        st.sampled_from([1, 2]),
    )
    def test_however_the_blocks_are_cut_dry_and_wet_are_aligned(
        self, dry_cuts: list[int], wet_cuts: list[int], mix: float, gain: float, channels: int
    ) -> None:
        dry = [noise(channels, n, seed=n) for n in dry_cuts]
        wet = [noise(2, n, seed=n + 100) for n in wet_cuts]
        blend = Blend(iter(dry), mix, gain)
        found = np.concatenate([blend(block) for block in wet], axis=1)
        whole = np.concatenate(wet, axis=1)
        padded = np.zeros_like(whole)
        joined = np.concatenate([np.zeros((channels, 0), np.float32), *dry], axis=1)
        length = min(joined.shape[1], whole.shape[1])
        padded[:, :length] = joined[:, :length]
        expected = 10 ** (gain / 20) * ((1 - mix) * padded + mix * whole)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert found.dtype == np.float32

    def test_wet_alone_at_no_gain_is_left_to_the_bit_and_draws_no_dry_block(self) -> None:
        dry = iter([noise(2, 3)])
        wet = np.arange(6).reshape(2, 3)
        assert Blend(dry)(wet) is wet
        assert len(list(dry)) == 1


class TestRates:
    def test_the_kernel_is_brought_to_the_rate_of_the_signal(self) -> None:
        found = settle(48_000, 44_100, None)
        assert (found.signal, found.kernel, found.differ) == (48_000, 44_100, True)
        assert found.note == "resampled from 44.1 kHz to 48 kHz"

    def test_equal_rates_need_no_word(self) -> None:
        assert settle(48_000, 48_000, None) == rates.Rates(48_000, 48_000, "")

    def test_arrays_take_the_rate_of_the_other_file_and_this_is_said(self) -> None:
        assert settle(48_000, None, None) == rates.Rates(
            48_000, 48_000, "states no sample rate: taken as 48 kHz"
        )
        assert settle(None, 44_100, None) == rates.Rates(
            44_100, 44_100, "IN states no sample rate: taken as 44.1 kHz"
        )

    def test_a_rate_that_is_given_is_for_the_files_that_state_none(self) -> None:
        assert settle(None, 44_100, 48_000).differ
        assert settle(None, None, 48_000) == rates.Rates(48_000, 48_000, "")
        assert settle(None, None, None) == rates.Rates(None, None, "")

    @pytest.mark.parametrize(("signal", "given_rate"), [(8000, 8000), (None, 0), (None, -5)])
    def test_a_rate_that_is_none_or_is_not_needed_is_refused(
        self, signal: int | None, given_rate: int
    ) -> None:
        with pytest.raises(InvalidArgument, match=r"^--rate: got .*; want "):
            settle(signal, 8000, given_rate)


class TestFilesInThePlaceOfArrays:
    @pytest.fixture(autouse=True)
    def short_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "BLOCK_BYTES", 2 * 4 * 10)

    @pytest.mark.parametrize("ending", ["wav", "npy"])
    def test_slices_in_order_are_those_of_the_array(self, tmp_path: Path, ending: str) -> None:
        x = noise(2, 57)
        audio.write(tmp_path / f"x.{ending}", x, 8000)
        signal = FileSignal(audio.header(tmp_path / f"x.{ending}"))
        assert (signal.shape, signal.dtype) == (x.shape, x.dtype)
        for begin, end in [(0, 10), (10, 20), (20, 43), (43, 44), (44, 60)]:
            np.testing.assert_array_equal(signal[..., begin:end], x[..., begin:end])

    def test_a_stream_that_goes_on_somewhere_before_reads_anew(self, tmp_path: Path) -> None:
        x = noise(2, 57)
        signal = FileSignal(audio.header(wav(tmp_path / "x.wav", x)))
        for begin, end in [(0, 30), (7, 17), (23, 57), (50, 57), (0, 1)]:
            np.testing.assert_array_equal(signal[..., begin:end], x[..., begin:end])


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (InvalidArgument("x", 1, "2"), ExitCode.BAD_INPUT),
            (Unavailable("gone"), ExitCode.UNREACHABLE),
            (Draining("going"), ExitCode.UNREACHABLE),
            (NotFound("none"), ExitCode.NOT_FOUND),
            (PermissionDenied("no"), ExitCode.NOT_ALLOWED),
            (Unauthenticated("who"), ExitCode.NOT_ALLOWED),
            (ResourceExhausted("full"), ExitCode.NO_ROOM),
            (Overloaded("later"), ExitCode.NO_ROOM),
            (DeadlineExceeded("late"), ExitCode.NO_ROOM),
            (FailedPrecondition("not now"), ExitCode.FAILED),
            (MissingExtra("this", "cli"), ExitCode.FAILED),
            (MemoryError(), ExitCode.NO_ROOM),
            (KeyboardInterrupt(), ExitCode.INTERRUPTED),
            (OSError(28, "No space left on device", "wet.wav"), ExitCode.FAILED),
            (ZeroDivisionError("division by zero"), ExitCode.FAILED),
        ],
    )
    def test_each_error_has_its_code_and_one_line(
        self, error: BaseException, code: ExitCode
    ) -> None:
        assert code_of(error) == code
        found, line = failures.explain(error)
        assert found == code
        assert line
        assert "\n" not in line

    def test_a_fault_of_ours_says_so_and_how_to_see_more(self) -> None:
        _, line = failures.explain(ZeroDivisionError("division by zero"))
        assert "a fault of this program (ZeroDivisionError: division by zero)" in line
        assert "--debug" in line

    def test_every_code_has_a_meaning_that_the_help_shows(self) -> None:
        assert set(MEANINGS) == set(ExitCode)
