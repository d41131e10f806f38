"""Ours, as users call it.

One-channel convolutions and pools are calls of the public functions, which prepare nothing for
the next call; layers, impulse responses and banks are filters that are kept and applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

import convolved_engine as engine
from benchmarks.engine.cases import Case
from convolved_vocabulary import Conv, ConvTranspose, Filter, Options

from . import Solution, Unable

__all__ = ["array", "contenders", "into"]

OURS = "convolved"


def contenders(threads: int) -> Mapping[str, Callable[[Case], Mapping[str, Solution]]]:
    """See `Library`; beside the whole, each of its algorithms by name."""
    assert engine.describe()["threads"] == threads
    by_algorithm = {
        f"{OURS}, {name}": partial(_by_algorithm, algorithm=name)
        for name in engine.algorithm_names()
    }
    return {OURS: _whole, **by_algorithm}


def array(found: Any) -> Any:
    """See `Library`."""
    return found


def into(case: Case, algorithm: str) -> Solution:
    """`apply_arranged` by that algorithm, into one array again and again."""
    x, filter, options = case.signal(), _filter(case), Options(algorithm=algorithm)
    out = engine.apply_arranged(x, filter, options)
    return partial(engine.apply_arranged, x, filter, options, out=out)


def _whole(case: Case) -> Mapping[str, Solution]:
    x = case.signal()
    if case.is_pool:
        pool = engine.max_pool if case.kind == "max" else engine.avg_pool
        return {f"{case.kind}_pool": partial(pool, x, case.kernel, case.stride, case.pads)}
    if case.kind == "convolve":
        chosen = _chosen(case)
        call = partial(engine.convolve, x[0, 0], case.weights()[0, 0], "same")
        return {f"convolve: {chosen}": call}
    return {f"apply: {_chosen(case)}": partial(engine.apply, x, _filter(case))}


def _by_algorithm(case: Case, algorithm: str) -> Mapping[str, Solution]:
    if case.kind not in ("convolve", "conv"):
        raise Unable("one way only")
    candidates = _plan(case).steps[0].rejected
    if any(each.algorithm == algorithm and each.predicted_seconds is None for each in candidates):
        raise Unable("this algorithm does not support it")
    predicted = {each.algorithm: each.predicted_seconds for each in candidates}
    if (predicted.get(algorithm) or 0.0) > 2.0:
        raise Unable("predicted to take seconds")
    return {
        "apply": partial(engine.apply, case.signal(), _filter(case), algorithm=algorithm),
    }


def _filter(case: Case) -> Filter:
    weight = case.weights()
    pads: Any = case.pads
    if case.kind == "transpose":
        return Filter(
            ConvTranspose(
                weight,
                stride=case.stride,
                padding=pads,
                groups=case.groups,
                dilation=case.dilation,
            )
        )
    return Filter(
        Conv(
            weight,
            stride=case.stride,
            padding=tuple((pad, pad) for pad in pads),
            dilation=case.dilation,
            groups=case.groups,
            flip=case.kind == "convolve",
        )
    )


def _plan(case: Case) -> Any:
    return engine.plan(_filter(case), case.shape, dtype=np.dtype(case.dtype))


def _chosen(case: Case) -> str:
    return str(_plan(case).steps[0].chosen.algorithm)
