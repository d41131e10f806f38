"""A kernel is compiled once, for inputs of all origins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convolved_engine import apply, max_pool
from convolved_engine.kernels.sweep import sweep
from convolved_engine.kernels.windows import greatest
from convolved_engine.machine import vector_bytes
from convolved_vocabulary import Conv, Filter

X = np.random.default_rng(3).standard_normal((1, 500)).astype(np.float32)
WEIGHT = np.ones((1, 1, 15), np.float32)


def frozen(x: NDArray[Any]) -> NDArray[Any]:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


def unaligned(x: NDArray[Any]) -> NDArray[Any]:
    place = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    place[...] = x
    assert not place.flags.aligned
    return place


@pytest.mark.parametrize("made", [frozen, unaligned])
@pytest.mark.parametrize("bias", [None, np.ones(1, np.float32)])
def test_no_kernel_is_compiled_for_the_origin_of_its_input(
    made: Callable[[NDArray[Any]], NDArray[Any]], bias: NDArray[Any] | None
) -> None:
    kernel = sweep(vector_bytes() // 4)
    wanted = apply(X, Filter(Conv(WEIGHT)), algorithm="direct"), max_pool(X, 3)
    before = len(kernel.signatures), len(greatest.signatures)
    filter = Filter(Conv(WEIGHT, bias))
    found = apply(made(X), filter, algorithm="direct"), max_pool(made(X), 3)
    assert (len(kernel.signatures), len(greatest.signatures)) == before
    assert found[0] == pytest.approx(wanted[0] + (0 if bias is None else 1), abs=1e-5)
    assert np.array_equal(found[1], wanted[1])
