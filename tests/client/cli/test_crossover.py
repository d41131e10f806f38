"""`convolved plan --plot`: predicted and measured times over kernel length, in one picture."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from convolved.cli import crossover, curves
from convolved.cli.crossover import Curves, lengths
from tests.client.cli.run import convolved, noise


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    np.save(tmp_path / "h.npy", noise(60))
    return tmp_path / "h.npy"


def size_of(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", head[16:])
    return width, height


def told(monkeypatch: pytest.MonkeyPatch) -> list[Curves]:
    """Let pictures be drawn, and keep what they show."""
    shown: list[Curves] = []
    draw = curves.draw

    def keep(found: Curves, path: Path, title: str) -> None:
        shown.append(found)
        draw(found, path, title)

    monkeypatch.setattr(curves, "draw", keep)
    return shown


@pytest.mark.parametrize(
    ("transform", "length"),
    [
        ({64: 1.5, 128: 1.5}, 96),
        ({64: 1.0, 128: 1.0}, 64),
        ({64: 2.0, 128: 2.0}, None),
        ({128: 1.0}, 128),
    ],
)
def test_the_choice_changes_where_the_lines_cross(
    transform: dict[int, float], length: int | None
) -> None:
    predicted = {"direct": {64: 1.0, 128: 2.0}, "overlap_save": transform}
    expected = [] if length is None else [(length, "direct", "overlap_save")]
    assert Curves((1, 9), "float32", 99, predicted, {}).crossovers() == expected


def test_a_named_server_is_asked_for_predictions_only(
    kernel: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = told(monkeypatch)
    options = ("--shape", "1,480000", "--plot", tmp_path / "p.png", "--server", address)
    ended = convolved("plan", kernel, *options)
    assert ended.code == 0, ended.err
    assert "p.png" in ended.err
    assert "overlap_save" in ended.out
    assert size_of(tmp_path / "p.png") == (1600, 1000)
    [found] = shown
    assert found.measured == {}
    assert found.taps == 60
    assert {"direct", "im2col", "overlap_save"} <= found.predicted.keys()
    [(length, before, after)] = found.crossovers()
    assert (before, after) == ("direct", "overlap_save")
    assert 8 < length < 4096


def test_an_embedded_server_measures_what_it_predicts(
    kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crossover, "LONGEST", 32)
    shown = told(monkeypatch)
    env = {"CONVOLVED_CACHE": str(tmp_path / "cache")}
    options = ("--shape", "1,3000", "--plot", tmp_path / "p.png", "--json")
    ended = convolved("plan", kernel, *options, env=env)
    assert ended.code == 0, ended.err
    assert ended.err == ""
    [found] = shown
    assert set(found.measured["direct"]) == {4, 8, 16, 32}
    assert set(found.measured["direct"]) < set(found.predicted["direct"])
    for times in found.measured.values():
        assert all(0 < seconds < 1 for seconds in times.values())
    assert crossover.RIGOR not in os.environ


def test_lengths_end_with_the_signal_and_what_a_request_holds() -> None:
    assert max(lengths(100, 1, 1000)) <= 1000
    assert max(lengths(10**6, 64, 10**9)) * 64 * 4 <= crossover.MOST_KERNEL_BYTES
    assert lengths(5, 1, 10**6)[-1] == 4096


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--plot", "p.jpg"), "--plot: got 'p.jpg'; want a path that ends in .png"),
        (("--plot", "p.png", "--block", 64), "--plot: got a live stream"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(
    kernel: Path, address: str, options: tuple[object, ...], said: str
) -> None:
    ended = convolved("plan", kernel, "--shape", "1,999", *options, "--server", address)
    assert ended.code == 2
    assert said in ended.err


def test_a_filter_whose_weights_the_server_keeps_has_no_crossover(address: str) -> None:
    options = ("--shape", "1,999", "--plot", "p.png", "--server", address)
    ended = convolved("plan", "filters/" + "0" * 64, *options)
    assert ended.code == 2
    assert "want a file as KERNEL" in ended.err
