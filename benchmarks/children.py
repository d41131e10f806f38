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
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from .environment import clean

__all__ = ["Child", "ServerChild"]

ROOT = Path(__file__).resolve().parents[1]

_READY = "serving on "
_KIB = 1 << 10


class Child:
    """A process with pipes to its standard input and output, ended when this is closed.

    Args:
        module: run as `python -m module`.
        arguments: of its command line.
    """

    def __init__(self, module: str, arguments: Sequence[str] = ()) -> None:
        self.name = " ".join((module, *arguments))
        # Closed in `close`; what it holds is told when the child fails.
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - as the comment says
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=clean(os.environ),
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

    def settle(self, at_most: float) -> None:
        """Wait until it is idle: what a server does beside its start has ended."""
        end = time.monotonic() + at_most
        while time.monotonic() < end:
            before = self.processor_seconds()
            time.sleep(0.25)
            if self.processor_seconds() - before < 0.02:
                return

    def close(self) -> None:
        """Close its standard input and wait for its end; kill it if it does not come."""
        try:
            with contextlib.suppress(BrokenPipeError):
                if self.process.stdin:
                    self.process.stdin.close()
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        finally:
            if self.process.stdout:
                self.process.stdout.close()
            self._complaints.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

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

    def __init__(self, module: str, arguments: Sequence[str]) -> None:
        super().__init__(module, arguments)
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
