"""What the calls of one server share."""

from __future__ import annotations

from dataclasses import dataclass

from convolved_engine.threads import limit as engine_threads

from .admission import Admission
from .calls import Calls
from .compute import Pool
from .filter_store import FilterStore
from .limits import Limits
from .memory import available_bytes
from .settings import Settings

__all__ = ["Resources"]

_DESK_THREADS = 2


@dataclass(frozen=True)
class Resources:
    """Everything that calls take from, made once for a server, inside its event loop.

    Attributes:
        limits: what is taken at all.
        calls: those in flight.
        admission: who is let in.
        compute: the threads that compute.
        desk: threads for what precedes: reading large requests, hashing, planning. They are
            apart, so that a server busy computing can still say no at once.
        store: the registered filters.
    """

    limits: Limits
    calls: Calls
    admission: Admission
    compute: Pool
    desk: Pool
    store: FilterStore

    @classmethod
    def of(cls, settings: Settings) -> Resources:
        """The resources that the settings and the machine allow."""
        threads = engine_threads()
        memory = available_bytes()
        in_flight = settings.memory_bytes or memory // 2
        kept = memory // 4 if settings.store_bytes is None else settings.store_bytes
        return cls(
            limits=Limits.of(settings),
            calls=Calls(),
            admission=Admission(
                memory_bytes=in_flight,
                queue_seconds=settings.queue_seconds,
                streams=settings.streams,
                threads=threads,
            ),
            compute=Pool("compute", threads),
            desk=Pool("desk", _DESK_THREADS),
            store=FilterStore(kept),
        )

    def close(self) -> bool:
        """Begin nothing more; return whether all threads are idle."""
        return self.compute.close() & self.desk.close()
