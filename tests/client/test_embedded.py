"""An embedded server is there when it is needed, and gone when it is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from convolved import Client, MissingExtra, Unavailable, embedded
from convolved.embedded import EmbeddedServer


def alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone(process_id: int) -> bool:
    for _ in range(300):
        if not alive(process_id):
            return True
        time.sleep(0.1)
    return False


def test_a_client_brings_its_server_and_takes_it_away() -> None:
    with Client.embedded() as client:
        server = client._server
        assert server is not None
        folder = Path(client.target.removeprefix("unix:")).parent
        np.testing.assert_array_equal(client.convolve([1, 2], [1, 1]), [1, 3, 2])
        assert folder.is_dir()
    assert not alive(server.process_id)
    assert not folder.exists()


def test_a_server_of_ones_own_that_was_killed_is_not_waited_for() -> None:
    with Client.embedded() as client, client.stream([1.0, 0.5]) as live:
        live.push(np.ones(9, np.float32))
        server = client._server
        assert server is not None
        os.kill(server.process_id, signal.SIGKILL)
        begin = time.monotonic()
        with pytest.raises(Unavailable):
            live.push(np.ones(9, np.float32))
        # One that may come back is waited for half a minute.
        assert time.monotonic() - begin < 15


def test_a_wrong_argument_starts_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    with pytest.raises(ValueError, match="timeout: got -1"):
        Client.embedded(timeout=-1)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", code],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


FORGETFUL = """
import numpy as np
from convolved import Client
client = Client.embedded()
live = client.stream([1.0, 2.0])
live.push(np.ones(9, np.float32))
client.apply(np.ones(9), [1.0])
print(client._server.process_id, client.target.removeprefix("unix:"))
"""


def assert_nothing_is_left(said: str) -> None:
    process_id, socket = said.split()
    assert gone(int(process_id))
    assert not Path(socket).parent.exists()


def test_a_program_that_closes_nothing_ends_without_a_word_or_a_server() -> None:
    done = run(FORGETFUL)
    assert done.stderr == ""
    assert done.returncode == 0
    assert_nothing_is_left(done.stdout)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_program_that_is_killed_leaves_no_server_and_no_folder(number: int) -> None:
    last = f"import os, sys; sys.stdout.flush(); os.kill(os.getpid(), {int(number)})"
    done = run(f"{FORGETFUL}\n{last}")
    assert done.returncode == -number
    assert_nothing_is_left(done.stdout)


def test_without_what_the_server_needs_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    start = subprocess.Popen
    says = f"error: {MissingExtra('the server', 'server')} (pydantic)"

    def popen(arguments: list[str], **more: object) -> object:
        code = f"import sys; sys.exit({says!r})"
        return start([sys.executable, "-c", code], **more)  # type: ignore[call-overload]  # any options

    monkeypatch.setattr("subprocess.Popen", popen)
    with pytest.raises(MissingExtra, match=r"an embedded server .*'convolved\[server\]'"):
        EmbeddedServer()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import sys; sys.exit('no such thing')", "ended with 1: no such thing"),
        ("print('hello')", "ended with 0: it wrote nothing"),
    ],
)
def test_a_server_that_does_not_serve_is_told_with_its_last_words(
    code: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = subprocess.Popen

    def popen(arguments: list[str], **more: object) -> object:
        return start([sys.executable, "-c", code], **more)  # type: ignore[call-overload]  # any options

    monkeypatch.setattr("subprocess.Popen", popen)
    with pytest.raises(Unavailable, match=f"the embedded server {sentence}"):
        EmbeddedServer()


def test_a_server_that_is_slow_to_serve_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    start = subprocess.Popen
    made = []

    def popen(arguments: list[str], **more: object) -> object:
        made.append(start([sys.executable, "-c", "input()"], **more))  # type: ignore[call-overload]  # any options
        return made[0]

    monkeypatch.setattr("subprocess.Popen", popen)
    monkeypatch.setattr(embedded, "_READY_SECONDS", 0.2)
    with pytest.raises(Unavailable, match=r"did not serve within 0\.2 s: it wrote nothing"):
        EmbeddedServer()
    assert made[0].returncode is not None


def test_a_folder_whose_path_is_too_long_for_a_socket_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    folder = embedded.socket_folder()
    assert len(os.fsencode(folder / "socket")) < 108
    assert list(deep.iterdir()) == []
    folder.rmdir()
