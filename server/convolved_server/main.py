"""Run a server as a process: signals, standard input, and the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading

from convolved_vocabulary import InvalidArgument

from . import logs
from .memory import keep_freed_memory
from .settings import Settings, unknown_in_environment

__all__ = ["run"]

_READ_BYTES = 4096


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, or until standard input closes where that is asked for.

    Prints `serving on ADDRESS` on standard output as soon as health is SERVING; everything else
    goes to standard error. A second signal ends what is in flight at once.

    Returns:
        the exit code: 0 after an orderly end, 2 if the address cannot be listened on.
    """
    logs.configure(settings.log_level, settings.log_format)
    keep_freed_memory()
    if settings.threads is not None:
        # The engine's own name for it; it asks when it first computes.
        os.environ["CONVOLVED_THREADS"] = str(settings.threads)
    for name in unknown_in_environment():
        logs.logger().warning("unknown setting in the environment", name=name)
    try:
        idle = asyncio.run(_serve(settings))
    except InvalidArgument as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not idle:
        # Threads that still compute for nobody would hold the process.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


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
