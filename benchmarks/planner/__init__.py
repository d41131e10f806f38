"""The planner: whether it chooses well, how long it takes, and what a first call costs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from benchmarks.measured import Found, Measured
from convolved_engine import constants

from . import planning, regret, telling, warm
from .problems import FULL, QUICK, SEED, Effort

__all__ = ["Family"]


class Family(Measured[Effort]):
    """Of the planner's choices."""

    name = "planner"
    parts: ClassVar[Mapping[str, Any]] = {
        "regret": regret.measure,
        "planning": planning.measure,
        "warm": warm.measure,
    }
    full, quick = FULL, QUICK
    section = staticmethod(telling.section)

    def measure(self, options: argparse.Namespace, effort: Effort) -> Iterator[tuple[str, Found]]:
        """Measure with the constants that are in force."""
        self.settings.update(seed=SEED, constants=constants.in_force().identity)
        return super().measure(options, effort)
