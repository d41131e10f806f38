"""Long responses along time: how they are cut, that the work is spread, and what comes out."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved_engine import Stream, apply, apply_arranged, open_stream, plan, stream
from convolved_engine.kernels.fourier import passes
from convolved_engine.streaming.program import Rows, factors_of, program_for
from convolved_engine.streaming.scheme import Scheme, chosen_scheme, scheme_of
from convolved_engine.streaming.transform import radices, tables_of
from convolved_vocabulary import Conv, ConvTranspose, Filter, InvalidArgument, Options
from tests.engine.operations.bounds import error_allowed
from tests.engine.operations.drawn import numbers

LANES = (4, 8, 16)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("twisted", [False, True])
def test_a_transform_in_pieces_is_the_discrete_fourier_transform(lanes: int, twisted: bool) -> None:
    first, later = passes(lanes)
    for n in (64, 128, 256, 512, 1024, 2048, 8192):
        if lanes * lanes > n:
            continue
        x = numbers(n, (2 * n,), "float64")
        held = np.concatenate((x, np.empty(2 * n)))
        tables, places = tables_of(n, lanes, np.dtype("float64"))
        source, target = 0, 2 * n
        for piece in range(n // lanes**2):
            twist = 0 if twisted else -1
            here = (0, n, n, tables, places[0], twist, target, target + n)
            first(held, *here, piece, piece + 1, held.ctypes.data, 2)
        s, left = lanes, n // lanes
        for radix, place in zip(radices(n, lanes)[1:], places[1:], strict=True):
            source, target = target, source
            there = (source, source + n, left, s, radix, tables, place, target, target + n)
            for begin in range(0, n // (radix * lanes), 3):
                later(held, *there, begin, min(begin + 3, n // (radix * lanes)), 0, 0)
            s, left = s * radix, left // radix
        found = held[target : target + n] + 1j * held[target + n :][:n]
        z = x[:n] + 1j * x[n:]
        if twisted:
            z = z * np.exp(0.5j * np.pi * np.arange(n) / n)
        np.testing.assert_allclose(found, np.fft.fft(z), atol=1e-11 * n)


@settings(max_examples=100)
@given(
    taps=st.integers(257, 2_000_000),
    inputs=st.integers(1, 8),
    outputs=st.integers(1, 8),
    block=st.sampled_from((0, 1, 64, 100, 512, 1024, 8192)),
)
def test_a_scheme_covers_every_tap_once_and_in_time(
    taps: int, inputs: int, outputs: int, block: int
) -> None:
    scheme = chosen_scheme(taps, inputs, outputs, block)
    reached = scheme.base
    for level in scheme.levels:
        assert level.delay * level.length == reached
        # A block is complete `length` before its first result is due, or at once.
        assert level.delay == 2 or level.length == scheme.base
        assert level.length % scheme.base == 0
        reached += level.partitions * level.length
    assert taps <= reached < taps + scheme.levels[-1].length
    assert scheme.base <= max(64, block or 512)
    assert scheme.levels[-1].length <= max(64, taps // 8)


@pytest.mark.parametrize("taps", [3000, 48000, 144000, 480000])
@pytest.mark.parametrize("block", [64, 512])
@pytest.mark.parametrize("channels", [1, 2])
def test_no_block_has_much_more_to_do_than_another(taps: int, block: int, channels: int) -> None:
    """By the predicted times of what falls to a block, so that no clock is needed."""
    scheme = chosen_scheme(taps, channels, channels, block)
    dtype, rows = np.dtype("float32"), Rows(1, 1, channels, channels)
    factors = factors_of(scheme, 16, dtype, 0)[1]
    spectra = [0] * len(scheme.levels)
    made = program_for(scheme, rows, 16, dtype, factors, spectra, scheme.base, 0, block)
    steps = scheme.levels[-1].length // scheme.base
    for level, load in zip(scheme.levels, made.loads, strict=True):
        assert len(load) == (1 if level.delay == 1 else level.length // scheme.base)
    whole = sum(np.resize(load, steps) for load in made.loads)
    at_once = min(steps, max(1, block // scheme.base))
    by_block = np.reshape(whole, (-1, at_once)).sum(axis=1)
    assert np.max(by_block) <= 2 * np.median(by_block)


@st.composite
def responses(draw: st.DrawFn) -> tuple[Filter, NDArray[Any]]:
    """Long ones of every dtype and matrix, beside a signal that passes several large blocks."""
    dtype = draw(st.sampled_from(("float32", "float64", "complex64", "complex128")))
    groups, inputs, outputs = (draw(st.integers(1, 2)) for _ in range(3))
    taps, seed = draw(st.sampled_from((1, 60, 255, 256, 900, 4500))), draw(st.integers(0, 1000))
    weight = numbers(seed, (groups * outputs, inputs, taps), dtype)
    bias = numbers(seed + 1, (groups * outputs,), dtype) if draw(st.booleans()) else None
    pads: Any = draw(st.sampled_from(("full", "causal", "valid", (taps + 70, 40))))
    filter = Filter(Conv(weight, bias, 1, pads, 1, groups, "zeros", draw(st.booleans())))
    length = taps + draw(st.integers(0, 3000))
    return filter, numbers(seed + 2, (1, groups * inputs, length), dtype)


def opened(filter: Filter, x: NDArray[Any], block: int) -> Stream:
    return open_stream(filter, channels=x.shape[1], dtype=x.dtype, block=block)


def pushed(live: Stream, x: NDArray[Any], cut: list[int]) -> list[NDArray[Any]]:
    stops = [0, *np.minimum(np.cumsum(cut, dtype=int), x.shape[-1]), x.shape[-1]]
    return [live.push(x[:, a:b]) for a, b in itertools.pairwise(stops)]


def bits(x: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(x).tobytes()


CUTS = st.lists(st.sampled_from((0, 1, 63, 64, 65, 500, 1500)), max_size=12)


@settings(max_examples=60)
@given(case=responses(), cut=CUTS, block=st.sampled_from((1, 64, 512)), lost=st.integers(0, 12))
def test_matrices_of_every_dtype_keep_the_law_under_cuts_and_when_taken_up_again(
    case: Any, cut: list[int], block: int, lost: int
) -> None:
    filter, x = case
    live = opened(filter, x, block)
    head = []
    for length in cut[:lost]:
        head.append(live.push(x[0, :, live.inputs : live.inputs + length]))
        assert live.outputs == filter.ready(live.inputs)
    second = opened(filter, x, block)
    second.start_at(live.retain_from, live.outputs)
    rest = pushed(second, x[0][:, live.retain_from :], cut[lost:])
    found = np.concatenate([*head, *rest, second.flush()], axis=-1)
    once = opened(filter, x, block)
    assert bits(found) == bits(np.concatenate([once.push(x[0]), once.flush()], axis=-1))
    allowed = error_allowed(filter, plan(filter, x.shape, dtype=x.dtype, block=block), x)
    allowed += error_allowed(filter, plan(filter, x.shape, dtype=x.dtype), x)
    assert float(abs(found - apply_arranged(x, filter)[0]).max(initial=0)) <= allowed


@settings(max_examples=40)
@given(case=responses(), cut=CUTS, seed=st.integers(0, 1000))
def test_nan_and_infinities_reach_what_direct_convolution_lets_them_reach(
    case: Any, cut: list[int], seed: int
) -> None:
    """Opposite ones, too, without a warning."""
    filter, x = case
    generator = np.random.default_rng(seed)
    wild = generator.integers(0, x.shape[-1], 4)
    x[0, :, wild] = generator.choice((np.nan, np.inf, -np.inf, 1.0), (4, 1)).astype(x.dtype)
    live = opened(filter, x, 64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = np.concatenate([*pushed(live, x[0], cut), live.flush()], axis=-1)
    whole = apply_arranged(x, filter, Options(algorithm="direct"))[0]
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(whole))
    if x.dtype.kind == "f":
        np.testing.assert_array_equal(np.isnan(found), np.isnan(whole))


def test_the_tail_comes_in_steps_between_which_it_can_be_abandoned() -> None:
    response, x = numbers(0, (60_000,), "float32"), numbers(1, (1, 500), "float32")
    live, other = stream(response), stream(response)
    live.push(x)
    other.push(x)
    steps = list(live.flush_steps())
    assert len(steps) > 4
    assert bits(np.concatenate(steps, axis=-1)) == bits(other.flush())
    assert live.outputs == other.outputs == 60_499
    abandoned = stream(response)
    abandoned.push(x)
    next(abandoned.flush_steps())
    with pytest.raises(Exception, match="has ended"):
        abandoned.flush()
    abandoned.reset()
    assert bits(abandoned.push(x)) == bits(stream(response).push(x))


def test_a_windows_tail_comes_in_steps_too() -> None:
    wide = Filter(Conv(np.ones((1, 1, 9), np.float32), None, 1, (8, 20_000)))
    live = stream(wide)
    live.push(np.ones(9, np.float32))
    steps = list(live.flush_steps())
    assert len(steps) > 2
    assert live.outputs == wide.output_shape((1, 9))[-1]


def test_the_tail_of_what_is_spread_far_comes_in_steps_too() -> None:
    far, x = (
        Filter(ConvTranspose(numbers(0, (1, 1, 3), "float32"), dilation=9_000)),
        numbers(1, (1, 700), "float32"),
    )
    live, other = stream(far), stream(far)
    first = [live.push(x[:, :300]), live.push(x[:, 300:])]
    steps = list(live.flush_steps())
    assert len(steps) > 3
    assert max(step.shape[-1] for step in steps) < 5_000
    found = np.concatenate([*first, *steps], axis=-1)
    assert bits(found) == bits(np.concatenate([other.push(x), other.flush()], axis=-1))
    np.testing.assert_allclose(found, apply(x, far), atol=1e-6)


def test_streams_of_one_filter_share_its_spectra() -> None:
    filter = Filter(Conv(numbers(0, (1, 1, 48_000), "float32"), padding="full", flip=True))
    first, second = (open_stream(filter, channels=1, dtype="float32", block=64) for _ in range(2))
    held = first.state_bytes
    assert held < 24 * filter.size_bytes / 4
    assert second.state_bytes == held


def test_the_plan_of_a_stream_tells_its_partitions() -> None:
    told = plan(Filter(Conv(np.ones((1, 1, 48_000), np.float32))), (1, 48_000), block=64)
    chosen = told.steps[0].chosen
    assert chosen.algorithm == "partitioned"
    parameters = dict(chosen.parameters)
    assert parameters["partitions"] == str(chosen_scheme(48_000, 1, 1, 64))


def test_a_scheme_tells_itself() -> None:
    assert str(scheme_of(3000, (64, 512))) == "64 direct, 15 of 64, 4 of 512"
    assert str(Scheme(512, ())) == "512 direct"


def test_a_transposed_layer_refuses_an_algorithm_that_would_hold_outputs_back() -> None:
    layer = ConvTranspose(np.ones((1, 1, 600), np.float32), stride=2)
    with pytest.raises(InvalidArgument, match="overlap_save"):
        stream(Filter(layer), algorithm="overlap_save")
