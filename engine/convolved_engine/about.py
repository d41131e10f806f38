"""What this engine is: its algorithms, the machine it found, and its warm-up."""

from __future__ import annotations

import importlib.metadata

import numpy as np

from convolved_engine import caching, constants, registry, threads, transforms
from convolved_engine.apply import apply_arranged
from convolved_engine.opening import open_stream
from convolved_vocabulary import Conv, Filter, Pool, impulse_response

__all__ = ["algorithm_names", "describe", "warm_up"]


def algorithm_names() -> tuple[str, ...]:
    """The names that `algorithm=` takes, besides "auto".

    >>> "direct" in algorithm_names()
    True
    """
    return tuple(each.name for each in registry.algorithms())


def describe() -> dict[str, str | int]:
    """What computes here.

    The processor with its class and the `constants` by which it is planned for (`cpu`), these
    constants by their identity and origin, the `threads` of one call, and the library of
    `transforms`.

    >>> sorted(describe())
    ['constants', 'cpu', 'threads', 'transforms']
    """
    library = {"fftw": "pyfftw", "scipy": "scipy"}[transforms.default_backend()]
    found = constants.in_force()
    return {
        "constants": f"{found.identity}, {found.origin}",
        "cpu": f"{caching.processor()}, {found.machine.name} ({found})",
        "threads": threads.limit(),
        "transforms": f"{library} {importlib.metadata.version(library)}",
    }


def warm_up() -> None:
    """Compile, or load from the cache on disk, what common calls and streams run."""
    signal = np.zeros((1, 1, 48_000), np.float32)
    for taps in (31, 1500, 48_000):
        response = impulse_response(np.ones(taps, np.float32))
        apply_arranged(signal, response)
        live = open_stream(response, channels=1, dtype=np.float32, block=512)
        live.push_arranged(signal[0, :, :1024])
        live.flush()
    # Tiles above lie across outputs; across channels where these are many, and each in one channel
    # where they are not mixed.
    for groups in (1, 64):
        weight = np.ones((64, 64 // groups, 3, 3), np.float32)
        layer = Conv(weight, padding="same", groups=groups)
        apply_arranged(np.zeros((1, 64, 14, 14), np.float32), Filter(layer))
    # Pools have kernels for each number of axes, of which two are common.
    for function in ("max", "average"):
        apply_arranged(np.zeros((1, 1, 64, 64), np.float32), Filter(Pool(function, (2, 2))))
