"""A server and its life: started, SERVING, draining, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

import convolved_engine as engine

from .calls import Phase
from .logs import logger
from .rehearsal import rehearse
from .resources import Resources
from .service import SERVICE, handlers
from .settings import Settings
from .transport import listen, options

__all__ = ["Server"]

# Between the end of the grace and the last word to those still in flight.
_PARTING_SECONDS = 0.5

_log = logger()


class Server:
    """One server on one address, inside the running event loop.

    Args:
        settings: of the server.

    Attributes:
        address: where it listens, with the real port.
        resources: what its calls share; None before `start`.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.address = settings.listen
        self.resources = Resources.of(settings)
        self._warming: threading.Thread | None = None
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(options=options(settings))
        self._server.add_generic_rpc_handlers((handlers(self.resources),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if settings.reflection:
            names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)

    async def start(self) -> str:
        """Listen, warm up, and be SERVING; return the address.

        Raises:
            InvalidArgument: if the address is taken or none.
        """
        self.address = listen(self._server, self.settings.listen)
        await self._tell(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.start()
        warm = await self._warm_up()
        self.resources.calls.phase = Phase.SERVING
        if warm:
            await self._rehearse()
        await self._tell(health_pb2.HealthCheckResponse.SERVING)
        _log.info("serving", address=self.address)
        return self.address

    async def drain(self, grace: float) -> bool:
        """Stop: tell health first, begin nothing new, let what is in flight end within `grace`.

        Args:
            grace: seconds.

        Returns:
            whether everything came to its end.
        """
        calls = self.resources.calls
        await self._tell(health_pb2.HealthCheckResponse.NOT_SERVING)
        _log.info("draining", in_flight=len(calls.in_flight), grace_seconds=grace)
        begun = time.monotonic()
        calls.drain()
        idle = await calls.wait_idle(grace)
        if not idle:
            _log.warning("ending calls", in_flight=len(calls.in_flight))
            calls.end_all()
            await calls.wait_idle(_PARTING_SECONDS)
        await self._server.stop(_PARTING_SECONDS)
        _log.info("stopped", seconds=round(time.monotonic() - begun, 3))
        return idle

    def close(self) -> bool:
        """Free the threads; return whether none is busy.

        One that still compiles counts: the interpreter must not be taken down under a compiler.
        """
        compiling = self._warming is not None and self._warming.is_alive()
        return self.resources.close() and not compiling

    async def _tell(self, status: int) -> None:
        for name in ("", SERVICE):
            await self._health.set(name, status)

    async def _rehearse(self) -> None:
        try:
            await rehearse(self.address)
        except grpc.aio.AioRpcError:
            # As without it: what it would have paid for is the first caller's to pay.
            _log.warning("the rehearsal failed", exc_info=True)

    async def _warm_up(self) -> bool:
        """Compile what the first calls need, or as much of it as the settings wait for.

        Returns:
            whether all of it was done.
        """
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def end(warm: bool) -> None:
            self.resources.calls.warm = warm
            done.set()

        def compile_kernels() -> None:
            warm = False
            try:
                engine.warm_up()
                warm = True
            except Exception:  # noqa: BLE001 - without it the server serves, only slower at first
                _log.exception("warming up failed")
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(end, warm)

        # No pool's thread: compiling may outlast the waiting, and even the server.
        self._warming = threading.Thread(
            target=compile_kernels, name="convolved-warm-up", daemon=True
        )
        self._warming.start()
        try:
            async with asyncio.timeout(self.settings.warm_up_seconds):
                await done.wait()
        except TimeoutError:
            _log.info("warming up goes on beside serving")
            return False
        return True
