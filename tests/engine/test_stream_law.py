"""The law of streams: the same outputs for any cutting, and each as soon as it is fixed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved_engine import Stream, apply_arranged, open_stream, plan, stream
from convolved_vocabulary import (
    Conv,
    ConvTranspose,
    Filter,
    InvalidArgument,
    Layer,
    Options,
    Pool,
)
from tests.engine.operations.bounds import error_allowed
from tests.engine.operations.drawn import filters, numbers, signals

DTYPES = (
    *("float32", "float32", "float64", "complex64", "complex128"),
    *("int16", "uint8", "int32", "float16"),
)

ALGORITHMS = st.sampled_from(("auto", "overlap_save"))
WHOLE_ALGORITHMS = st.sampled_from(("auto", "overlap_save", "circular", "im2col", "direct"))

Case = tuple[Filter, NDArray[Any]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    dtype = draw(st.sampled_from(DTYPES))
    filter = draw(filters(dtype, ranks=(1, 1, 1, 2, 2, 3)))
    return filter, draw(signals(filter, dtype))


def cuts() -> st.SearchStrategy[list[int]]:
    return st.lists(st.sampled_from((0, 1, 1, 2, 3, 5, 17)), max_size=30)


def opened(filter: Filter, x: NDArray[Any], **about: Any) -> Stream:
    return open_stream(filter, channels=x.shape[1], size=x.shape[2:-1], dtype=x.dtype, **about)


def blocks(x: NDArray[Any], cut: list[int]) -> list[NDArray[Any]]:
    """x (channels, *size, n) in pieces of the lengths in `cut`, and the rest."""
    found, at = [], 0
    for length in cut:
        found.append(x[..., at : at + length])
        at = min(at + length, x.shape[-1])
    return [*found, x[..., at:]]


def joined(stream: Stream, x: NDArray[Any], cut: list[int]) -> NDArray[Any]:
    outputs = [stream.push(block) for block in blocks(x, cut)]
    return np.concatenate([*outputs, stream.flush()], axis=-1)


def bits(x: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(x).tobytes()


def farthest(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """The greatest difference; infinities differ from nothing but themselves."""
    with np.errstate(invalid="ignore"):
        apart = abs(found.astype(np.clongdouble) - expected)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    return float(np.where(same, 0, np.nan_to_num(apart, nan=np.inf)).max(initial=0))


@settings(max_examples=300)
@given(case=cases(), cut=cuts())
def test_after_n_inputs_exactly_ready_n_outputs_have_come(case: Case, cut: list[int]) -> None:
    filter, x = case
    live, taken, given_back = opened(filter, x), 0, 0
    for block in blocks(x[0], cut):
        found = live.push(block)
        taken, given_back = taken + block.shape[-1], given_back + found.shape[-1]
        assert found.shape[:-1] == live.frame_shape
        assert found.dtype == live.output_dtype == filter.output_dtype(x.dtype)
        assert (live.inputs, live.outputs) == (taken, given_back)
        assert given_back == filter.ready(taken)
    given_back += live.flush().shape[-1]
    assert given_back == live.outputs == filter.output_shape(x.shape)[-1]


@settings(max_examples=300)
@given(case=cases(), cut=cuts(), other=cuts())
def test_no_cutting_changes_a_bit(case: Case, cut: list[int], other: list[int]) -> None:
    filter, x = case
    first = joined(opened(filter, x), x[0], cut)
    assert bits(first) == bits(joined(opened(filter, x), x[0], other))


@settings(max_examples=300)
@given(case=cases(), cut=cuts())
def test_what_comes_in_blocks_is_what_apply_gives_within_the_bounds_of_the_plan(
    case: Case, cut: list[int]
) -> None:
    filter, x = case
    found, whole = joined(opened(filter, x), x[0], cut), apply_arranged(x, filter)[0]
    assert found.shape == whole.shape
    assert found.dtype == whole.dtype
    allowed = error_allowed(filter, plan(filter, x.shape, dtype=x.dtype), x)
    allowed += error_allowed(filter, plan(filter, x.shape, dtype=x.dtype, block=64), x)
    assert farthest(found, whole) <= allowed


@settings(max_examples=100)
@given(case=cases(), cut=cuts())
def test_a_stream_that_is_reset_begins_anew(case: Case, cut: list[int]) -> None:
    filter, x = case
    live = opened(filter, x)
    first = joined(live, x[0], cut)
    live.reset()
    assert bits(joined(live, x[0], [])) == bits(first)
    live.reset()
    live.push(x[0])
    live.reset()
    assert (live.inputs, live.outputs) == (0, 0)
    assert bits(joined(live, x[0], cut)) == bits(first)


@settings(max_examples=300)
@given(case=cases(), cut=cuts(), lost=st.integers(0, 30), whole=st.booleans())
def test_a_fresh_stream_goes_on_where_another_was_lost(
    case: Case, cut: list[int], lost: int, whole: bool
) -> None:
    filter, x = case
    about = {"total": x.shape[-1]} if whole else {}
    first = opened(filter, x, **about)
    head = [first.push(block) for block in blocks(x[0], cut)[:lost]]
    retained, done = first.retain_from, first.outputs
    assert 0 <= retained <= first.inputs
    second = opened(filter, x, **about)
    second.start_at(retained, done)
    assert (second.inputs, second.outputs) == (retained, done)
    found = [*head, joined(second, x[0][..., retained:], cut[lost:])]
    expected = joined(opened(filter, x, **about), x[0], [])
    assert bits(np.concatenate(found, axis=-1)) == bits(expected)


@settings(max_examples=300)
@given(case=cases(), cut=cuts(), other=cuts(), algorithm=WHOLE_ALGORITHMS)
def test_with_a_known_total_outputs_may_wait_but_are_the_same(
    case: Case, cut: list[int], other: list[int], algorithm: str
) -> None:
    filter, x = case
    if algorithm != "auto" and filter.output_dtype(x.dtype).kind not in "fc":
        algorithm = "auto"
    about: Any = {"total": x.shape[-1], "options": Options(algorithm=algorithm)}
    found = joined(opened(filter, x, **about), x[0], cut)
    assert bits(found) == bits(joined(opened(filter, x, **about), x[0], other))
    whole = apply_arranged(x, filter)[0]
    wished = plan(filter, x.shape, dtype=x.dtype, algorithm=algorithm)
    allowed = error_allowed(filter, plan(filter, x.shape, dtype=x.dtype), x)
    allowed += error_allowed(filter, wished, x)
    assert found.shape == whole.shape
    assert farthest(found, whole) <= allowed


@st.composite
def long_cases(draw: st.DrawFn) -> Case:
    """Responses that are partitioned, among layers that change the rate before and after."""
    groups = draw(st.sampled_from((1, 2)))
    taps, seed = draw(st.integers(256, 700)), draw(st.integers(0, 1000))
    weight = numbers(seed, (2, 2 // groups, taps), "float32")
    pads: Any = draw(st.sampled_from(("full", "same", "causal", "valid", (taps // 3, 40))))
    found: list[Layer] = [Conv(weight, None, 1, pads, 1, groups, "zeros", draw(st.booleans()))]
    if draw(st.booleans()):
        found.insert(0, ConvTranspose(numbers(seed, (2, 1, 4), "float32"), stride=2, groups=2))
    if draw(st.booleans()):
        found.append(Pool("max", 3, 2))
    filter = Filter(found)
    return filter, draw(signals(filter, "float32", most=1200))


@settings(max_examples=40)
@given(
    case=long_cases(),
    cut=st.lists(st.sampled_from((0, 1, 63, 64, 200)), max_size=12),
    block=st.sampled_from((1, 64, 512)),
    lost=st.integers(0, 12),
)
def test_long_responses_keep_the_law(case: Case, cut: list[int], block: int, lost: int) -> None:
    filter, x = case
    live = opened(filter, x, block=block)
    assert "partitioned" in live.algorithm
    head = []
    for piece in blocks(x[0], cut)[:lost]:
        head.append(live.push(piece))
        assert live.outputs == filter.ready(live.inputs)
    second = opened(filter, x, block=block)
    second.start_at(live.retain_from, live.outputs)
    rest = joined(second, x[0][..., live.retain_from :], cut[lost:])
    found = np.concatenate([*head, rest], axis=-1)
    assert bits(found) == bits(joined(opened(filter, x, block=block), x[0], []))
    allowed = error_allowed(filter, plan(filter, x.shape, block=block), x)
    allowed += error_allowed(filter, plan(filter, x.shape), x)
    assert farthest(found, apply_arranged(x, filter)[0]) <= allowed


@settings(max_examples=60)
@given(cut=cuts(), other=cuts(), transposed=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_no_cutting_changes_a_bit_beside_weights_that_are_not_finite(
    cut: list[int], other: list[int], transposed: bool, seed: int
) -> None:
    weight = numbers(seed, (2, 2, 9), "float32")
    weight[0, 0, seed % 9] = np.inf
    layer = ConvTranspose(weight, stride=2) if transposed else Conv(weight, padding="same")
    filter, x = Filter(layer), numbers(seed + 1, (1, 2, 60), "float32")
    first = joined(opened(filter, x), x[0], cut)
    second = joined(opened(filter, x), x[0], other)
    assert bits(first) == bits(second)
    assert np.isfinite(first).any()


@settings(max_examples=200)
@given(case=cases(), cut=cuts(), other=cuts(), seed=st.integers(0, 2**32 - 1))
def test_no_cutting_moves_nan_and_infinity(
    case: Case, cut: list[int], other: list[int], seed: int
) -> None:
    filter, x = case
    generator = np.random.default_rng(seed)
    if x.dtype.kind in "fc":
        x[generator.random(x.shape) < 0.1] = generator.choice((np.nan, np.inf, -np.inf))
    first = joined(opened(filter, x), x[0], cut)
    second = joined(opened(filter, x), x[0], other)
    assert np.array_equal(np.isnan(first), np.isnan(second))
    assert bits(np.nan_to_num(first)) == bits(np.nan_to_num(second))


def test_what_cannot_stream_has_no_plan_for_blocks_either() -> None:
    around = Filter([Pool("max", 2), Conv([[[1.0, 2.0, 3.0]]], padding=1, boundary="wrap")])
    sentence = r"layers\[1\].boundary: got 'wrap' along time"
    for ask in (lambda: stream(around), lambda: plan(around, (100,), block=64)):
        with pytest.raises(InvalidArgument, match=sentence):
            ask()
    assert plan(around, (100,)).output_shape == (1, 1, 50)
    across = Filter(Conv(np.ones((1, 1, 3, 3)), padding=(1, 0), boundary=("wrap", "zeros")))
    assert plan(across, (8, 100), block=64).output_shape == (1, 1, 8, 98)


@pytest.mark.parametrize("algorithm", ["circular", "im2col"])
def test_algorithms_without_a_grid_take_a_whole_signal_block_by_block(algorithm: str) -> None:
    filter = Filter(Conv(numbers(0, (1, 1, 9), "float32"), padding="causal"))
    x = numbers(1, (1, 1, 300_001), "float32")
    about: Any = {"total": x.shape[-1], "options": Options(algorithm=algorithm)}
    live = opened(filter, x, **about)
    assert live.algorithm == algorithm
    early = live.push(x[0, :, :200_000])
    assert 0 < early.shape[-1] < 200_000, "outputs come before the end, and wait for whole blocks"
    found = np.concatenate([early, live.push(x[0, :, 200_000:]), live.flush()], axis=-1)
    assert bits(found) == bits(joined(opened(filter, x, **about), x[0], [1, 150_000, 0, 7]))
    allowed = error_allowed(filter, plan(filter, x.shape, dtype=x.dtype, algorithm=algorithm), x)
    allowed += error_allowed(filter, plan(filter, x.shape, dtype=x.dtype), x)
    assert farthest(found, apply_arranged(x, filter)[0]) <= allowed
