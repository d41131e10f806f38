"""The geometry of every kind of axis, and of layers one after another, against brute force."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convolved_vocabulary import Conv, ConvTranspose, Filter, InvalidArgument, Pool
from convolved_vocabulary.geometry import (
    AxisMap,
    Chain,
    Pointwise,
    ReceptiveField,
    Sliding,
    Spreading,
)
from tests.vocabulary.strategies import any_map, chains, convolving, pooling, spreading
from tests.vocabulary.symbolic import Continuations, Signals, reads

LONG = 200


def wraps(axis: AxisMap) -> bool:
    return (
        isinstance(axis, Sliding)
        and axis.boundary == "wrap"
        and (axis.before > 0 or axis.after > 0)
    )


def carried_out(*maps: AxisMap, length: int) -> int:
    signals = Signals()
    return len(signals.apply(maps, signals.signal(length, length)))


@given(chains())
def test_output_length_counts_what_comes_out(maps: list[AxisMap]) -> None:
    for n in range(20):
        assert Chain(maps).output_length(n) == carried_out(*maps, length=n)


@given(any_map())
def test_the_shortest_input_is_the_first_that_has_an_output(axis: AxisMap) -> None:
    lengths = [axis.output_length(n) for n in range(axis.shortest_input + 1)]
    assert not any(lengths[:-1])
    assert lengths[-1] > 0


@given(st.one_of(convolving(), pooling()))
def test_a_window_is_ready_exactly_when_nothing_that_follows_can_change_it(axis: Sliding) -> None:
    for n in range(12):
        fixed = Continuations([axis], n).ready()
        assert axis.ready(n) == (0 if wraps(axis) else fixed)
        assert axis.ready(n) <= fixed


@settings(max_examples=100)
@given(spreading(), st.integers(0, 12))
def test_a_transposed_output_is_ready_when_no_window_to_come_covers_it(
    axis: Spreading, n: int
) -> None:
    assert axis.ready(n) == Continuations([axis], n, windows=True).ready()
    assert axis.ready(n) <= Continuations([axis], n).ready()
    if axis.dilation == 1:
        assert axis.ready(n) == Continuations([axis], n).ready()


@settings(max_examples=150)
@given(any_map())
def test_what_an_axis_lets_go_no_later_output_reads(axis: AxisMap) -> None:
    for n in range(12):
        needed = Continuations([axis], n).first_needed(axis.ready(n))
        assert 0 <= axis.retain_from(n) <= needed
        if isinstance(axis, Sliding) and axis.boundary in ("zeros", 0.5) and axis.size > 1:
            begin = axis.ready(n) * axis.stride - axis.before
            assert axis.retain_from(n) == min(n, max(0, begin))


@settings(max_examples=100)
@given(chains(), st.lists(st.integers(0, 20), min_size=3, max_size=3, unique=True))
def test_layers_in_a_row_give_only_what_is_fixed_and_keep_all_that_is_needed(
    maps: list[AxisMap], counts: list[int]
) -> None:
    chain = Chain(maps)
    for n in counts:
        found = Continuations(maps, n, further=(0, 1, 2, 3, 5, 25))
        assert chain.ready(n) <= found.ready()
        assert chain.ready(n) <= chain.output_length(n)
        assert 0 <= chain.retain_from(n) <= found.first_needed(chain.ready(n))


@pytest.mark.parametrize("boundary", ["reflect", "symmetric", "edge"])
@pytest.mark.parametrize("pads", [(0, 1), (0, 3), (2, 2), (3, 0), (4, 1)])
@pytest.mark.parametrize("stride", [1, 3])
def test_what_the_end_mirrors_is_kept_through_all_layers(
    boundary: str, pads: tuple[int, int], stride: int
) -> None:
    mirroring = Sliding(2, stride, 1, *pads, boundary)
    for maps in ([mirroring], [mirroring, Sliding(3)], [Sliding(3, 2), mirroring]):
        chain = Chain(maps)
        for n in range(16):
            found = Continuations(maps, n)
            assert chain.ready(n) == found.ready()
            assert chain.retain_from(n) <= found.first_needed(chain.ready(n))


@st.composite
def plain_chains(draw: st.DrawFn) -> list[AxisMap]:
    """Chains in which every output of a layer depends on some input of it."""
    maps: list[AxisMap] = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(("conv", "pool", "transpose", "pointwise")))
        if kind == "conv":
            axis = draw(convolving(("zeros", 0.5, "reflect", "symmetric", "edge"), most=3))
            reach = axis.extent - 1
            maps.append(
                Sliding(
                    axis.size,
                    axis.stride,
                    axis.dilation,
                    min(axis.before, reach),
                    min(axis.after, reach),
                    axis.boundary,
                )
            )
        elif kind == "pool":
            maps.append(draw(pooling()))
        elif kind == "transpose":
            maps.append(draw(spreading(dense=True)))
        else:
            maps.append(Pointwise())
    return maps


@settings(max_examples=150)
@given(plain_chains(), st.integers(0, 16))
def test_layers_in_a_row_give_everything_that_is_fixed(maps: list[AxisMap], n: int) -> None:
    assert Chain(maps).ready(n) == Continuations(maps, n, further=(0, 1, 2, 3, 5, 25)).ready()


@given(chains(), st.lists(st.integers(0, 40), min_size=2, max_size=2))
def test_ready_and_retain_from_never_go_back(maps: list[AxisMap], counts: list[int]) -> None:
    chain = Chain(maps)
    fewer, more = sorted(counts)
    assert chain.output_length(fewer) <= chain.output_length(more)
    assert chain.ready(fewer) <= chain.ready(more)
    assert chain.retain_from(fewer) <= chain.retain_from(more)


def interior(maps: list[AxisMap], length: int) -> dict[int, tuple[int, int]]:
    """For the outputs that see no padding: the first and the last input that they depend on."""
    signals = Signals()
    chain = Chain(maps)
    made = signals.apply(maps, signals.signal(length, length))
    inside = range(length)
    return {
        j: reads(sample)
        for j, sample in enumerate(made)
        if chain.first_input(j) in inside and chain.last_input(j) in inside and sample.inputs
    }


@settings(max_examples=150)
@given(plain_chains())
def test_what_an_output_sees_is_told_exactly(maps: list[AxisMap]) -> None:
    chain = Chain(maps)
    assume(max(Chain(maps[: i + 1]).rate for i in range(len(maps))) <= 6)
    found = interior(maps, LONG)
    # Padding within a chain hides a part of what some outputs see; these lie at the ends.
    margin = chain.receptive_field.size
    middle = {j: seen for j, seen in found.items() if margin <= seen[0] and seen[1] < LONG - margin}
    for j, (first, last) in middle.items():
        assert (first, last) == (chain.first_input(j), chain.last_input(j))
    period = 1
    for axis in maps:
        period *= axis.rate.numerator
    assume(len(middle) >= period)
    field = chain.receptive_field
    assert field.size == max(last - first + 1 for first, last in middle.values())
    assert chain.delay == max(last - j / chain.rate for j, (_, last) in middle.items())


@given(plain_chains())
def test_the_field_moves_by_its_stride(maps: list[AxisMap]) -> None:
    chain = Chain(maps)
    period = 1
    for axis in maps:
        period *= axis.rate.numerator
    stride = chain.receptive_field.stride
    assert chain.receptive_field.start == chain.first_input(0)
    assert stride == 1 / chain.rate
    for j in range(5):
        assert chain.first_input(j + period) - chain.first_input(j) == stride * period
        assert chain.last_input(j + period) - chain.last_input(j) == stride * period


@given(st.lists(convolving(), min_size=1, max_size=5))
def test_receptive_fields_of_convolutions_are_those_of_the_literature(
    maps: list[Sliding],
) -> None:
    # Araujo, Norris, Sim, "Computing receptive fields of convolutional neural networks" (2019):
    # r = 1 + sum (k - 1) prod s, S = prod s, P = sum p prod s over the layers before.
    size, start, stride = 1, 0, 1
    for axis in maps:
        size += (axis.extent - 1) * stride
        start -= axis.before * stride
        stride *= axis.stride
    field = Chain(maps).receptive_field
    assert field == ReceptiveField(size, Fraction(stride), start)


@pytest.mark.parametrize("padding", ["full", "causal"])
@pytest.mark.parametrize("dilation", [1, 3])
def test_full_and_causal_add_no_delay(padding: str, dilation: int) -> None:
    filter = Filter(Conv([[[1.0] * 5]], padding=padding, dilation=dilation))
    assert filter.delay == 0
    assert [filter.ready(n) for n in range(4)] == [0, 1, 2, 3]


def test_same_waits_for_the_part_of_the_kernel_that_lies_ahead() -> None:
    assert Filter(Conv([[[1.0] * 5]], padding="same")).delay == 2
    assert Filter(Conv([[[1.0] * 4]], padding="same")).delay == 2
    assert Filter(Conv([[[1.0] * 4]], padding="valid")).delay == 3


def test_a_transposed_layer_delays_by_a_fraction() -> None:
    filter = Filter(ConvTranspose([[[1.0] * 4]], stride=2, padding=1))
    assert filter.delay == Fraction(1, 2)
    assert str(filter.receptive_field[0]) == "2 samples, every 1/2, from -1"


def test_upsampling_beyond_measure_is_refused_in_words() -> None:
    filter = Filter(ConvTranspose([[[1.0]]], stride=1 << 17))
    with pytest.raises(
        InvalidArgument, match=r"^layers: got upsampling by 131072 in all; want at most 65536$"
    ):
        _ = filter.delay


@pytest.mark.parametrize(
    "maps",
    [
        [Sliding(2, stride=1 << 40), Sliding(2, dilation=1 << 40)],
        [Sliding(1, stride=1 << 40)] * 30,
        [Sliding(1, stride=1 << 40), Sliding(1, before=1 << 40)],
    ],
    ids=["size", "stride", "start"],
)
def test_a_receptive_field_beyond_64_bits_is_refused_in_words(maps: list[AxisMap]) -> None:
    with pytest.raises(InvalidArgument, match=r"layers: got strides, .* beyond 2\*\*62; want"):
        _ = Chain(maps).receptive_field
    assert Chain(maps[:1]).receptive_field.size <= 2


def test_upsampling_among_hundreds_of_layers_is_measured_at_once() -> None:
    steps: list[AxisMap] = [Spreading(3, stride=2), *[Sliding(3, before=1, after=1)] * 60]
    chain = Chain(steps * 14)
    begun = time.process_time()
    field, delay = chain.receptive_field, chain.delay
    assert time.process_time() - begun < 3
    # Far from the start it is a walk over all outputs of one period.
    outputs = range(0, 1 << 14, 331)
    spans = [chain.last_input(j) - chain.first_input(j) + 1 for j in outputs]
    assert max(spans) <= field.size <= max(spans) + 1
    assert max(chain.last_input(j) - Fraction(j, 1 << 14) for j in outputs) <= delay


def test_wrapped_padding_makes_nothing_ready_and_lets_nothing_go() -> None:
    filter = Filter(Conv([[[1.0] * 3]], padding="same", boundary="wrap"))
    assert (filter.ready(100), filter.time.retain_from(100)) == (0, 0)
    unpadded = Filter(Conv([[[1.0] * 3]], boundary="wrap"))
    assert (unpadded.ready(100), unpadded.time.retain_from(100)) == (98, 98)


@given(st.integers(1, 50), st.integers(1, 6), st.integers(1, 5), st.integers(1, 3))
def test_same_gives_one_output_for_every_stride_inputs(
    n: int, size: int, stride: int, dilation: int
) -> None:
    layer = Conv([[[1.0] * size]], padding="same", stride=stride, dilation=dilation)
    assert Filter(layer).output_shape((1, n)) == (1, -(-n // stride))


# The formulas of the pages Conv1d, ConvTranspose1d, MaxPool1d and AvgPool1d of PyTorch's
# documentation, written out with floor as in the pages; ceil_mode as the remark on those pages:
# "sliding windows are allowed to go off-bounds if they start within the left padding or the
# input. Sliding windows that would start in the right padded region are ignored."


@given(
    st.integers(1, 60), st.integers(1, 7), st.integers(1, 5), st.integers(0, 6), st.integers(1, 4)
)
def test_lengths_of_convolutions_are_pytorchs(n: int, k: int, s: int, p: int, d: int) -> None:
    expected = (n + 2 * p - d * (k - 1) - 1) // s + 1
    layer = Conv([[[1.0] * k]], stride=s, padding=p, dilation=d)
    assert layer.axes(1)[0].output_length(n) == max(0, expected)


@given(
    st.integers(1, 60),
    st.integers(1, 7),
    st.integers(1, 5),
    st.integers(0, 6),
    st.integers(1, 4),
    st.integers(0, 4),
)
def test_lengths_of_transposed_convolutions_are_pytorchs(
    n: int, k: int, s: int, p: int, d: int, extra: int
) -> None:
    assume(extra < max(s, d))
    expected = (n - 1) * s - 2 * p + d * (k - 1) + extra + 1
    layer = ConvTranspose([[[1.0] * k]], stride=s, padding=p, dilation=d, output_padding=extra)
    axis = layer.axes(1)[0]
    assert axis.output_length(n) == max(0, expected)
    if expected > 0:
        assert axis.input_length(expected) == n


@given(
    st.integers(1, 60),
    st.integers(1, 7),
    st.integers(1, 8),
    st.integers(0, 3),
    st.integers(1, 3),
    st.booleans(),
)
def test_lengths_of_pools_are_pytorchs(n: int, k: int, s: int, p: int, d: int, ceil: bool) -> None:
    assume(p <= k // 2)
    numerator = n + 2 * p - d * (k - 1) - 1
    expected = (numerator + (s - 1 if ceil else 0)) // s + 1
    if ceil and (expected - 1) * s >= n + p:
        expected -= 1
    layer = Pool("max", k, stride=s, padding=p, dilation=d, ceil_mode=ceil)
    assert layer.axes(1)[0].output_length(n) == max(0, expected)


@given(st.integers(1, 40), spreading())
def test_a_transposed_convolution_undoes_the_lengths_of_its_convolution(
    n: int, axis: Spreading
) -> None:
    # V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning" (2016), 4.6.
    forth = Sliding(axis.size, axis.stride, axis.dilation, axis.before, axis.after)
    made = forth.output_length(n)
    assume(made)
    lost = (n + axis.before + axis.after - axis.extent) % axis.stride
    back = Spreading(axis.size, axis.stride, axis.dilation, axis.before, axis.after, lost)
    assert back.output_length(made) == n
