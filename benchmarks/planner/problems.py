"""Random problems, of every kind that the engine serves, from a seed that nothing was tuned on.

The constants of the cost models were fitted to problems of other seeds; whoever tunes them again
takes yet others, and leaves `SEED` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from convolved_engine.problem import Problem

__all__ = ["FULL", "QUICK", "SEED", "Effort", "drawn"]

SEED = 20_261_122


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        problems: whose regret is measured.
        pairs: of rounds, an odd one and an even one, at most.
        seconds: for the rounds of a problem with so many threads.
        visit: seconds for which an algorithm is run at each of its turns.
        plans: problems that are planned.
        blocks: lengths of blocks whose preparing is timed.
        servers: started for each first call.
        warm_cases: first calls that are measured.
    """

    problems: int
    pairs: int
    seconds: float
    visit: float
    plans: int
    blocks: int
    servers: int
    warm_cases: int


FULL = Effort(
    problems=100,
    pairs=9,
    seconds=0.35,
    visit=0.004,
    plans=300,
    blocks=5,
    servers=5,
    warm_cases=4,
)
QUICK = Effort(
    problems=4, pairs=2, seconds=0.0, visit=0.0, plans=10, blocks=2, servers=1, warm_cases=1
)

_LEAST_MULTIPLY_ADDS = 2e5
_MOST_MULTIPLY_ADDS = 2e10
_MOST_BYTES = 96 << 20
_DTYPES = ("float32",) * 6 + ("float64", "complex64")
# Longest kernel and most outputs along one axis, by rank.
_REACH = {1: (60_000, 3_000_000), 2: (65, 1200), 3: (11, 80)}


def drawn(count: int, seed: int = SEED) -> tuple[Problem, ...]:
    """So many problems, each of a kind and size drawn anew; lengths are spread evenly in octaves.

    >>> len(drawn(3)), drawn(3) == drawn(3)
    (3, True)
    """
    random = np.random.default_rng(seed)
    stream = _endless(random)
    return tuple(next(stream) for _ in range(count))


def _endless(random: np.random.Generator) -> Iterator[Problem]:
    while True:
        problem = _one(random)
        if problem is None:
            continue
        moved = problem.input_bytes + problem.output_bytes
        small = max(moved, problem.weight_bytes) <= _MOST_BYTES
        if small and _LEAST_MULTIPLY_ADDS <= problem.multiply_adds <= _MOST_MULTIPLY_ADDS:
            yield problem


def _one(random: np.random.Generator) -> Problem | None:
    rank = int(random.choice((1, 1, 1, 2, 2, 3)))
    longest, widest = _REACH[rank]

    def octaves(low: int, high: int) -> int:
        return round(float(np.exp(random.uniform(np.log(low), np.log(high)))))

    kind = random.choice(("one", "one", "many out", "many in", "layer", "depthwise", "groups"))
    groups = octaves(2, 64) if kind in ("depthwise", "groups") else 1
    inputs = {"many in": octaves(2, 64), "layer": octaves(2, 128), "groups": octaves(2, 8)}
    outputs = {"many out": octaves(2, 64), "layer": octaves(2, 128), "groups": octaves(2, 8)}
    one_kernel = octaves(1, longest)
    if rank == 1:
        kernel: tuple[int, ...] = (one_kernel,)
    else:
        kernel = tuple(
            octaves(1, longest) if random.random() < 0.2 else one_kernel for _ in range(rank)
        )
    stride = tuple(int(random.choice((1, 1, 1, 1, 2, 3))) for _ in range(rank))
    dilation = tuple(int(random.choice((1, 1, 1, 1, 2, 4))) for _ in range(rank))
    size = tuple(
        octaves(max(16, d * (k - 1) + 1), max(32, widest, 2 * d * k))
        for k, d in zip(kernel, dilation, strict=True)
    )
    same = random.random() < 0.6
    try:
        return Problem.of(
            (octaves(1, 16) if random.random() < 0.3 else 1, groups * inputs.get(kind, 1), *size),
            (groups * outputs.get(kind, 1), inputs.get(kind, 1), *kernel),
            dtype=str(random.choice(_DTYPES)),
            stride=stride,
            dilation=dilation,
            pads=tuple(
                (d * (k - 1) // 2,) * 2 if same else (0, 0)
                for k, d in zip(kernel, dilation, strict=True)
            ),
            groups=groups,
            flip=bool(random.random() < 0.5),
        )
    except ValueError:
        return None
