"""What this engine is: its algorithms, the machine it found, and its warm-up."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path

import numpy as np

from convolved_engine import machine, registry, threads, transforms
from convolved_engine.apply import apply_arranged
from convolved_engine.stream import open_stream
from convolved_vocabulary import Conv, Filter, impulse_response

__all__ = ["algorithm_names", "describe", "warm_up"]


def algorithm_names() -> tuple[str, ...]:
    """The names that `algorithm=` takes, besides "auto".

    >>> "direct" in algorithm_names()
    True
    """
    return tuple(each.name for each in registry.algorithms())


def describe() -> dict[str, str | int]:
    """The processor (`cpu`), the `threads` of one call, and the library of `transforms`.

    >>> sorted(describe())
    ['cpu', 'threads', 'transforms']
    """
    library = {"fftw": "pyfftw", "scipy": "scipy"}[transforms.default_backend()]
    return {
        "cpu": f"{_processor()}, {machine.current().name}",
        "threads": threads.limit(),
        "transforms": f"{library} {importlib.metadata.version(library)}",
    }


def warm_up() -> None:
    """Compile, or load from the cache on disk, what common calls and streams run."""
    signal = np.zeros((1, 1, 4096), np.float32)
    short = impulse_response(np.ones(31, np.float32))
    for filter in (short, impulse_response(np.ones(1500, np.float32))):
        apply_arranged(signal, filter)
        live = open_stream(filter, channels=1, dtype=np.float32, block=512)
        live.push_arranged(signal[0, :, :1024])
        live.flush()
    picture = Filter(Conv(np.ones((1, 1, 3, 3), np.float32), padding="same"))
    apply_arranged(np.zeros((1, 1, 64, 64), np.float32), picture)


def _processor() -> str:
    """The processor by name, as far as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
