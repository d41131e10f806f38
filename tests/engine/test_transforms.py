"""FFTW and SciPy behind one face; workspaces lent to one thread at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from convolved_engine import transforms
from convolved_engine.transforms import Shape, lease
from tests.engine.cases import FLOATING

BACKENDS = pytest.mark.parametrize("backend", transforms.BACKENDS)


@BACKENDS
@pytest.mark.parametrize("dtype", FLOATING, ids=str)
@pytest.mark.parametrize("lengths", [(24,), (300,), (6, 10), (16, 16), (4, 6, 8)], ids=str)
@pytest.mark.parametrize("outputs", [2, 3])
@pytest.mark.parametrize("aligned", [False, True])
def test_there_and_back_is_the_samples_times_their_number(
    backend: str, dtype: np.dtype[Any], lengths: tuple[int, ...], outputs: int, aligned: bool
) -> None:
    shape = Shape(2, outputs, lengths, dtype, backend, aligned)
    samples = np.random.default_rng(0).standard_normal((2, *lengths)).astype(dtype)
    if dtype.kind == "c":
        samples = samples * (1 + 2j).__complex__()
    with lease(shape) as work:
        work.samples[...] = samples
        work.forward()
        spectra = work.spectra.copy()
        work.products[...] = spectra[[0, 1, 0][:outputs]]
        work.backward()
        results = work.results.copy()
    assert not spectra[..., shape.bins :].any()
    spectra = spectra[..., : shape.bins]
    axes = tuple(range(1, 1 + len(lengths)))
    exact = np.fft.fftn(samples, axes=axes)[..., : spectra.shape[-1]]
    tolerance = 100 * float(np.finfo(dtype).eps)
    assert spectra.dtype == shape.spectrum_dtype
    np.testing.assert_allclose(spectra, exact, atol=tolerance * abs(exact).max())
    points = int(np.prod(lengths))
    np.testing.assert_allclose(results[:2] / points, samples, atol=tolerance * 10)


@BACKENDS
def test_a_workspace_is_lent_to_one_holder_at_a_time_and_lent_again(backend: str) -> None:
    shape = Shape(1, 1, (22,), np.dtype("float32"), backend)
    with lease(shape) as first, lease(shape) as second:
        assert first is not second
        assert not np.shares_memory(first.samples, second.samples)
        both = {id(first), id(second)}
    with lease(shape) as third:
        assert id(third) in both


def test_waiting_workspaces_stay_within_their_bytes() -> None:
    pool = transforms._Pool(100_000)
    for length in range(1000, 1100, 2):
        pool.give_back(pool.take(Shape(4, 4, (length,), np.dtype("float32"), "scipy")))
        assert pool.nbytes <= 100_000
    held = sum(work.nbytes for works in pool.free.values() for work in works)
    assert held == pool.nbytes > 0


@BACKENDS
def test_threads_that_transform_at_once_do_not_disturb_each_other(backend: str) -> None:
    shape = Shape(1, 1, (256,), np.dtype("float64"), backend)

    def there_and_back(number: int) -> float:
        with lease(shape) as work:
            work.samples[...] = number
            work.forward()
            work.backward()
            return float(work.results[0, 5]) / 256

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(there_and_back, range(200)))
    np.testing.assert_allclose(found, range(200), atol=1e-9)


@pytest.mark.parametrize("least", [1, 2, 7, 1023, 4097, 65537, 10**6 + 3])
def test_fast_lengths_are_even_smooth_and_little_longer(least: int) -> None:
    length = transforms.fast_length(least)
    assert least <= length <= max(2, 1.2 * least)
    assert length % 2 == 0
    rest = length
    for prime in (2, 3, 5, 7):
        while rest % prime == 0:
            rest //= prime
    assert rest == 1


def test_who_finds_a_workspace_waits_for_no_planning() -> None:
    pool = transforms._Pool(1 << 20)
    shape = Shape(1, 1, (64,), np.dtype("float32"), "scipy")
    pool.give_back(pool.take(shape))
    other = ThreadPoolExecutor(1)
    with pool.planning:
        assert other.submit(pool.take, shape).result(60).shape == shape
    other.shutdown()
