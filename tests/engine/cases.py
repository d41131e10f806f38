"""Problems and their data, drawn by hypothesis, for every test of an algorithm."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved_engine.problem import DTYPES, Problem

__all__ = ["FLOATING", "Data", "data", "problems", "run"]

FLOATING = tuple(dtype for dtype in DTYPES if dtype.kind in "fc")

# Longest kernel and longest addition to the shortest input, for each rank.
_LONGEST = {1: (40, 300), 2: (7, 60), 3: (4, 12)}

Data = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]


@st.composite
def problems(
    draw: st.DrawFn,
    dtypes: tuple[np.dtype[Any], ...] = DTYPES,
    accuracy: str = "fast",
    ranks: tuple[int, ...] = (1, 1, 2, 3),
) -> Problem:
    rank = draw(st.sampled_from(ranks))
    longest, room = _LONGEST[rank]
    groups = draw(st.sampled_from((1, 1, 2, 3)))
    inputs = draw(st.integers(1, 3))
    outputs = draw(st.sampled_from((1, 1, 2, 3, 4, 8, 11) if rank < 3 else (1, 2, 4)))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    kernel, stride, dilation = each(1, longest), each(1, 3), each(1, 3)
    pads = tuple(zip(each(0, 5), each(0, 5), strict=True))
    extra = each(0, room)
    size = tuple(
        max(1, d * (k - 1) + 1 - before - after) + more
        for k, d, (before, after), more in zip(kernel, dilation, pads, extra, strict=True)
    )
    return Problem.of(
        (draw(st.integers(1, 2)), inputs * groups, *size),
        (outputs * groups, inputs, *kernel),
        dtype=draw(st.sampled_from(dtypes)),
        stride=stride,
        dilation=dilation,
        pads=pads,
        groups=groups,
        flip=draw(st.booleans()),
        accuracy="strict" if accuracy == "strict" else "fast",
        has_bias=draw(st.booleans()),
    )


def data(problem: Problem, seed: int = 0) -> Data:
    """Normal samples of very different sizes, so that orders of sums can be told apart."""
    generator = np.random.default_rng(seed)

    def numbers(*shape: int) -> NDArray[Any]:
        values = generator.standard_normal(shape) * 2.0 ** generator.integers(-4, 9, shape)
        if problem.is_complex:
            values = values + 1j * generator.standard_normal(shape)
        return np.asarray(values.astype(problem.dtype))

    bias = numbers(problem.out_channels) if problem.has_bias else None
    return numbers(*problem.input_shape), numbers(*problem.weight_shape), bias


def run(runnable: Any, problem: Problem, x: NDArray[Any], threads: int = 1) -> NDArray[Any]:
    """The output; whatever was in its memory before must not shine through."""
    out = np.full(problem.with_input(x.shape).output_shape, 77, problem.dtype)
    runnable(x, out, threads)
    return out
