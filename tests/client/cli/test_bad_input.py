"""What is wrong is told in one line that names it, says what came and what would do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convolved import audio
from tests.client.cli.run import Ended, convolved, noise, wav


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files good and bad."""
    made = tmp_path_factory.mktemp("files")
    for channels in (1, 2, 3, 4):
        wav(made / f"{channels}.wav", noise(channels, 300))
    wav(made / "96k.wav", noise(1, 300), 96_000)
    audio.write(made / "empty.npy", np.zeros((2, 0)))
    (made / "text.wav").write_text("no sound at all")
    (made / "nothing.wav").touch()
    whole = (made / "2.wav").read_bytes()
    (made / "torn.wav").write_bytes(whole[:20])
    np.save(made / "mono.npy", noise(300))
    np.save(made / "last.npy", noise(3000, 2))
    np.save(made / "matrix.npy", noise(3, 2, 10))
    np.save(made / "complex.npy", noise(300) * 1j)
    np.save(made / "whole.npy", np.arange(300))
    np.save(made / "object.npy", np.array([None]), allow_pickle=True)
    (made / "folder.wav").mkdir()
    return made


def refused(ended: Ended, *words: str, code: int = 2) -> None:
    assert ended.code == code
    assert ended.out == ""
    [line] = [each for each in ended.err.splitlines() if each.startswith("convolved: ")]
    assert line == ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err
    for each in words:
        assert each in line


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("none.wav 1.wav out.wav", ["IN: got ", "none.wav", "want "]),
        ("1.wav none.wav out.wav", ["KERNEL: got ", "none.wav", "want "]),
        ("text.wav 1.wav out.wav", ["IN: got ", "looks like a text", "want a WAV, FLAC, OGG or"]),
        ("1.wav text.wav out.wav", ["KERNEL: got ", "looks like a text"]),
        ("nothing.wav 1.wav out.wav", ["IN: got ", "nothing.wav"]),
        ("torn.wav 1.wav out.wav", ["IN: got ", "torn.wav"]),
        ("folder.wav 1.wav out.wav", ["IN: got ", "folder.wav"]),
        ("empty.npy 1.wav out.wav", ["IN: got ", "no samples", "want at least one sample"]),
        ("object.npy 1.wav out.wav", ["IN: got ", "dtype object"]),
        ("last.npy 1.wav out.wav", ["IN: got ", "channels look last", "transpose it"]),
        ("1.wav last.npy out.wav", ["KERNEL: got ", "channels look last", "transpose it"]),
        ("matrix.npy 1.wav out.wav", ["IN: got ", "(3, 2, 10)", "want shape (n,) or (channels, n"]),
        ("complex.npy 1.wav out.wav", ["OUT: got ", "complex", "want an .npy file"]),
        ("whole.npy whole.npy out.wav --rate 8000", ["OUT: got ", "int64", "want an .npy file"]),
        ("mono.npy mono.npy out.wav", ["--rate: got none", "want the sample rate in hertz"]),
        ("mono.npy mono.npy out.wav --rate 0", ["--rate: got 0; want a rate above 0"]),
        ("1.wav 1.wav out.wav --rate 8000", ["--rate: got 8000 with files that state their own"]),
        ("1.wav 3.wav out.wav", ["KERNEL: got 3 channels for a signal of 1; want 1 (each"]),
        ("3.wav 2.wav out.wav", ["KERNEL: got 2 channels for a signal of 3", "or 3 (channel by"]),
        ("1.wav matrix.npy out.wav", ["KERNEL: got a matrix from 2 channels to 3 for a signal"]),
        ("2.wav matrix.npy out.wav --mix 0.5", ["--mix: got 0.5 for 2 channels that become 3"]),
        ("1.wav 1.wav out.wav --mix 1.5", ["--mix: got 1.5; want 0 (the signal alone) to 1"]),
        ("1.wav 1.wav out.wav --mix nan", ["--mix: got nan; want 0"]),
        ("1.wav 1.wav out.wav --mix half", ["--mix: got 'half'; want a valid number"]),
        ("1.wav 1.wav out.wav --gain inf", ["--gain: got inf; want decibels, such as -6"]),
        ("1.wav 1.wav out.mp3", ["OUT: got ", "'.mp3'", "want a path that ends in .wav, "]),
        ("1.wav 1.wav out", ["OUT: got ", "ending is missing"]),
        ("1.wav 1.wav no/out.wav", ["OUT: got ", "whose folder does not exist"]),
        ("1.wav 1.wav folder.wav", ["OUT: got ", "which is no file"]),
        (
            "1.wav 1.wav out.wav --subtype X",
            ["--subtype: got 'X' for .wav; want one", "PCM_24"],
        ),
        ("1.wav 1.wav out.npy --normalize", ["--normalize: got it for ", "want an audio file"]),
        ("1.wav 1.wav out.wav --plot p.jpg", ["--plot: got ", "want a path that ends in .png"]),
        ("1.wav 1.wav out.wav --plot no/p.png", ["--plot: got ", "whose folder does not exist"]),
        ("complex.npy 1.wav out.npy --plot p.png", ["--plot: got complex samples; want real"]),
        ("mono.npy mono.npy out.npy --plot p.png", ["--rate: got none"]),
        ("1.wav 1.wav out.wav --accuracy good", ["--accuracy: got 'good'; want one of 'fast',"]),
        ("1.wav filters/xyz out.wav", ["KERNEL: got 'filters/xyz'; want 'filters/' and 64"]),
        ("1.wav", ["missing argument 'KERNEL'; see 'convolved apply --help'"]),
        ("1.wav 1.wav out.wav --loud", ["no such option: --loud"]),
    ],
)
def test_apply_refuses_what_cannot_be_done(
    folder: Path, address: str, monkeypatch: pytest.MonkeyPatch, given: str, words: list[str]
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    refused(convolved("apply", *given.split(), "--server", address), *words)
    assert sorted(folder.rglob("*")) == before


def test_an_algorithm_that_no_server_has_is_told_by_the_server_in_the_words_of_the_option(
    folder: Path, address: str
) -> None:
    files = (folder / "1.wav", folder / "1.wav", folder / "out.wav")
    ended = convolved("apply", *files, "--algorithm", "magic", "--server", address)
    refused(ended, "--algorithm: got 'magic'; want one of ", "'overlap_save'")


def test_headers_are_checked_before_a_server_is_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start() -> None:
        raise AssertionError("a server was started")

    monkeypatch.setattr("convolved.cli.servers.EmbeddedServer", start)
    refused(convolved("apply", folder / "1.wav", folder / "3.wav", folder / "out.wav"), "KERNEL: ")


def test_damage_inside_a_file_leaves_no_part_of_a_result(folder: Path, address: str) -> None:
    x = noise(1, 400_000)
    audio.write(folder / "whole.flac", x, 48_000)
    raw = bytearray((folder / "whole.flac").read_bytes())
    raw[len(raw) * 3 // 4 :] = bytes(len(raw) - len(raw) * 3 // 4)
    (folder / "torn.flac").write_bytes(raw)
    before = sorted(folder.rglob("*"))
    files = (folder / "torn.flac", folder / "96k.wav", folder / "out.wav")
    ended = convolved("apply", *files, "--server", address)
    refused(ended, "IN: got ", "torn.flac", "want a")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("plan none.wav", ["KERNEL: got "]),
        ("plan 2.wav --seconds 0", ["--seconds: got 0; want a length above 0"]),
        ("plan 2.wav --seconds nan", ["--seconds: got nan; want a length above 0"]),
        ("plan 2.wav --channels 3", ["KERNEL: got 2 channels for a signal of 3"]),
        ("plan 2.wav --channels 0", ["--channels: got 0; want at least 1"]),
        ("plan 2.wav --channels two", ["--channels: got 'two'; want a valid integer"]),
        ("plan 2.wav --shape 2x3", ["--shape: got '2x3'; want whole numbers with commas"]),
        ("plan 2.wav --shape 2,0", ["--shape: got '2,0'"]),
        ("plan 2.wav --shape 1,1,1,1", ["--shape: got "]),
        ("plan mono.npy", ["--rate: got none", "want the rate in hertz, or --shape"]),
        ("plan 2.wav --rate 8000", ["--rate: got 8000 with files"]),
        ("plan 2.wav --dtype wave", ["--dtype: got 'wave'; want one of ", "float32"]),
        ("plan 2.wav --block 0", ["--block: got 0; want an integer of at least 1"]),
        ("filters add 3.wav --channels 2", ["KERNEL: got 3 channels for a signal of 2"]),
        ("filters add filters/0123", ["KERNEL: got 'filters/0123', a name; want a file"]),
        ("filters show x", ["NAME: got 'x'; want 'filters/' and 64"]),
        ("filters rm XY", ["NAME: got 'XY'"]),
    ],
)
def test_the_other_commands_refuse_what_cannot_be_done(
    folder: Path, address: str, monkeypatch: pytest.MonkeyPatch, given: str, words: list[str]
) -> None:
    monkeypatch.chdir(folder)
    refused(convolved(*given.split(), "--server", address), *words)


@pytest.mark.parametrize("command", ["list", "show 0123", "rm 0123", "add 1.wav"])
def test_commands_about_filters_need_a_running_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(folder)
    ended = convolved("filters", *command.split())
    refused(ended, "--server: got nothing; want the address of a running server")


@pytest.mark.parametrize(
    "command", ["info", "filters list", "plan 2.wav", "apply 1.wav 1.wav out.wav"]
)
def test_a_server_that_is_not_there_is_an_exit_code_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(folder)
    ended = convolved(*command.split(), "--server", "unix:nobody")
    refused(ended, "nobody", "cannot be reached", code=3)


def test_with_json_errors_are_objects_too(folder: Path) -> None:
    ended = convolved("plan", folder / "none.wav", "--json")
    assert ended.code == 2
    told = ended.report["error"]
    assert told["reason"] == "INVALID_ARGUMENT"
    assert told["argument"] == "KERNEL"
    assert told["exit_code"] == 2
    assert ended.err == f"convolved: {told['message']}\n"


def test_with_debug_at_any_place_the_traceback_is_shown(folder: Path) -> None:
    for words in (("--debug", "plan", "none.wav"), ("plan", "none.wav", "--debug")):
        ended = convolved(*words)
        assert ended.code == 2
        assert "Traceback" in ended.err
        assert ended.err.splitlines()[-1].startswith("convolved: KERNEL: got 'none.wav'")
    assert "Traceback" not in convolved("plan", "--", "--debug").err


def test_a_mistyped_command_names_the_one_that_was_meant() -> None:
    refused(convolved("aply"), "no such command 'aply'. Did you mean 'apply'? See")
