"""Run a server as a process: signals, standard input, and the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from . import logs
from .memory import keep_freed_memory
from .settings import Settings, unknown_in_environment

__all__ = ["run"]

_READ_BYTES = 4096
# As the client's embedded server calls the folder of its socket.
_OWN_FOLDER = "convolved-"


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, or until standard input closes where that is asked for.

    Prints `serving on ADDRESS` on standard output as soon as health is SERVING; everything else
    goes to standard error. A second signal ends what is in flight at once.

    Returns:
        the exit code, 0 after an orderly end.

    Raises:
        InvalidArgument: if the address cannot be listened on.
    """
    logs.configure(settings.log_level, settings.log_format)
    keep_freed_memory()
    # The engine's own names; it asks when it first computes.
    os.environ["CONVOLVED_RIGOR"] = settings.rigor
    if settings.threads is not None:
        os.environ["CONVOLVED_THREADS"] = str(settings.threads)
    if settings.constants is not None:
        os.environ["CONVOLVED_CONSTANTS"] = settings.constants
    for name in unknown_in_environment():
        logs.logger().warning("unknown setting in the environment", name=name)
    try:
        _check_constants()
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            idle = runner.run(_serve(settings))
    finally:
        if settings.until_stdin_closes:
            _remove_own_folder(settings.listen)
    if not idle:
        # Threads that still compute for nobody would hold the process.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the event loop: uvloop's, which wakes up for less; asyncio's where that lacks."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop


def _remove_own_folder(address: str) -> None:
    """Remove the folder that a program made for the socket of a server of its own.

    Else it would stay whenever that program is killed before it can do so.
    """
    folder = Path(address.removeprefix("unix:")).parent
    if address.startswith("unix:") and folder.name.startswith(_OWN_FOLDER):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _check_constants() -> None:
    """Refuse constants that were named and cannot be read, before anything is served."""
    from convolved_engine import machine

    machine.current()


async def _serve(settings: Settings) -> bool:
    """Serve to the end; return whether all threads are idle."""
    from .server import Server

    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    if settings.until_stdin_closes:
        _watch_stdin(loop, stop)
    server = Server(settings)
    starting = loop.create_task(server.start())
    stopping = loop.create_task(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not stop.is_set():
        address = await starting
        # Libraries keep hundreds of thousands of objects for good; to look through them all again
        # and again would stop every stream for a tenth of a second.
        gc.freeze()
        with contextlib.suppress(BrokenPipeError):
            print(f"serving on {address}", flush=True)
        await stopping
    starting.cancel()
    draining = loop.create_task(server.drain(settings.grace_seconds))
    hurrying = loop.create_task(hurry.wait())
    await asyncio.wait((draining, hurrying), return_when=asyncio.FIRST_COMPLETED)
    if hurry.is_set():
        server.resources.calls.end_all()
    await draining
    hurrying.cancel()
    return server.close()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Set `stop` when standard input ends."""

    def read() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, _READ_BYTES):
                pass
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)

    # A thread of its own: not everything that standard input may be can be polled.
    threading.Thread(target=read, name="convolved-stdin", daemon=True).start()
