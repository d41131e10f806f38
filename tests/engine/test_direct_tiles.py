"""Direct convolution has three kinds of tiles; nobody can tell by which one an output came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convolved_engine.algorithms.by_channels import ByChannels
from convolved_engine.algorithms.by_planes import ByPlanes, goes_by_planes
from convolved_engine.algorithms.channel_tiling import goes_by_channels
from convolved_engine.algorithms.direct import ByOutputs, Direct
from convolved_engine.kernels.shapes import KERNELS
from convolved_engine.machine import current, vector_bytes
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


MASKED = pytest.mark.skipif(vector_bytes() < 32, reason="vectors without masks")


@st.composite
def _of_single_channels(draw: st.DrawFn) -> Problem:
    side, stride = draw(st.sampled_from(KERNELS))
    pads = tuple((draw(st.integers(0, 5)), draw(st.integers(0, 5))) for _ in range(2))
    size = (max(1, side - sum(pair)) + draw(st.integers(0, 90)) for pair in pads)
    groups, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    return Problem.of(
        (draw(st.integers(1, 2)), groups, *size),
        (groups * outputs, 1, side, side),
        dtype=draw(st.sampled_from(_REAL)),
        stride=(stride, stride),
        pads=pads,
        groups=groups,
        flip=draw(st.booleans()),
        has_bias=draw(st.booleans()),
    )


@MASKED
@given(problem=_of_single_channels(), threads=st.integers(1, 2))
@settings(max_examples=200)
def test_tiles_of_single_channels_give_the_bits_of_any_tiles(
    problem: Problem, threads: int
) -> None:
    assert goes_by_planes(problem, vector_bytes())
    x, weight, bias = data(problem)
    one, other = ByOutputs(problem, weight, bias), ByPlanes(problem, weight, bias)
    assert run(one, problem, x).tobytes() == run(other, problem, x, threads).tobytes()


@MASKED
@pytest.mark.parametrize("dtype", _REAL, ids=str)
@pytest.mark.parametrize("threads", [1, 4])
def test_rows_of_large_images_are_shared_among_threads(dtype: np.dtype[Any], threads: int) -> None:
    problem = Problem.of((1, 1, 500, 700), (1, 1, 7, 7), dtype=dtype, pads=((3, 3), (3, 3)))
    x, weight, bias = data(problem)
    one, other = ByOutputs(problem, weight, bias), ByPlanes(problem, weight, bias)
    assert run(one, problem, x).tobytes() == run(other, problem, x, threads).tobytes()


@MASKED
def test_depthwise_layers_are_computed_channel_by_channel() -> None:
    for stride in (1, 2):
        problem = Problem.of(
            (1, 96, 56, 56), (96, 1, 3, 3), dtype="float32", stride=(stride, stride), groups=96
        )
        assert Direct().cost(problem, current()).parameters == {"tiles": "planes"}


@pytest.mark.parametrize(
    ("kernel", "others"),
    [
        ((3, 5), {}),
        ((9, 9), {}),
        ((3, 3), {"stride": (1, 2)}),
        ((3, 3), {"stride": (3, 3)}),
        ((3, 3), {"dilation": (2, 2)}),
        ((3, 3), {"dtype": "int32"}),
        ((3, 3), {"dtype": "complex64"}),
        ((3, 3), {"groups": 2}),
    ],
    ids=str,
)
def test_other_problems_have_no_such_tiles(kernel: tuple[int, int], others: dict[str, Any]) -> None:
    given_shape = (1, 4, 40, 40)
    options: dict[str, Any] = {"dtype": "float32", "groups": 4} | others
    weight = (4, 4 // options["groups"], *kernel)
    assert not goes_by_planes(Problem.of(given_shape, weight, **options), vector_bytes())


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
