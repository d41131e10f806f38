"""A server of one's own: a child process on a Unix socket, for as long as it is needed.

The child ends when its standard input closes, so it never outlives its parent.
"""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from convolved_vocabulary import MissingExtra, Unavailable

__all__ = ["EmbeddedServer", "embedded_server"]

_LONGEST_SOCKET_PATH = 100
_READY_SECONDS = 60.0
_END_SECONDS = 10.0
_SERVING = "serving on "
# What a server says whose packages are not all there: its own code always is.
_LACKING = f"error: {MissingExtra('the server', 'server')}"


class EmbeddedServer:
    """A running child process that serves.

    Attributes:
        address: where it serves, as `Client` takes it.

    Raises:
        MissingExtra: if the server is not installed.
        Unavailable: if it does not come to serve; with the last lines that it wrote.
    """

    def __init__(self) -> None:
        folder = socket_folder()
        log = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `_end`
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "convolved_server"),
                *("--listen", f"unix:{folder}/socket", "--until-stdin-closes"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
            # Ctrl-C in a terminal is the parent's to handle, which then ends its child.
            start_new_session=True,
        )
        self.close: Callable[[], object] = weakref.finalize(self, _end, process, log, folder)
        self._process = process
        self.process_id: int = process.pid
        try:
            self.address: str = _address(process, log)
        except BaseException:
            self.close()
            raise

    def ended(self) -> bool:
        """Whether the child has ended, so that nothing will serve here again."""
        return self._process.poll() is not None


@contextmanager
def embedded_server() -> Iterator[str]:
    """Run a server as a child process; gives its address, which any number of clients take.

    Raises:
        MissingExtra: if the server is not installed.
        Unavailable: if it does not come to serve.

    >>> from convolved import Client
    >>> with embedded_server() as address, Client(address) as one, Client(address) as other:
    ...     other.get_filter(one.register([1.0, 0.5])).size_bytes
    16
    """
    server = EmbeddedServer()
    try:
        yield server.address
    finally:
        server.close()


def socket_folder() -> Path:
    """A new folder whose sockets have paths that the system takes."""
    folder = Path(tempfile.mkdtemp(prefix="convolved-"))
    if len(os.fsencode(folder)) <= _LONGEST_SOCKET_PATH - len("/socket"):
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="convolved-", dir="/tmp"))


def _address(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    """Wait for the line in which the server says where it serves."""
    assert process.stdout is not None
    deadline = time.monotonic() + _READY_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            line = process.stdout.readline().decode(errors="replace").strip()
            if line.startswith(_SERVING):
                return line.removeprefix(_SERVING)
            if not line:
                code = process.wait()
                if _tail(log).startswith(_LACKING):
                    raise MissingExtra("an embedded server", "server")
                raise Unavailable(f"the embedded server ended with {code}: {_tail(log)}")
    raise Unavailable(
        f"the embedded server did not serve within {_READY_SECONDS:g} s: {_tail(log)}"
    )


def _tail(log: IO[bytes]) -> str:
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - 2000))
    return log.read().decode(errors="replace").strip() or "it wrote nothing"


def _end(process: subprocess.Popen[bytes], log: IO[bytes], folder: Path) -> None:
    """Let the server end by itself, else make it, and leave nothing behind."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    for end in (None, process.terminate, process.kill):
        if end is not None:
            end()
        try:
            process.wait(_END_SECONDS)
            break
        except subprocess.TimeoutExpired:
            continue
    process.stdout.close()
    log.close()
    shutil.rmtree(folder, ignore_errors=True)
