"""Child processes that are measured from outside: their processor time and their memory.

What a server costs is asked of the kernel and not of the server, so that asking disturbs nothing
and counts every thread and every process that it has started.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from .environment import clean

__all__ = ["Child", "Children", "ServerChild", "settle"]

_C = TypeVar("_C", bound="Child")

ROOT = Path(__file__).resolve().parents[1]

_READY = "serving on "
_KIB = 1 << 10


class Child:
    """A process with pipes to its standard input and output.

    Args:
        module: run as `python -m module`.
        arguments: of its command line.
        environment: what its environment has beside this process's.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = " ".join((module, *arguments))
        # Closed in `close`; what it holds is told when the child fails.
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - as the comment says
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**clean(os.environ), **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            bufsize=0,
        )
        self._heard = b""

    def send(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            raise self.failure("ended") from None

    def receive(self, seconds: float) -> str:
        """Read a line of its standard output, waiting for at most `seconds` while it is silent.

        Raises:
            RuntimeError: with its last complaints, if it ended or stayed silent.
        """
        assert self.process.stdout is not None
        while b"\n" not in self._heard:
            if not select.select([self.process.stdout], [], [], seconds)[0]:
                raise self.failure(f"said nothing for {seconds:g} s")
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            if not piece:
                raise self.failure(f"ended with {self.process.wait()}")
            self._heard += piece
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode()

    def failure(self, what: str) -> RuntimeError:
        """The error that this child `what`, with the last that it wrote to standard error."""
        size = self._complaints.seek(0, os.SEEK_END)
        self._complaints.seek(max(0, size - 2000))
        last = self._complaints.read().decode(errors="replace").strip()
        return RuntimeError(f"{self.name} {what}\n{last}".strip())

    def processor_seconds(self) -> float:
        """Processor time of all its threads and processes so far."""
        return sum(_processor_seconds(pid) for pid in self._pids())

    def resident_mib(self) -> float:
        """Its memory in MiB."""
        return sum(_status(pid, "VmRSS") for pid in self._pids()) / _KIB

    def peak_mib(self) -> float:
        """The greatest memory in MiB since it began or `forget_peak` was called."""
        return sum(_status(pid, "VmHWM") for pid in self._pids()) / _KIB

    def forget_peak(self) -> None:
        """Let the present memory be the greatest so far."""
        for pid in self._pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")

    def let_end(self) -> None:
        """Close its standard input, at which it ends by itself."""
        with contextlib.suppress(BrokenPipeError):
            if self.process.stdin:
                self.process.stdin.close()

    def close(self) -> None:
        """Wait for its end; kill it if that does not come."""
        self.let_end()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        finally:
            if self.process.stdout:
                self.process.stdout.close()
            self._complaints.close()

    def _pids(self) -> list[int]:
        found = [self.process.pid]
        for pid in found:
            for path in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    found.extend(map(int, path.read_text(encoding="ascii").split()))
        return found


class ServerChild(Child):
    """A child that prints `serving on ADDRESS` when it is ready.

    Attributes:
        address: where it serves.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(module, arguments, environment)
        self.address = ""

    def await_ready(self, seconds: float) -> None:
        """Wait until it serves.

        Raises:
            RuntimeError: if it ended, or said nothing for so long.
        """
        line = ""
        while not line.startswith(_READY):
            line = self.receive(seconds)
        self.address = line.removeprefix(_READY)


class Children:
    """Children that end together."""

    def __init__(self) -> None:
        self._all: list[Child] = []

    def add(self, child: _C) -> _C:
        """Take care of a child; return it."""
        self._all.append(child)
        return child

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let all end, and wait for them."""
        # The last to come are the first to go: clients before their servers.
        for child in reversed(self._all):
            child.let_end()
        for child in reversed(self._all):
            child.close()


def settle(children: Sequence[Child], at_most: float) -> None:
    """Wait until all are idle: what servers do beside their start has ended."""
    end = time.monotonic() + at_most
    while time.monotonic() < end:
        before = [child.processor_seconds() for child in children]
        time.sleep(0.25)
        spent = [
            child.processor_seconds() - begun for child, begun in zip(children, before, strict=True)
        ]
        if max(spent, default=0.0) < 0.02:
            return


def _processor_seconds(pid: int) -> float:
    # The clock of another process, as clock_getcpuclockid(3) numbers it on Linux: to the
    # nanosecond, and with the threads that have ended.
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


def _status(pid: int, key: str) -> int:
    """A size in KiB from the status of a process."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
    return 0
