"""`convolved filters` and what can be done with a name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import fftconvolve

from convolved import Client, Conv
from tests.client.cli.run import RATE, Ended, convolved, noise, samples_of, wav

STEREO = noise(2, 400)


@pytest.fixture(autouse=True)
def no_filters_but_ours(client: Client) -> Iterator[None]:
    # The server is that of the whole run, and other files leave theirs behind.
    forget_filters(client)
    yield
    forget_filters(client)


def forget_filters(client: Client) -> None:
    for info in client.filters():
        client.delete_filter(info.name)


@pytest.fixture
def hall(tmp_path: Path) -> Path:
    return wav(tmp_path / "hall.wav", STEREO)


def done(address: str, *arguments: object) -> Ended:
    ended = convolved(*arguments, env={"CONVOLVED_SERVER": address})
    assert ended.code == 0, ended.err
    return ended


def test_a_filter_is_added_listed_shown_applied_and_removed(
    tmp_path: Path, address: str, hall: Path
) -> None:
    name = done(address, "filters", "add", hall).out.strip()
    assert len(name) == len("filters/") + 64

    assert name[:20] in done(address, "filters", "list").out
    shown = done(address, "filters", "show", name[8:16]).out
    assert name in shown
    assert "stereo" in shown
    assert "8 kHz" in shown

    x = noise(2, 1000, seed=5)
    dry = wav(tmp_path / "dry.wav", x)
    done(address, "apply", dry, name[:16], tmp_path / "wet.wav")
    expected = np.stack([fftconvolve(a, h) for a, h in zip(x, STEREO, strict=True)])
    np.testing.assert_allclose(samples_of(tmp_path / "wet.wav"), expected, atol=1e-6)
    planned = done(address, "plan", name, "--seconds", 1, "--json").report
    assert planned["output_shape"] == [1, 2, RATE + 399]

    removed = done(address, "filters", "rm", name[:12])
    assert (removed.out, removed.err) == ("", f"removed {name}\n")
    ended = done(address, "filters", "list")
    assert (ended.out, ended.err) == ("", "the server holds no filters\n")


def test_machines_get_the_same_as_objects(address: str, hall: Path) -> None:
    added = done(address, "filters", "add", hall, "--json").report
    assert done(address, "filters", "show", added["name"], "--json").report == added
    assert done(address, "filters", "list", "--json").report == {"filters": [added]}
    assert added["sample_rate_hertz"] == RATE
    assert added["in_channels"] == 2
    removed = done(address, "filters", "rm", added["name"], added["name"], "--json").report
    assert removed == {"removed": [added["name"]]}
    assert done(address, "filters", "list", "--json").report == {"filters": []}


def test_a_stereo_response_can_be_for_mono_signals(
    tmp_path: Path, address: str, hall: Path
) -> None:
    added = done(address, "filters", "add", hall, "--channels", 1, "--json").report
    assert added["in_channels"] == 1
    x = noise(1, 1000, seed=5)
    dry = wav(tmp_path / "dry.wav", x)
    done(address, "apply", dry, added["name"], tmp_path / "wet.wav", "--mix", 0.5)
    expected = np.stack([0.5 * fftconvolve(x[0], h) for h in STEREO])
    expected[:, :1000] += 0.5 * x
    np.testing.assert_allclose(samples_of(tmp_path / "wet.wav"), expected, atol=1e-6)


def test_a_held_filter_of_other_channels_or_another_rate_is_refused(
    tmp_path: Path, address: str, hall: Path
) -> None:
    name = done(address, "filters", "add", hall).out.strip()
    for samples, rate, words in [
        (noise(3, 100), RATE, "KERNEL: got a filter of 2 channels for a signal of 3; want a"),
        (noise(2, 100), 48_000, "KERNEL: got a filter made for 8 kHz with a signal at 48 kHz"),
    ]:
        dry = wav(tmp_path / "dry.wav", samples, rate)
        ended = convolved("apply", dry, name, tmp_path / "wet.wav", "--server", address)
        assert ended.code == 2
        assert words in ended.err


def test_a_held_filter_for_pictures_is_refused(
    tmp_path: Path, address: str, client: Client
) -> None:
    handle = client.register(Conv(np.ones((1, 1, 3, 3), np.float32)))
    dry = wav(tmp_path / "dry.wav", noise(1, 100))
    ended = convolved("apply", dry, handle.name, tmp_path / "wet.wav", "--server", address)
    assert ended.code == 2
    assert "KERNEL: got a filter of rank 2; want one of rank 1" in ended.err


@pytest.mark.parametrize("name", ["filters/" + 64 * "0", "00000000"])
@pytest.mark.parametrize("command", ["show", "rm"])
def test_a_name_that_the_server_does_not_hold_is_an_exit_code_of_its_own(
    address: str, name: str, command: str
) -> None:
    ended = convolved("filters", command, name, "--server", address)
    assert ended.code == 4
    assert ended.err.startswith("convolved: ")
    assert "filter" in ended.err


def test_of_several_names_all_are_removed_or_none(tmp_path: Path, address: str, hall: Path) -> None:
    name = done(address, "filters", "add", hall).out.strip()
    assert convolved("filters", "rm", name, "00000000", "--server", address).code == 4
    assert name[:20] in done(address, "filters", "list").out


def test_digits_that_several_names_begin_with_are_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alike = [SimpleNamespace(name=f"filters/abcd{digit * 60}") for digit in "01"]
    monkeypatch.setattr("convolved.client.Client.filters", lambda _: alike)
    ended = convolved("filters", "show", "abcd", "--server", address)
    assert ended.code == 2
    assert "NAME: got 'abcd', with which 2 names begin; want more of its digits" in ended.err
