"""FFTW's plans: how they are made without taking seconds for it.

FFTW's quick estimate misjudges long transforms by up to two times; to measure them takes it
seconds. So plans of the usual lengths were measured once and are built in as what FFTW calls
wisdom (`wisdom/`, written by `tools/measure_fftw.py`); it knows only what this release of FFTW
compiled for any x86-64 has, and is ignored elsewhere. It is read before the first plan is made:
equal shapes get equal plans in every process. Rows of such lengths are transformed one by one,
because a plan for several rows is planned anew.

Where measuring is asked for it is bounded in time, and what it finds is kept in the user's cache
folder. It never mingles with the rest: plans that were only estimated would change with it.

All of this is called by one thread at a time.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from . import caching

__all__ = ["there_and_back"]

MEASURING_SECONDS = 0.5
"""For which each direction may be measured."""

# Lengths from which rows are transformed one by one.
_LONG_ROWS = {"FFTW_FORWARD": 8192, "FFTW_BACKWARD": 1024}
_MOST_KEPT = 500
_BUILT_IN = Path(__file__).with_name("wisdom")

Run = Callable[[], object]
_Texts = tuple[bytes, bytes, bytes]


def there_and_back(
    samples: NDArray[Any],
    spectra: NDArray[Any],
    products: NDArray[Any],
    results: NDArray[Any],
    *,
    measured: bool,
) -> tuple[Run, Run]:
    """What transforms `samples` to `spectra`, and what transforms `products` back to `results`.

    Args:
        samples: (rows, *lengths).
        spectra: (rows, *bins).
        products: (rows, *bins), destroyed.
        results: (rows, *lengths), scaled by the number of samples.
        measured: whether to take the time to measure.
    """

    def both(flag: str, **limit: float) -> tuple[Run, Run]:
        return (
            _one_way(samples, spectra, "FFTW_FORWARD", (flag,), **limit),
            _one_way(products, results, "FFTW_BACKWARD", (flag, "FFTW_DESTROY_INPUT"), **limit),
        )

    _learn()
    found = _measured(both, _name(samples, results)) if measured else None
    return found or both("FFTW_ESTIMATE")


def _one_way(
    source: NDArray[Any],
    target: NDArray[Any],
    direction: str,
    flags: tuple[str, ...],
    **limit: float,
) -> Run:
    import pyfftw

    axes = tuple(range(1, source.ndim))
    length = max(source.shape[-1], target.shape[-1])
    alone = len(axes) == 1 and length >= _LONG_ROWS[direction]
    step = 1 if alone else len(source)
    runs = [
        pyfftw.FFTW(
            source[first : first + step],
            target[first : first + step],
            axes=axes,
            direction=direction,
            flags=flags,
            threads=1,
            **({"planning_timelimit": limit["seconds"]} if limit else {}),
        ).execute
        for first in range(0, len(source), step)
    ]
    if len(runs) == 1:
        found: Run = runs[0]
        return found

    def in_turn() -> None:
        for run in runs:
            run()

    return in_turn


@cache
def _learn() -> None:
    """Read what is built in; what does not fit this FFTW is ignored by it."""
    import pyfftw

    with contextlib.suppress(OSError):
        double, single = ((_BUILT_IN / f"{name}.txt").read_bytes() for name in ("double", "single"))
        pyfftw.import_wisdom((double, single, b""))


def _measured(both: Callable[..., tuple[Run, Run]], name: str) -> tuple[Run, Run] | None:
    """Plans by measuring; None where that did not come to an end.

    They are made from what was kept of the measuring alone, so that the next ones are the same.
    """
    import pyfftw

    known = _kept()
    with _nothing_known():
        if name not in known:
            both("FFTW_MEASURE", seconds=MEASURING_SECONDS)
            texts = pyfftw.export_wisdom()
            while len(known) >= _MOST_KEPT:
                del known[next(iter(known))]
            known[name] = [text.decode() for text in texts[:2]]
            caching.write(_file(), json.dumps(known))
            pyfftw.forget_wisdom()
        double, single = known[name]
        pyfftw.import_wisdom((double.encode(), single.encode(), b""))
        try:
            return both("FFTW_WISDOM_ONLY")
        except RuntimeError:
            return None


@contextlib.contextmanager
def _nothing_known() -> Iterator[None]:
    """Without any wisdom inside; what was known before is known again afterwards."""
    import pyfftw

    before: _Texts = pyfftw.export_wisdom()
    pyfftw.forget_wisdom()
    try:
        yield
    finally:
        pyfftw.forget_wisdom()
        pyfftw.import_wisdom(before)


@cache
def _kept() -> dict[str, list[str]]:
    """What was measured by this process or one before it, by the name of the shape."""
    try:
        found = json.loads(caching.read(_file()) or "{}")
        return {name: [str(double), str(single)] for name, (double, single) in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _file() -> str:
    from pyfftw import fftw_version

    return f"fftw-{fftw_version}-{caching.processor_digest()}.json"


def _name(samples: NDArray[Any], results: NDArray[Any]) -> str:
    return f"{samples.dtype.name} {samples.shape} {results.shape}".replace(" ", "")
