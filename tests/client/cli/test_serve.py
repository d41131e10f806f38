"""`convolved serve`, the real program: it says where it serves, and ends in order."""

from __future__ import annotations

import importlib
import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from convolved import Client
from convolved_server.settings import Settings, flag_of
from tests.client.cli.run import PROGRAM, Ended, convolved, environment, program

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start `convolved serve` with these flags; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def begin(*flags: object, **more: str) -> subprocess.Popen[str]:
        running.append(
            subprocess.Popen(
                [PROGRAM, "serve", *map(str, flags)],
                env=environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def ended(process: subprocess.Popen[str], number: int) -> Ended:
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return Ended(process.returncode, out, err)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_on_a_free_port_it_serves_until_it_is_told_to_stop(start: Start, number: int) -> None:
    process = start("--listen", "127.0.0.1:0")
    said, _, address = line_of(process).strip().rpartition(" ")
    assert said == "serving on"
    host, _, port = address.rpartition(":")
    assert host == "127.0.0.1"
    assert int(port) > 0
    assert convolved("health", "--server", address).out == "SERVING\n"
    with Client(address) as client:
        np.testing.assert_allclose(client.convolve([1.0, 2.0], [1.0, 1.0]), [1, 3, 2])
    end = ended(process, number)
    assert (end.code, end.out) == (0, "")
    assert "Traceback" not in end.err


def test_on_a_unix_socket_with_json_the_line_is_an_object(start: Start, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/s"
    process = start("--listen", address, "--json")
    assert json.loads(line_of(process)) == {"serving": address}
    assert convolved("health", "--server", address).code == 0
    assert ended(process, signal.SIGTERM).code == 0


def test_a_stop_while_it_is_still_starting_is_orderly_too(start: Start, tmp_path: Path) -> None:
    process = start("--listen", f"unix:{tmp_path}/s", "--warm-up-seconds", 30)
    while not (tmp_path / "s").exists():
        assert process.poll() is None
    end = ended(process, signal.SIGTERM)
    assert end.code == 0
    assert "Traceback" not in end.err


def test_a_token_of_the_environment_is_nothing_that_a_server_warns_of(
    start: Start, tmp_path: Path
) -> None:
    variables = {"CONVOLVED_SERVER": "conv:50051", "CONVOLVED_TOKEN": "secret"}
    process = start("--listen", f"unix:{tmp_path}/s", **variables)
    line_of(process)
    assert "unknown setting" not in ended(process, signal.SIGTERM).err


def test_an_address_that_is_taken_is_bad_input(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        end = program("serve", "--listen", address)
        told = program("serve", "--listen", address, "--json")
    assert (end.code, told.code) == (2, 2)
    assert end.out == ""
    last = end.err.splitlines()[-1]
    assert last.startswith(f"convolved: --listen: got {address}; want ")
    assert json.loads(told.out)["error"]["argument"] == "--listen"
    assert "Traceback" not in end.err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--threads", 0), "convolved: --threads: got '0'; want "),
        (("--filter-bytes", "many"), "convolved: --filter-bytes: got 'many'; want "),
        (("--log-level", "loud"), "convolved: --log-level: got 'loud'; want "),
        (("--config", "none.toml"), "convolved: config: got none.toml"),
        (("--grace", 1), "convolved: no such option: --grace"),
    ],
)
def test_a_setting_that_will_not_do_is_told_by_its_flag(
    flags: tuple[object, ...], words: str
) -> None:
    end = convolved("serve", *flags)
    assert end.code == 2
    assert end.err.startswith(words)
    assert len(end.err.splitlines()) == 1


def test_a_file_of_settings_is_read(start: Start, tmp_path: Path) -> None:
    (tmp_path / "server.toml").write_text(f'listen = "unix:{tmp_path}/s"\nthreads = 1\n')
    process = start("--config", tmp_path / "server.toml")
    assert line_of(process) == f"serving on unix:{tmp_path}/s\n"
    assert ended(process, signal.SIGTERM).code == 0


def test_every_setting_of_the_server_is_a_flag_with_its_meaning_and_default() -> None:
    text = " ".join(convolved("serve", "--help", env={"COLUMNS": "300"}).out.split())
    for name, field in Settings.model_fields.items():
        assert f"{flag_of(name)} " in text
        assert str(field.description)[1:] in text
    for default in ("127.0.0.1:50051", "256.0MiB", "4096", "25", "info", "on"):
        assert f"[default: {default}]" in text


def test_without_the_server_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str) -> object:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", without)
    end = convolved("serve")
    assert end.code == 1
    assert "pip install 'convolved[server]'" in end.err
