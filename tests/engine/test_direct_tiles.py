"""Direct convolution has two kinds of tiles; nobody can tell by which one an output came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from convolved_engine.algorithms.by_channels import ByChannels
from convolved_engine.algorithms.channel_tiling import goes_by_channels
from convolved_engine.algorithms.direct import ByOutputs
from convolved_engine.machine import vector_bytes
from convolved_engine.problem import Problem

from .cases import data, problems, run

_REAL = (np.dtype(np.float32), np.dtype(np.float64))


def _assert_same_bits(problem: Problem, threads: int = 1) -> None:
    x, weight, bias = data(problem)
    one, other = ByOutputs(problem, weight, bias), ByChannels(problem, weight, bias)
    assert run(one, problem, x).tobytes() == run(other, problem, x, threads).tobytes()


@given(problem=problems(_REAL))
def test_tiles_across_channels_give_the_bits_of_tiles_across_outputs(problem: Problem) -> None:
    _assert_same_bits(problem)


@pytest.mark.parametrize("dtype", _REAL, ids=str)
@pytest.mark.parametrize(
    ("shape", "weight", "others"),
    [
        ((2, 16, 14, 14), (32, 16, 3, 3), {"pads": ((1, 1), (1, 1))}),
        ((2, 64, 7, 7), (64, 64, 3, 3), {"pads": ((1, 1), (1, 1)), "stride": (2, 2)}),
        ((1, 32, 9, 37), (128, 16, 3, 3), {"groups": 2, "dilation": (2, 2), "stride": (1, 2)}),
        ((1, 16, 3000), (60, 16, 7), {"pads": ((3, 0),), "stride": (3,)}),
        ((1, 50, 1000), (32, 50, 2), {}),
        ((1, 8, 6, 9, 40), (31, 8, 3, 3, 3), {"pads": ((1, 1), (0, 2), (1, 1))}),
    ],
    ids=str,
)
def test_so_they_do_in_layers_of_many_channels(
    shape: tuple[int, ...], weight: tuple[int, ...], others: dict[str, Any], dtype: np.dtype[Any]
) -> None:
    problem = Problem.of(shape, weight, dtype=dtype, has_bias=True, **others)
    assert goes_by_channels(problem, vector_bytes())
    _assert_same_bits(problem, threads=2)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("columns", [True, False])
def test_taps_far_apart_need_no_copy_of_what_lies_between(stride: int, columns: bool) -> None:
    size, kernel, dilation, pads = (4, 40_000), (1, 3), (1, 20_000), ((0, 0), (20_000, 20_000))
    if not columns:
        size, kernel, dilation, pads = ((*each[::-1],) for each in (size, kernel, dilation, pads))
    problem = Problem.of(
        (1, 1, *size),
        (1, 1, *kernel),
        dtype=np.dtype(np.float32),
        stride=(stride, stride),
        dilation=dilation,
        pads=pads,
    )
    x, weight, bias = data(problem)
    runnable = ByOutputs(problem, weight, bias)
    found = run(runnable, problem, x)
    padded = np.pad(x[0, 0].astype(np.float64), pads)
    expected = sum(
        value * padded[i * dilation[0] :, j * dilation[1] :][: size[0], : size[1]]
        for (i, j), value in np.ndenumerate(weight[0, 0])
    )
    wanted = np.asarray(expected)[::stride, ::stride]
    assert np.allclose(found[0, 0], wanted, rtol=0, atol=1e-6 * float(abs(wanted).max()))
