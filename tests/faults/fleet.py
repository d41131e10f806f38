"""Two servers as processes, each behind a wire that can be cut; those that are killed come back."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial

from tests.server.harness import PATIENCE
from tests.server.process import COMMAND, serving_on

from .proxy import Proxy

__all__ = ["Fleet"]

_FLAGS = ("--listen", "127.0.0.1:0", "--log-level", "error")


class Fleet:
    """Servers that stand beside each other.

    Args:
        count: how many.
        *flags: of the servers.
        passed: called with the number of a server, the direction and how many bytes are about to
            be forwarded; says how many really are, as `Proxy` takes it.

    Attributes:
        targets: the addresses of the wires, in order.
        kills: when a server was killed, on the monotonic clock.
    """

    def __init__(
        self, count: int, *flags: str, passed: Callable[[int, str, int], int] | None = None
    ) -> None:
        self._flags = flags
        self._lock = threading.Lock()
        self._starters: list[threading.Thread] = []
        self._closed = False
        self.kills: list[float] = []
        self._processes = [self._started() for _ in range(count)]
        self._proxies = [
            Proxy(serving_on(process), None if passed is None else partial(passed, index))
            for index, process in enumerate(self._processes)
        ]
        self.targets = [proxy.address for proxy in self._proxies]

    @property
    def whole(self) -> bool:
        """Whether every server stands."""
        return not any(starter.is_alive() for starter in self._starters)

    @property
    def direct(self) -> list[str]:
        """The addresses of the servers themselves, at present."""
        return [proxy.upstream for proxy in self._proxies]

    def process(self, index: int) -> subprocess.Popen[str]:
        """One of the servers."""
        return self._processes[index]

    def proxy(self, index: int) -> Proxy:
        """The wire before one of them."""
        return self._proxies[index]

    def kill(self, index: int) -> bool:
        """Kill a server, which is replaced by a new one; False if not all are standing."""
        with self._lock:
            if self._closed or not self.whole:
                return False
            self._processes[index].kill()
            self.kills.append(time.monotonic())
            starter = threading.Thread(target=self._replace, args=(index,))
            self._starters = [starter]
            starter.start()
            return True

    def wait_whole(self) -> None:
        """Wait until every server stands."""
        for starter in list(self._starters):
            starter.join(PATIENCE)
        assert self.whole

    def close(self) -> None:
        """End everything."""
        with self._lock:
            self._closed = True
        self.wait_whole()
        for proxy in self._proxies:
            proxy.close()
        for process in self._processes:
            _end(process)

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _replace(self, index: int) -> None:
        _end(self._processes[index])
        self._processes[index] = self._started()
        self._proxies[index].upstream = serving_on(self._processes[index])

    def _started(self) -> subprocess.Popen[str]:
        command = [*COMMAND, *_FLAGS, *self._flags]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
