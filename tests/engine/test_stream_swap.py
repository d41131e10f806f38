"""Swapping filters in mid-stream: on the sample, without a gap, under any cutting and resuming."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved_engine import Stream, apply_arranged, open_stream, plan, stream
from convolved_vocabulary import (
    Activation,
    Conv,
    ConvTranspose,
    FailedPrecondition,
    Filter,
    InvalidArgument,
    Options,
    Pool,
)
from tests.engine.operations.bounds import error_allowed
from tests.engine.operations.drawn import numbers

Change = tuple[Filter, int, int, str]
"""A filter, the output at which it begins, the length and the curve of its fade."""


def short(seed: int, taps: int) -> Filter:
    return Filter(Conv(numbers(seed, (2, 2, taps), "float32"), padding="causal"))


def long(seed: int, taps: int) -> Filter:
    weight = numbers(seed, (2, 1, 200 + 100 * taps), "float32")
    return Filter(Conv(weight, padding="full", groups=2, flip=True))


def layered(seed: int, taps: int) -> Filter:
    mirrored = Conv(numbers(seed, (2, 2, taps), "float32"), None, 1, (taps - 1, 1), 1, 1, "edge")
    doubled = ConvTranspose(numbers(seed, (2, 1, 2 * taps), "float32"), stride=2, groups=2)
    return Filter([mirrored, doubled, Activation("tanh"), Pool("max", 2, padding=1)])


FAMILIES = {"short": short, "long": long, "layered": layered}


@st.composite
def plays(draw: st.DrawFn) -> tuple[list[Filter], NDArray[Any], list[tuple[int, int, int, str]]]:
    """Filters that match, a signal, and swaps: (after inputs, outputs from there, fade, curve)."""
    family = FAMILIES[draw(st.sampled_from(sorted(FAMILIES)))]
    count = draw(st.integers(1, 3))
    filters = [family(seed, draw(st.integers(1, 6))) for seed in range(count + 1)]
    x = numbers(draw(st.integers(0, 99)), (2, draw(st.integers(1, 1500))), "float32")
    changes = []
    for _ in range(count):
        after = draw(st.integers(0, x.shape[-1]))
        ahead, fade = draw(st.integers(0, 300)), draw(st.sampled_from((0, 0, 1, 7, 100, 600)))
        changes.append((after, ahead, fade, draw(st.sampled_from(("linear", "raised_cosine")))))
    return filters, x, sorted(changes)


CUTS = st.lists(st.sampled_from((0, 1, 2, 17, 64, 200)), max_size=12)


def opened(filter: Filter) -> Stream:
    return open_stream(filter, channels=2, dtype="float32", block=64, history=800)


def bits(x: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(x).tobytes()


def played(
    filters: list[Filter],
    x: NDArray[Any],
    changes: list[tuple[int, int, int, str]],
    cut: list[int],
    lost: set[int] = frozenset(),  # type: ignore[assignment]  # read only
) -> tuple[NDArray[Any], list[Change]]:
    """Push x in pieces of the lengths in `cut`, swap where the changes say, lose some streams."""
    live, found = opened(filters[0]), []
    done: list[Change] = []
    stops = {0, x.shape[-1], *(after for after, *_ in changes), *np.cumsum(cut)}
    waiting = list(zip(changes, filters[1:], strict=True))
    at = 0
    for number, stop in enumerate(sorted(n for n in stops if n <= x.shape[-1])):
        found.append(live.push(x[:, at:stop]))
        at = stop
        while waiting and waiting[0][0][0] == at:
            (_, ahead, fade, curve), filter = waiting.pop(0)
            earliest = max([live.outputs, *(begin + length for _, begin, length, _ in done)])
            begin = live.swap(filter, at=earliest + ahead, fade=fade, curve=curve)
            assert begin == earliest + ahead
            done.append((filter, begin, fade, curve))
        if number in lost:
            live = resumed(live, x)
    found.append(live.flush())
    assert live.outputs == sum(each.shape[-1] for each in found)
    return np.concatenate(found, axis=-1), done


def resumed(lost: Stream, x: NDArray[Any]) -> Stream:
    """Another stream that goes on for one that was lost."""
    retained, outputs, inputs = lost.retain_from, lost.outputs, lost.inputs
    found = opened(lost.filter)
    found.start_at(retained, outputs)
    for swap in lost.swaps:
        assert found.swap(swap.filter, at=swap.at, fade=swap.fade, curve=swap.curve) == swap.at
    assert found.push(x[:, retained:inputs]).shape[-1] == 0
    assert (found.inputs, found.outputs) == (inputs, outputs)
    return found


def ready(filters: list[Filter], done: list[Change], inputs: int) -> int:
    """How many outputs are fixed by every filter that takes part in them."""
    fixed, begin = 0, 0
    for filter, old, (_, at, fade, _) in zip(filters[1:], filters, done, strict=False):
        fixed = max(begin, min(old.ready(inputs), at))
        if fixed < at:
            return fixed
        fixed = max(at, min(old.ready(inputs), filter.ready(inputs), at + fade))
        if fixed < at + fade:
            return fixed
        begin = at + fade
    return max(begin, filters[len(done)].ready(inputs))


def share(curve: str, fade: int, m: NDArray[Any]) -> NDArray[Any]:
    u = (m + 0.5) / fade
    return u if curve == "linear" else (1 - np.cos(np.pi * u)) / 2


def expected(
    filters: list[Filter], x: NDArray[Any], done: list[Change]
) -> tuple[NDArray[Any], float]:
    """What `apply` with each filter gives, faded by the definition; and the error allowed."""
    taken = [each for each in done if each[1] <= ready(filters, done, x.shape[-1])]
    wholes = [apply_arranged(x[None], filter)[0] for filter in filters[: len(taken) + 1]]
    length = wholes[-1].shape[-1]
    padded = [np.zeros((2, max(length, w.shape[-1]))) for w in wholes]
    for target, whole in zip(padded, wholes, strict=True):
        target[:, : whole.shape[-1]] = whole
    found = padded[0][:, :length]
    for (_, at, fade, curve), whole in zip(taken, padded[1:], strict=True):
        m = np.arange(length) - at
        g = (m >= 0).astype(float)
        fading = (m >= 0) & (m < fade)
        g[fading] = share(curve, fade, m[fading]) if fade else 0
        found = (1 - g) * found[:, :length] + g * whole[:, :length]
    allowed = 0.0
    for filter in filters[: len(taken) + 1]:
        for block in (None, 64):
            about: Any = {} if block is None else {"block": block}
            allowed += error_allowed(filter, plan(filter, x.shape, **about), x[None])
    return found, allowed + 4e-7 * float(abs(found).max(initial=0))


@settings(max_examples=150)
@given(play=plays(), cut=CUTS)
def test_what_comes_is_each_filter_on_the_whole_past_faded_by_the_definition(
    play: Any, cut: list[int]
) -> None:
    filters, x, changes = play
    found, done = played(filters, x, changes, cut)
    wanted, allowed = expected(filters, x, done)
    assert found.shape == wanted.shape
    assert float(abs(found - wanted).max(initial=0)) <= allowed


@settings(max_examples=150)
@given(play=plays(), cut=CUTS, other=CUTS, lost=st.sets(st.integers(0, 12), max_size=4))
def test_neither_cutting_nor_going_on_elsewhere_changes_a_bit(
    play: Any, cut: list[int], other: list[int], lost: set[int]
) -> None:
    filters, x, changes = play
    first, done = played(filters, x, changes, cut)
    second, again = played(filters, x, changes, other, lost)
    assert [each[1:] for each in done] == [each[1:] for each in again]
    assert bits(first) == bits(second)


@settings(max_examples=60)
@given(play=plays(), cut=CUTS)
def test_an_output_comes_when_every_filter_in_it_has_fixed_it(play: Any, cut: list[int]) -> None:
    filters, x, changes = play
    live = opened(filters[0])
    done: list[Change] = []
    for filter, (_, ahead, fade, curve) in zip(filters[1:], changes, strict=True):
        at = (done[-1][1] + done[-1][2] if done else 0) + ahead
        done.append((filter, live.swap(filter, at=at, fade=fade, curve=curve), fade, curve))
    at = 0
    for length in cut:
        live.push(x[:, at : at + length])
        at = min(at + length, x.shape[-1])
        assert live.outputs == ready(filters, done, at)


def test_a_swap_takes_place_at_once_or_after_the_fade_before() -> None:
    live = stream([1.0], dtype="float64")
    live.push(np.ones(5))
    assert live.swap([2.0], fade=4) == 5
    assert live.swap([3.0]) == 9
    assert [(swap.at, swap.fade, swap.end) for swap in live.swaps] == [(5, 4, 9), (9, 0, 9)]
    found = live.push(np.ones(6))
    np.testing.assert_allclose(found, [1.125, 1.375, 1.625, 1.875, 3, 3])
    assert live.swaps == ()


def test_a_swap_beyond_the_end_does_not_take_place_and_one_in_the_tail_does_not_either() -> None:
    live = stream([1.0, 1.0, 1.0], dtype="float64")
    live.push(np.ones(3))
    live.swap([5.0], at=4)
    np.testing.assert_array_equal(live.flush(), [[2, 1]])


def test_a_swap_at_the_end_decides_the_tail() -> None:
    live = stream([1.0, 1.0], dtype="float64", history=4)
    live.push(np.ones(3))
    live.swap([1.0, 2.0, 3.0, 4.0], at=3)
    np.testing.assert_array_equal(live.flush(), [[9, 7, 4]])
    assert live.outputs == 6


def test_a_reset_goes_back_to_the_first_filter() -> None:
    live = stream([1.0], dtype="float64")
    live.push(np.ones(2))
    live.swap([2.0])
    live.swap([3.0], at=50, fade=5)
    live.push(np.ones(2))
    live.reset()
    assert live.swaps == ()
    np.testing.assert_array_equal(live.push(np.ones(2)), [1, 1])


def test_what_was_prepared_is_swapped_in_once_and_into_its_place() -> None:
    live = stream([1.0], dtype="float64")
    prepared = live.prepare([2.0])
    np.testing.assert_array_equal(live.push(np.ones(2)), [1, 1])
    assert live.swap(prepared) == 2
    np.testing.assert_array_equal(live.push(np.ones(2)), [2, 2])
    with pytest.raises(FailedPrecondition, match="prepare it anew"):
        live.swap(prepared)


def test_a_sine_fades_without_a_click() -> None:
    """Raised cosine: no energy outside the sine's band but the fade's own, far below it."""
    n = np.arange(48000)
    sine = np.sin(2 * np.pi * 1000 * n / 48000)
    live = stream([1.0], dtype="float64")
    before = live.push(sine[:20000])
    live.swap([0.25], fade=4800, curve="raised_cosine")
    found = np.concatenate([before, live.push(sine[20000:])])
    spectrum = abs(np.fft.rfft(found * np.hanning(len(found)))) ** 2
    outside = spectrum[:800].sum() + spectrum[1200:].sum()
    assert outside < 1e-10 * spectrum.sum()


def test_integers_fade_to_the_nearest() -> None:
    live = stream(np.array([10], np.int16), dtype="int16")
    live.swap(np.array([20], np.int16), at=0, fade=4)
    found = live.push(np.ones(5, np.int16))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, [11, 14, 16, 19, 20])


MONO = Filter(Conv(np.ones((1, 1, 3), np.float32), padding="causal"))
OTHERS: dict[str, tuple[Filter, str]] = {
    "rank": (Filter(Conv(np.ones((1, 1, 3, 3), np.float32))), "rank 2; want rank 1"),
    "channels in": (
        Filter(Conv(np.ones((1, 2, 3), np.float32), padding="causal")),
        "one for 2 channels; want one for 1 channel",
    ),
    "channels out": (
        Filter(Conv(np.ones((2, 1, 3), np.float32), padding="causal")),
        "2 channels out; want 1 channel out",
    ),
    "dtype": (
        Filter(Conv(np.ones((1, 1, 3), np.complex64), padding="causal")),
        "outputs of complex64; want float32",
    ),
    "rate": (
        Filter(Conv(np.ones((1, 1, 3), np.float32), stride=2, padding="causal")),
        "a rate of 1/2 outputs per input; want a rate of 1 outputs per input",
    ),
    "delay": (
        Filter(Conv(np.ones((1, 1, 3), np.float32))),
        "a delay of 2 samples; want a delay of 0 samples",
    ),
    "reach": (
        Filter(Conv(np.ones((1, 1, 9), np.float32), padding="causal")),
        "one that reaches 9 samples back; want at most 4, or a stream opened with history=9",
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_filter_that_does_not_match_is_refused_saying_in_what(what: str) -> None:
    filter, words = OTHERS[what]
    live = stream(MONO, history=4)
    with pytest.raises(InvalidArgument) as caught:
        live.swap(filter)
    assert str(caught.value).startswith(f"filter: got {words}")
    with pytest.raises(InvalidArgument) as again:
        live.prepare(filter)
    assert str(again.value) == str(caught.value)
    assert live.swaps == ()


def test_the_frame_across_time_must_match() -> None:
    live = stream(Filter(Conv(np.ones((1, 1, 3, 1), np.float32))), size=(8,))
    with pytest.raises(InvalidArgument, match=r"outputs of size \(7,\); want .*\(6,\)"):
        live.swap(Filter(Conv(np.ones((1, 1, 2, 1), np.float32))))


def test_a_filter_for_another_sample_rate_is_refused() -> None:
    live = stream(Filter(MONO.layers, sample_rate_hertz=48000))
    with pytest.raises(InvalidArgument, match="48000 Hz for a filter made for 44100 Hz"):
        live.swap(Filter(MONO.layers, sample_rate_hertz=44100))


def test_a_filter_that_cannot_stream_is_refused() -> None:
    wrapped = Conv(np.ones((1, 1, 3), np.float32), padding="causal", boundary="wrap")
    with pytest.raises(InvalidArgument, match=r"^layers\[0\]\.boundary"):
        stream(MONO).swap(wrapped)


@pytest.mark.parametrize(
    ("about", "argument"),
    [
        ({"at": 4}, "at: got 4; want at least 9"),
        ({"at": 8}, "at: got 8; want at least 9"),
        ({"at": -1}, "at: got -1"),
        ({"fade": -1}, "fade: got -1"),
        ({"fade": 1.5}, "fade: got 1.5"),
        ({"curve": "cubic"}, "curve: got 'cubic'; want 'linear' or 'raised_cosine'"),
    ],
)
def test_a_wrong_argument_is_named(about: Any, argument: str) -> None:
    live = stream(MONO)
    live.push(np.ones(5, np.float32))
    live.swap(MONO, fade=4)
    with pytest.raises(InvalidArgument) as caught:
        live.swap(MONO, **about)
    assert str(caught.value).startswith(argument)
    assert len(live.swaps) == 1


def test_a_stream_that_has_ended_or_knows_its_total_does_not_swap() -> None:
    live = stream(MONO)
    live.push(np.ones(3, np.float32))
    live.flush()
    with pytest.raises(FailedPrecondition, match="swap after flush"):
        live.swap(MONO)
    whole = open_stream(MONO, channels=1, dtype="float32", total=9, options=Options())
    with pytest.raises(FailedPrecondition, match="known total"):
        whole.swap(MONO)


def test_a_swap_to_come_keeps_no_more_of_the_past_than_its_filter_reads() -> None:
    live = stream(MONO, history=100)
    live.swap(Filter(Conv(np.ones((1, 1, 50), np.float32), padding="causal")), at=10**9)
    for _ in range(60):
        live.push(np.zeros(1000, np.float32))
    assert live.state_bytes < 100_000
    assert live.inputs - live.retain_from <= 100
