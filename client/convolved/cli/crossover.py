"""What each algorithm takes for kernels of every length: predicted by plans, and measured.

Predicted times are those of the server that would compute. Measured ones come in the plans of a
second server of this command's own, which runs with rigor "measure": it times an algorithm that is
asked for, on the machine that predicted. How long a server elsewhere takes cannot be measured
from here, for the way there would be counted, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import exp, log

import numpy as np

from convolved.cli.job import kernel_header
from convolved.cli.planning import Signal
from convolved.cli.rates import settle
from convolved.cli.routing import match, natural_channels, route
from convolved.cli.servers import connected
from convolved.client import Client
from convolved_vocabulary import Candidate, Filter, InvalidArgument

__all__ = ["Curves", "curves", "lengths"]

RIGOR = "CONVOLVED_RIGOR"
SHORTEST, LONGEST = 4, 1 << 18
MOST_KERNEL_BYTES = 2 << 20
# What is predicted to take so many times the best one's time tells nothing of a crossover.
PLAUSIBLE = 30.0

Times = Mapping[str, Mapping[int, float]]
Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Curves:
    """Seconds by algorithm and kernel length.

    Attributes:
        shape: of the signal.
        dtype: of the signal.
        taps: of the kernel that was given.
        predicted: by the planner.
        measured: on this machine; empty where a server elsewhere was asked.
    """

    shape: tuple[int, ...]
    dtype: str
    taps: int
    predicted: Times
    measured: Times

    def crossovers(self) -> list[tuple[int, str, str]]:
        """Where the algorithm predicted to be fastest changes: at which length, from, to which.

        The length is where the lines between the lengths that were asked for cross, drawn on
        logarithmic axes.

        >>> times = {"direct": {64: 1.0, 128: 2.0}, "im2col": {64: 1.5, 128: 1.5}}
        >>> Curves((1, 9), "float32", 99, times, {}).crossovers()
        [(96, 'direct', 'im2col')]
        """
        found: list[tuple[int, str, str]] = []
        last: tuple[int, str] | None = None
        for length in sorted({n for times in self.predicted.values() for n in times}):
            known = {n: times[length] for n, times in self.predicted.items() if length in times}
            best = min(known, key=known.__getitem__)
            if last is not None and last[1] != best:
                found.append((self._crossing(*last, length, best), last[1], best))
            last = length, best
        return found

    def _crossing(self, shorter: int, before: str, longer: int, after: str) -> int:
        old, new = self.predicted[before], self.predicted[after]
        if shorter not in new or longer not in old:
            return longer
        lead, lag = log(new[shorter] / old[shorter]), log(old[longer] / new[longer])
        share = lead / (lead + lag) if lead + lag else 1.0
        return round(exp(log(shorter) + share * log(longer / shorter)))


def lengths(taps: int, channels: int, samples: int) -> list[int]:
    """Kernel lengths to look at: half octaves around what matters, up to the signal's length.

    >>> lengths(100, 1, 4000)
    [4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512, 724, 1024, 1448, 2048, 2896]
    """
    most = min(samples, LONGEST, MOST_KERNEL_BYTES // (4 * channels))
    most = min(most, max(4096, 8 * taps))
    found = (round(2 ** (step / 2)) for step in range(4, 37))
    return [length for length in found if SHORTEST <= length <= most]


def curves(
    kernel: str,
    signal: Signal,
    accuracy: str,
    server: str | None,
    token: str | None,
    advance: Advance,
) -> Curves:
    """Ask for plans of kernels of every length.

    Raises:
        InvalidArgument: KERNEL is no file, or the signal is a live stream.
    """
    head = kernel_header(kernel)
    if head is None:
        raise InvalidArgument(
            "--plot", f"{kernel}, whose weights the server keeps", "a file as KERNEL"
        )
    if signal.block is not None:
        raise InvalidArgument("--plot", "a live stream (--block)", "a whole signal")
    rates = settle(head.sample_rate_hertz, head.sample_rate_hertz, signal.rate)
    shape = signal.shape_for(natural_channels(head.shape), rates.signal)
    routing = match(head.shape, shape[-2] if len(shape) > 1 else 1)
    leading = head.shape[:-1]
    steps = lengths(head.shape[-1], int(np.prod(leading)), shape[-1])

    def filters() -> Iterator[tuple[int, Filter]]:
        for length in steps:
            yield length, route(np.ones((*leading, length), np.float32), routing)

    def ask(client: Client, filter: Filter, algorithm: str = "auto") -> tuple[Candidate, ...]:
        plan = client.plan(
            filter, shape, dtype=signal.dtype, accuracy=accuracy, algorithm=algorithm
        )
        [step] = plan.steps
        return step.chosen, *step.rejected

    predicted: dict[str, dict[int, float]] = {}
    measured: dict[str, dict[int, float]] = {}
    with connected(server, token) as client:
        for length, filter in filters():
            for each in ask(client, filter):
                if each.predicted_seconds is not None:
                    predicted.setdefault(each.algorithm, {})[length] = each.predicted_seconds
    if server is None:
        with _measuring(), connected(None, token) as client:
            for done, (length, filter) in enumerate(filters()):
                if length & (length - 1):
                    continue  # measuring takes time; whole octaves show enough
                known = {n: times[length] for n, times in predicted.items() if length in times}
                for name, seconds in known.items():
                    if seconds <= PLAUSIBLE * min(known.values()):
                        chosen, *_ = ask(client, filter, name)
                        assert chosen.predicted_seconds is not None
                        measured.setdefault(name, {})[length] = chosen.predicted_seconds
                advance(done + 1, len(steps))
    return Curves(shape, signal.dtype, head.shape[-1], predicted, measured)


@contextmanager
def _measuring() -> Iterator[None]:
    """Let a server that is embedded inside measure."""
    before = os.environ.get(RIGOR)
    os.environ[RIGOR] = "measure"
    try:
        yield
    finally:
        if before is None:
            del os.environ[RIGOR]
        else:
            os.environ[RIGOR] = before
