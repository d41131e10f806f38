"""The wire: what it costs to convolve elsewhere.

Our service with its default client, beside a bare grpc.aio echo that carries as many bytes, servers
with SciPy behind grpc.aio and behind Arrow Flight, and SciPy in the caller's own process. Every
server and every client is a process of its own, over a Unix socket and over TCP on the loopback.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from benchmarks.measured import Found, Measured

from . import applying, blocks, large, stalled, telling
from .cases import BLOCK, FIR_TAPS, FULL, HALL_TAPS, QUICK, Effort
from .field import Fields, absent

__all__ = ["Family"]


class Family(Measured[Effort]):
    """Of calls and streams over gRPC."""

    name = "wire"
    parts: ClassVar[Mapping[str, Any]] = {
        "apply": applying.measure,
        "blocks": blocks.measure,
        "large": large.measure,
        "stalled": stalled.measure,
    }
    full, quick = FULL, QUICK
    section = staticmethod(telling.section)

    def measure(self, options: argparse.Namespace, effort: Effort) -> Iterator[tuple[str, Found]]:
        """Measure beside those that are there, all started before."""
        self.absent.update(absent())
        self.settings.update(hall_taps=HALL_TAPS, fir_taps=FIR_TAPS, block=BLOCK)
        with Fields(effort.transports, shared=effort is QUICK) as fields:
            for part in options.parts:
                yield part, self.parts[part](fields, effort)
