"""A pytest plugin that runs SciPy's own tests of its convolutions against ours in their place.

Only the function under test is replaced, so that what SciPy's tests expect comes from SciPy. The
words of errors are not compared: ours name the argument, what came and what would do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import convolved_engine.functions as ours

TESTS = "scipy.signal.tests.test_signaltools"

# Which functions a group of tests is about.
REPLACED = {
    "TestConvolve": ("convolve",),
    "TestConvolve2d": ("convolve", "convolve2d", "correlate2d"),
    "TestFFTConvolve": ("fftconvolve",),
    "TestOAConvolve": ("oaconvolve",),
    "TestAllFreqConvolves": ("fftconvolve", "oaconvolve"),
    "TestCorrelateReal": ("correlate",),
    "TestCorrelate": ("correlate",),
    "test_correlation_lags": ("correlate",),
    "TestCorrelateComplex": ("correlate",),
    "TestCorrelate2d": ("correlate2d",),
    "test_convolve_longdtype_input": ("convolve", "fftconvolve"),
}

_WRAPS = "expects integers that leave their dtype to wrap around; ours are refused"
LEFT_OUT = {
    **{
        f"TestCorrelateReal::{test}[{dtype}]": _WRAPS
        for test in ("test_method", "test_rank3_valid", "test_rank3_same", "test_rank3_all")
        for dtype in ("numpy-uint8", "numpy-int8")
    },
    "TestConvolve::test_convolve_method_large_input": _WRAPS,
    "TestFFTConvolve::test_fft_nan": "expects NaN to spread over SciPy's transform, with a warning",
    "TestConvolve2d::test_large_array": "tests the integers of SciPy's loops on 2 GiB",
    "test_convolve_longdtype_input": "long double is no dtype of ours",
}
"""Tests that are not run, each with the reason."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    named: set[str] = set()
    for item in items:
        name = item.nodeid.partition("::")[2]
        reasons = [key for key in LEFT_OUT if name == key or name.startswith(f"{key}[")]
        named.update(reasons)
        (kept if _group(item) and not reasons else dropped).append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = kept
    if unknown := set(LEFT_OUT) - named:
        raise pytest.UsageError(f"SciPy has no tests of these names: {sorted(unknown)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    group = _group(item)
    assert group is not None
    assert isinstance(item, pytest.Function)
    module: Any = item.module
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "assert_raises", _raises)
        for name in REPLACED[group]:
            scipys, replacement = getattr(module.signal, name), getattr(ours, name)
            patch.setattr(module, name, replacement)
            patch.setattr(module.signal, name, replacement)
            for argument, value in item.funcargs.items():
                if value is scipys:
                    patch.setitem(item.funcargs, argument, replacement)
        return (yield)


def _group(item: pytest.Item) -> str | None:
    first = item.nodeid.split("::")[1].partition("[")[0]
    return first if first in REPLACED else None


def _raises(*args: Any, match: str | None = None, **kwargs: Any) -> Any:
    raises: Callable[..., Any] = pytest.raises
    return raises(*args, **kwargs)
