"""Settings: flags before environment before file before default, and nothing overlooked."""

from __future__ import annotations

from pathlib import Path

import pytest

from convolved_server.flags import from_flags
from convolved_server.settings import Settings, load, unknown_in_environment
from convolved_vocabulary import InvalidArgument


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"CONVOLVED_{name.upper()}", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "convolved.toml"
    path.write_text('grace_seconds = 3\nstreams = 33\nstore_bytes = "1GiB"\n', encoding="utf-8")
    return path


def test_each_source_gives_way_to_the_one_before_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVOLVED_GRACE_SECONDS", "2")
    monkeypatch.setenv("CONVOLVED_STREAMS", "22")
    settings = from_flags(["--config", str(file), "--grace-seconds", "1"])
    assert settings.grace_seconds == 1
    assert settings.streams == 22
    assert settings.store_bytes == 1 << 30
    assert settings.filter_layers == Settings.model_fields["filter_layers"].default


def test_the_file_may_be_named_in_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVOLVED_CONFIG", str(file))
    assert load().streams == 33


def test_sizes_are_read_with_their_units() -> None:
    assert from_flags(["--filter-bytes", "8MiB"]).filter_bytes == 8 << 20
    assert from_flags(["--filter-bytes", "1000"]).filter_bytes == 1000


def test_switches_have_two_positions() -> None:
    assert from_flags([]).reflection
    assert not from_flags(["--no-reflection"]).reflection
    assert from_flags(["--until-stdin-closes"]).until_stdin_closes


def test_an_unknown_key_of_the_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "typo.toml"
    path.write_text("grace_second = 3\n", encoding="utf-8")
    with pytest.raises(InvalidArgument, match=r"^grace_second: got a setting that is not known"):
        load({"config": path})


def test_an_unknown_flag_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        from_flags(["--grace-second", "3"])
    assert stopped.value.code == 2
    assert "--grace-second" in capsys.readouterr().err


def test_an_unknown_variable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVOLVED_GRACE_SECOND", "3")
    monkeypatch.setenv("CONVOLVED_TOKEN", "a client's")
    assert unknown_in_environment() == ["CONVOLVED_GRACE_SECOND"]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--streams", "many"], "--streams: got 'many'"),
        (["--streams", "0"], "--streams: got '0'; want greater than or equal to 1"),
        (["--grace-seconds", "nan"], "--grace-seconds: got 'nan'"),
        (["--filter-bytes", "big"], "--filter-bytes: got 'big'"),
        (["--log-level", "loud"], "--log-level: got 'loud'"),
        (["--frame-bytes", "2MiB"], "--frame-bytes: got '2MiB'"),
    ],
)
def test_a_bad_value_is_refused_under_the_name_of_its_flag(flags: list[str], named: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        from_flags(flags)
    assert str(refused.value).startswith(named)


def test_a_bad_value_is_refused_under_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONVOLVED_STREAMS", "many")
    with pytest.raises(InvalidArgument, match=r"^CONVOLVED_STREAMS: got 'many'"):
        load()


@pytest.mark.parametrize("content", [None, "grace_seconds = = 3\n", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: str | bytes | None) -> None:
    path = tmp_path / "bad.toml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidArgument, match=r"^config: got .*; want a readable TOML file"):
        load({"config": path})


def test_every_setting_is_explained_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        from_flags(["--help"])
    assert stopped.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in shown
        assert field.description
        assert field.description.split(";")[0] in shown.replace("- ", "-")
