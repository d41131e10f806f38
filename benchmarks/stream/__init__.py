"""Live streams through long impulse responses: how many of them, how evenly, and how late.

By compute alone beside JUCE's convolution, block by block in one process; and over the wire beside
an echo that computes nothing, both asked by the same clients at the pace of a sound card.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from benchmarks.measured import Found, Measured

from . import computing, delay, schedule, side_by_side, switching, telling
from .cases import FULL, QUICK, Effort
from .peers import absent

__all__ = ["Family"]


class Family(Measured[Effort]):
    """Of live streams."""

    name = "stream"
    parts: ClassVar[Mapping[str, Any]] = {
        "computing": computing.measure,
        "schedule": schedule.measure,
        "switching": switching.measure,
        "delay": delay.measure,
        "wire": side_by_side.measure,
    }
    full, quick = FULL, QUICK
    section = staticmethod(telling.section)

    def measure(self, options: argparse.Namespace, effort: Effort) -> Iterator[tuple[str, Found]]:
        """Measure beside the peers that are there."""
        self.absent.update(absent())
        return super().measure(options, effort)
