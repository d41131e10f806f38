"""One figure in a process of its own: `python -m benchmarks.engine.alone WHAT [NUMBERS]`.

It is printed as JSON. Outputs are written into arrays that are used again where that is the
question: a fresh array costs a page fault every 4 KiB.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import convolved_engine as engine
from benchmarks.rounds import interleave, repeat_for
from convolved_vocabulary import Conv, Filter

__all__ = ["fixed", "growth", "memory"]


def fixed(rounds: int) -> dict[str, tuple[float, ...]]:
    """Seconds of small calls of the plain functions."""
    x, h = _noise(1000), _noise(15)
    calls: dict[str, Callable[[], Any]] = {
        "convolve": partial(engine.convolve, x, h),
        "conv": partial(engine.conv, x[None], h[None, None]),
    }
    visits = {name: partial(_median, call, 0.02) for name, call in calls.items()}
    return interleave(visits, rounds)


def memory(samples: int, taps: int) -> int:
    """Bytes by which the peak exceeds what there was, and input, output and 4 x the kernel.

    A short call comes first, so that code is loaded and compiled.
    """
    filter = Filter(Conv(_noise(taps)[None, None], padding="same"))
    engine.apply(np.zeros((1, 1 << 20), np.float32), filter)
    x = np.ones((1, samples), np.float32)
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    out = engine.apply(x, filter)
    return _status("VmHWM") - before - out.nbytes - 4 * 4 * taps


def growth(taps: int, rounds: int, *lengths: int) -> dict[int, tuple[float, ...]]:
    """Seconds of one output, for signals of each length."""
    filter = Filter(Conv(_noise(taps)[None, None]))
    signal = np.resize(_noise(1 << 20), max(lengths)).reshape(1, 1, -1)
    whole = np.ones(max(lengths), np.float32)

    def visit(length: int) -> float:
        outputs = length - taps + 1
        out = whole[:outputs].reshape(1, 1, -1)
        x = signal[..., :length]
        call = partial(engine.apply_arranged, x, filter, out=out)
        return _median(call, 0.02) / outputs

    return interleave({length: partial(visit, length) for length in lengths}, rounds)


def _median(call: Callable[[], Any], seconds: float) -> float:
    return statistics.median(repeat_for(seconds, call))


def _noise(samples: int) -> Any:
    return np.random.default_rng(0).standard_normal(samples, dtype=np.float32)


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) << 10
    raise LookupError(key)


if __name__ == "__main__":
    acts: dict[str, Callable[..., Any]] = {"fixed": fixed, "memory": memory, "growth": growth}
    act = acts[sys.argv[1]]
    print(json.dumps(act(*map(int, sys.argv[2:]))), flush=True)
