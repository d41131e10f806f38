"""The cache folder is where the platform keeps caches, and what it cannot keep is done without."""

from __future__ import annotations

from pathlib import Path

import pytest

from convolved_engine import caching


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"CONVOLVED_CACHE": "/here", "XDG_CACHE_HOME": "/there"}, "/here"),
        ({"XDG_CACHE_HOME": "/there"}, "/there/convolved"),
        ({"XDG_CACHE_HOME": "not/absolute"}, "/home/me/.cache/convolved"),
        ({}, "/home/me/.cache/convolved"),
    ],
)
def test_the_folder_follows_the_setting_then_the_platform(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("CONVOLVED_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **settings}.items():
        monkeypatch.setenv(name, value)
    assert caching.folder() == Path(expected)


def test_what_is_written_is_read_again_and_nothing_else_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVOLVED_CACHE", str(tmp_path / "new" / "folder"))
    assert caching.read("text") is None
    assert caching.write("text", "first") == tmp_path / "new" / "folder" / "text"
    caching.write("text", "second")
    assert caching.read("text") == "second"
    assert [path.name for path in caching.folder().iterdir()] == ["text"]


def test_where_nothing_can_be_written_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVOLVED_CACHE", "/dev/null/folder")
    assert caching.write("text", "lost") is None
    assert caching.read("text") is None
