"""Layers, filters, plans and errors are values: equal by content, frozen, safe to send around."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from convolved_vocabulary import (
    Activation,
    Affine,
    Candidate,
    Conv,
    ConvTranspose,
    Filter,
    Layer,
    LayerPlan,
    Layout,
    Options,
    Plan,
    Pool,
    ReceptiveField,
    Separated,
    SignalType,
    impulse_response,
)

W = np.arange(12, dtype=np.float32).reshape(2, 2, 3)

LAYERS: dict[str, Callable[[], Layer]] = {
    "conv": lambda: Conv(W, [1.0, 2.0], stride=2, padding="same", boundary=(0.5,), flip=True),
    "plain conv": lambda: Conv(W),
    "transposed": lambda: ConvTranspose(W, stride=2, output_padding=1),
    "activation": lambda: Activation("elu", 0.25),
    "pool": lambda: Pool("max", (2, 3), ceil_mode=True),
    "affine": lambda: Affine([1.0, 2.0], [0, 1]),
}
PLAN = Plan(
    steps=(
        LayerPlan(
            layers=(0, 1),
            problem="conv 1 -> 8",
            chosen=Candidate("direct", (("tile", "8x3"),), 0.0012, 4096, 1e-7, "the fastest"),
            rejected=(
                Candidate("overlap_save", (), 0.5, 3 << 20, 2e-6, "410 times slower"),
                Candidate("im2col", reason="does not support complex numbers"),
            ),
        ),
        LayerPlan((2,), "relu", Candidate("pointwise", (), 25e-6, 0, 0.0, "the only way")),
    ),
    output_shape=(1, 8, 1000),
    output_dtype=np.dtype("float32"),
    receptive_field=(ReceptiveField(5, Fraction(2), -2),),
    multiply_adds=40_000,
    parameter_count=48,
    separable=(Separated(0, "depthwise", 40_000, 13_000, 40, 13),),
)
VALUES: dict[str, Callable[[], object]] = {
    **LAYERS,
    "filter": lambda: Filter(Conv(W), sample_rate_hertz=48_000),
    "impulse response": lambda: impulse_response([1.0, 0.5]),
    "plan": lambda: PLAN,
    "layout": lambda: Layout(has_batch=False, has_channels=True, shape=(1, 2, 3)),
    "options": lambda: Options(output_dtype=">f4", memory_limit_bytes=1 << 20),
    "signal type": lambda: SignalType.of("int16"),
    "receptive field": lambda: ReceptiveField(3, Fraction(1, 2), 0),
}
each_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=list(LAYERS))
each_value = pytest.mark.parametrize("make", VALUES.values(), ids=list(VALUES))


@each_value
def test_values_made_alike_are_equal_and_hash_alike(make: Callable[[], object]) -> None:
    assert make() == make()
    assert hash(make()) == hash(make())
    assert make() != "something else"


def test_values_made_otherwise_differ() -> None:
    made = [make() for make in VALUES.values()]
    for i, one in enumerate(made):
        assert [one == other for other in made].count(True) == 1, list(VALUES)[i]


@each_value
@pytest.mark.parametrize(
    "carry",
    [copy.copy, copy.deepcopy, *(lambda v, p=p: pickle.loads(pickle.dumps(v, p)) for p in (2, 5))],
    ids=["copy", "deepcopy", "pickle 2", "pickle 5"],
)
def test_a_value_comes_back_equal_from_wherever_it_was_sent(
    make: Callable[[], object], carry: Callable[[object], object]
) -> None:
    value = make()
    back = carry(value)
    assert back == value
    assert hash(back) == hash(value)
    assert repr(back) == repr(value)


@each_value
def test_no_field_can_be_changed(make: Callable[[], Any]) -> None:
    value = make()
    name = next(iter(value.__dataclass_fields__))
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, None)
    with pytest.raises(FrozenInstanceError):
        delattr(value, name)


@each_layer
@pytest.mark.parametrize(
    "carry", [lambda layer: layer, copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))]
)
def test_no_number_of_a_layer_can_be_changed(
    make: Callable[[], Layer], carry: Callable[[Layer], Layer]
) -> None:
    for tensor in carry(make()).tensors().values():
        with pytest.raises(ValueError, match="read-only"):
            tensor[...] = 0
        with pytest.raises(ValueError, match="cannot set WRITEABLE"):
            tensor.flags.writeable = True


def test_a_pickled_filter_holds_its_weights_once() -> None:
    filter = Filter(Conv(np.ones((1, 1, 10_000))))
    name = filter.name
    assert len(pickle.dumps(filter)) < 81_000
    assert pickle.loads(pickle.dumps(filter)).name == name


def test_the_callers_array_stays_writeable_and_what_is_written_later_does_not_count() -> None:
    taps, bias = W.copy(), np.ones(2)
    layer = Conv(taps, bias)
    before = Filter(layer).name
    taps[:], bias[:] = 7, 7
    assert np.array_equal(layer.weight, W)
    assert Filter(layer).name == before
    assert taps.flags.writeable
    assert bias.flags.writeable


def test_a_read_only_view_of_an_array_that_changes_is_copied() -> None:
    taps = W.copy()
    view = taps[:]
    view.flags.writeable = False
    buffer = bytearray(W.tobytes())
    window = np.frombuffer(memoryview(buffer).toreadonly(), np.float32).reshape(W.shape)
    layers = [Conv(view), Conv(window)]
    taps[:] = 7
    buffer[:] = bytes(len(buffer))
    assert layers == [Conv(W), Conv(W)]


def test_weights_that_nobody_can_change_are_shared() -> None:
    received = np.frombuffer(W.tobytes(), np.float32).reshape(W.shape)
    assert Conv(received).weight is received
    assert Conv(received[:1]).weight.base is received.base
    own = Conv(W).weight
    assert ConvTranspose(own).weight is own
    mine = np.zeros(W.shape)
    mine.flags.writeable = False
    assert Conv(mine).weight is mine


def test_whatever_the_layout_the_weights_end_up_native_and_in_c_order() -> None:
    plain = Conv(W)
    for other in (np.asfortranarray(W), W.astype(">f4"), np.repeat(W, 2, -1)[..., ::2]):
        assert Conv(other) == plain
        assert Conv(other).weight.flags.c_contiguous
        assert Conv(other).weight.dtype.isnative


def test_equality_is_of_bits_so_that_it_is_that_of_names() -> None:
    def one(value: float) -> Conv:
        return Conv(np.full((1, 1, 1), value))

    assert one(np.nan) == one(np.nan)
    assert one(0.0) != one(-0.0)
    assert one(1.0) != Conv(np.full((1, 1, 1), 1.0, np.float32))
    assert one(1.0) != ConvTranspose(np.full((1, 1, 1), 1.0))


def test_layers_are_equal_in_whichever_words_they_were_given() -> None:
    assert Conv(W, padding="same", stride=(2,)) == Conv(W, padding=((1, 1),), stride=2)
    assert Pool("max", 2, count_include_pad=False) == Pool("max", (2,), stride=[2])
    assert Activation("leaky_relu") == Activation("leaky_relu", 0.01)
    assert Filter(Activation("relu")) == Filter([Activation("relu")])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Conv(W), "Conv(weight=float32[2, 2, 3])"),
        (
            Conv(W, [1, 2], stride=2, padding="same", boundary=0.5, flip=True),
            (
                "Conv(weight=float32[2, 2, 3], bias=int64[2], stride=(2,), padding=((1, 1),), "
                "boundary=(0.5,), flip=True)"
            ),
        ),
        (
            ConvTranspose(W, groups=2, stride=2, output_padding=1, dilation=3),
            (
                "ConvTranspose(weight=float32[2, 2, 3], stride=(2,), output_padding=(1,), "
                "dilation=(3,), groups=2)"
            ),
        ),
        (Activation("relu"), "Activation(function='relu')"),
        (Activation("elu", 0.25), "Activation(function='elu', alpha=0.25)"),
        (
            Activation("gelu", approximation="tanh"),
            "Activation(function='gelu', approximation='tanh')",
        ),
        (Pool("max", 2), "Pool(function='max', size=(2,), stride=(2,))"),
        (
            Pool("average", (3, 3), 1, 1, count_include_pad=False),
            (
                "Pool(function='average', size=(3, 3), padding=((1, 1), (1, 1)), "
                "count_include_pad=False)"
            ),
        ),
        (Affine([1.0, 2.0]), "Affine(scale=float64[2])"),
        (
            impulse_response([1.0, 0.5], sample_rate_hertz=8000),
            (
                "Filter(layers=(Conv(weight=float64[1, 1, 2], padding=((1, 1),), flip=True),), "
                "per_channel=True, sample_rate_hertz=8000.0)"
            ),
        ),
    ],
)
def test_a_value_prints_what_it_was_made_of(value: object, text: str) -> None:
    assert repr(value) == text


def test_a_plan_prints_itself() -> None:
    assert str(PLAN).splitlines() == [
        "layers 0 and 1: conv 1 -> 8",
        "  chosen    direct tile=8x3: 1.2 ms, 4 KiB, error up to 1.0e-07: the fastest",
        "  rejected  overlap_save: 500 ms, 3 MiB, error up to 2.0e-06: 410 times slower",
        "  rejected  im2col: does not support complex numbers",
        "layer 2: relu",
        "  chosen    pointwise: 25 us, 0 B, exact: the only way",
        "output (1, 8, 1000) float32",
        "receptive field 5 samples, every 2, from -2",
        "40,000 multiply-adds, 48 parameters, 1.22 ms predicted",
        (
            "separable, layer 0 as depthwise and pointwise: "
            "13,000 of 40,000 multiply-adds (0.325), 13 of 40 parameters"
        ),
    ]


def test_a_plan_tells_each_axis_of_a_receptive_field_by_its_name() -> None:
    fields = (ReceptiveField(3, Fraction(1), -1), ReceptiveField(5, Fraction(2), -2))
    told = str(replace(PLAN, receptive_field=fields))
    assert (
        "receptive field along height 3 samples, every 1, from -1; "
        "along time 5 samples, every 2, from -2\n"
    ) in told


def test_a_plan_sums_time_takes_the_greatest_workspace_and_names_each_algorithm_once() -> None:
    assert PLAN.predicted_seconds == pytest.approx(0.001225)
    assert PLAN.workspace_bytes == 4096
    assert PLAN.algorithm == "direct+pointwise"
    twice = Plan(
        PLAN.steps + PLAN.steps, PLAN.output_shape, PLAN.output_dtype, PLAN.receptive_field, 0, 0
    )
    assert twice.algorithm == "direct+pointwise"
    assert twice.workspace_bytes == 4096


def test_the_output_types_of_a_filter_do_not_outlive_it() -> None:
    filter = Filter(Conv(W.astype(np.int8)))
    assert filter.output_types("int8") is filter.output_types(np.dtype("int8"))
    assert filter.output_types("int8") is not Filter(filter.layers).output_types("int8")
