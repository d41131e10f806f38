"""A filter goes over the wire and comes out the same, to its name; anything wrong is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.fields import field_of
from convolved.wire.filters import (
    checked_name,
    decode_filter,
    encode_filter,
    tensors_of,
    unfilled,
)
from convolved.wire.parts import Assembler, announced_shapes, parts
from convolved.wire.strict import refuse_unknown
from convolved.wire.tensors import encode_tensor
from convolved_vocabulary import (
    Activation,
    Conv,
    Filter,
    InvalidArgument,
    Pool,
    impulse_response,
)
from tests.client.strategies import filters


@given(filters())
def test_a_filter_of_any_kind_keeps_its_name(filter: Filter) -> None:
    sent = encode_filter(filter).SerializeToString()
    message = pb.Filter.FromString(sent)
    refuse_unknown(message)
    received = decode_filter(message)
    assert received == filter
    assert received.name == filter.name


@given(filters())
def test_announced_tensors_come_by_parts_and_give_the_same_filter(filter: Filter) -> None:
    message = pb.Filter.FromString(encode_filter(filter, announce=True).SerializeToString())
    assembler = Assembler(announced_shapes(message))
    assert assembler.nbytes == filter.size_bytes
    for part in parts(tensors_of(filter)):
        assembler.add(part)
    assert assembler.complete
    assert decode_filter(message, tensors=assembler.arrays).name == filter.name


@given(filters())
def test_a_description_without_weights_tells_the_geometry(filter: Filter) -> None:
    message = encode_filter(filter, announce=True)
    described = decode_filter(message, tensors=unfilled(message))
    assert described.chains == filter.chains
    assert described.in_channels == filter.in_channels
    assert described.size_bytes == filter.size_bytes


def test_several_filters_of_one_message_share_the_announced_tensors() -> None:
    first, second = impulse_response([1.0, 2.0]), impulse_response([3.0])
    start = pb.Start(filter=pb.FilterSource(inline=encode_filter(first, announce=True)))
    start.swaps.add().filter.inline.CopyFrom(encode_filter(second, announce=True))
    arrays = iter([*tensors_of(first), *tensors_of(second)])
    assert decode_filter(start.filter.inline, tensors=arrays).name == first.name
    assert decode_filter(start.swaps[0].filter.inline, tensors=arrays).name == second.name


@pytest.mark.parametrize(
    ("mode", "word"),
    [
        (pb.PADDING_MODE_UNSPECIFIED, "valid"),
        (pb.PADDING_MODE_VALID, "valid"),
        (pb.PADDING_MODE_SAME, "same"),
        (pb.PADDING_MODE_FULL, "full"),
        (pb.PADDING_MODE_CAUSAL, "causal"),
    ],
)
def test_a_padding_mode_and_its_numbers_give_one_name(mode: pb.PaddingMode, word: str) -> None:
    filter = Filter(Conv(np.ones((1, 1, 3, 4)), padding=word, dilation=2))
    message = encode_filter(filter)
    del message.layers[0].conv.axes[:]
    for _ in range(2):
        message.layers[0].conv.axes.add(dilation=2, mode=mode)
    assert decode_filter(message).name == filter.name


def test_unset_numbers_take_the_defaults_of_the_contract() -> None:
    message = pb.Filter()
    message.layers.add().conv.weight.CopyFrom(encode_tensor(np.ones((1, 1, 3))))
    assert decode_filter(message) == Filter(Conv(np.ones((1, 1, 3))))
    pooled = pb.Filter()
    pooled.layers.add().pool.size[:] = [2, 3]
    pooled.layers[0].pool.kind = pb.POOL_KIND_MAX
    pooled.layers[0].pool.axes.add()
    pooled.layers[0].pool.axes.add(stride=1)
    assert decode_filter(pooled) == Filter(Pool("max", (2, 3), stride=(2, 1)))


def conv(message: pb.Filter) -> pb.Conv:
    return message.layers[0].conv


WEIGHT = np.ones((2, 1, 3, 3), np.float32)
LAYER = Conv(WEIGHT, np.ones(2, np.float32), stride=(2, 1), padding=1, dilation=(1, 2))
Change = Callable[[pb.Filter], object]
# A change to the message, the field that it makes wrong, and the words: those of the codec, or
# what makes the vocabulary say them.
WRONG: list[tuple[Change, str, str | Callable[[], object]]] = [
    (
        lambda m: setattr(conv(m).axes[1], "stride", 0),
        "filter.layers[0].conv.axes[1].stride",
        lambda: Conv(WEIGHT, stride=(2, 0)),
    ),
    (
        lambda m: setattr(conv(m).axes[0], "dilation", -3),
        "filter.layers[0].conv.axes[0].dilation",
        lambda: Conv(WEIGHT, dilation=(-3, 2)),
    ),
    (
        lambda m: setattr(conv(m).axes[0].pads, "before", -1),
        "filter.layers[0].conv.axes[0].pads.before",
        lambda: Conv(WEIGHT, padding=[(-1, 1), (1, 1)]),
    ),
    (
        lambda m: setattr(conv(m).axes[0].pads, "after", 1 << 41),
        "filter.layers[0].conv.axes[0].pads.after",
        lambda: Conv(WEIGHT, padding=[(1, 1 << 41), (1, 1)]),
    ),
    (
        lambda m: setattr(conv(m).axes[0], "output_padding", 1),
        "filter.layers[0].conv.axes[0].output_padding",
        "layers[0].output_padding: got 1; want 0: only conv_transpose has it",
    ),
    (
        lambda m: setattr(conv(m).axes[0], "boundary_value", 2.5),
        "filter.layers[0].conv.axes[0].boundary",
        "layers[0].boundary: got 2.5; want 0: zeros needs no boundary_value",
    ),
    (
        lambda m: setattr(conv(m).axes[0], "boundary", 77),
        "filter.layers[0].conv.axes[0].boundary",
        "layers[0].boundary: got boundary 77; want one of Boundary",
    ),
    (
        lambda m: conv(m).axes.add(),
        "filter.layers[0].conv.axes",
        "layers[0].axes: got 3 axes; want 2, or none at all",
    ),
    (
        lambda m: setattr(conv(m), "groups", 0),
        "filter.layers[0].conv.groups",
        lambda: Conv(WEIGHT, groups=0),
    ),
    (
        lambda m: setattr(conv(m), "groups", 3),
        "filter.layers[0].conv.groups",
        lambda: Conv(WEIGHT, groups=3),
    ),
    (
        lambda m: conv(m).ClearField("weight"),
        "filter.layers[0].conv.weight",
        "layers[0].weight: got nothing; want a tensor",
    ),
    (
        lambda m: setattr(conv(m).weight, "data", b"12345"),
        "filter.layers[0].conv.weight.data",
        "layers[0].weight: got 5 bytes of data for shape (2, 1, 3, 3) of float32; want 72 bytes",
    ),
    (
        lambda m: conv(m).weight.shape.append(0),
        "filter.layers[0].conv.weight.shape",
        "layers[0].weight: got the empty shape (2, 1, 3, 3, 0); want at least 1 along every axis",
    ),
    (
        lambda m: conv(m).weight.shape.extend([1] * 7),
        "filter.layers[0].conv.weight.shape",
        "layers[0].weight: got more than 5 axes; want 1 to 5 axes, each at least 1",
    ),
    (
        lambda m: setattr(conv(m).bias, "data_type", 0),
        "filter.layers[0].conv.bias.data_type",
        (
            "layers[0].bias: got no data type; want one of bool, int8, int16, int32, int64, uint8, "
            "uint16, uint32, uint64, float16, float32, float64, complex64, complex128"
        ),
    ),
    (
        lambda m: m.layers[0].ClearField("conv"),
        "filter.layers[0]",
        (
            "layers[0].kind: got a layer of no kind; "
            "want conv, conv_transpose, activation, pool or affine"
        ),
    ),
    (
        lambda m: m.ClearField("layers"),
        "filter.layers",
        lambda: Filter([]),
    ),
    (
        lambda m: setattr(m, "sample_rate_hertz", -1.0),
        "filter.sample_rate_hertz",
        lambda: Filter(Activation("relu"), sample_rate_hertz=-1.0),
    ),
    (
        lambda m: setattr(m, "per_channel", True),
        "filter.per_channel",
        lambda: Filter(LAYER, per_channel=True),
    ),
    (
        lambda m: m.layers.append(m.layers[0]),
        "filter.layers[1]",
        lambda: Filter([LAYER, LAYER]),
    ),
    (
        lambda m: setattr(m.layers.add().activation, "kind", 0),
        "filter.layers[1].activation.kind",
        (
            "layers[1].function: got kind 0; want one of 'relu', 'leaky_relu', 'elu', 'gelu', "
            "'sigmoid', 'tanh', 'softplus'"
        ),
    ),
    (
        lambda m: m.layers.add().activation.MergeFrom(
            pb.Activation(kind=pb.ACTIVATION_KIND_RELU, alpha=0.5)
        ),
        "filter.layers[1].activation.alpha",
        lambda: Activation("relu", 0.5),
    ),
    (
        lambda m: m.layers.add().activation.MergeFrom(
            pb.Activation(kind=pb.ACTIVATION_KIND_RELU, tanh_approximation=True)
        ),
        "filter.layers[1].activation.tanh_approximation",
        lambda: Activation("relu", approximation="tanh"),
    ),
    (
        lambda m: m.layers.add().pool.MergeFrom(
            pb.Pool(
                kind=pb.POOL_KIND_MAX,
                size=[2, 2],
                axes=[pb.Axis(mode=pb.PADDING_MODE_SAME), pb.Axis()],
            )
        ),
        "filter.layers[1].pool.axes[0].mode",
        "layers[1].padding: got 'same'; want numbers: only a conv has modes",
    ),
    (
        lambda m: m.layers.add().pool.MergeFrom(
            pb.Pool(
                kind=pb.POOL_KIND_MAX,
                size=[2, 2],
                axes=[pb.Axis(boundary=pb.BOUNDARY_EDGE), pb.Axis()],
            )
        ),
        "filter.layers[1].pool.axes[0].boundary",
        "layers[1].boundary: got 'edge'; want none: only a conv has a boundary",
    ),
    (
        lambda m: m.layers.add().pool.MergeFrom(pb.Pool(kind=pb.POOL_KIND_MAX)),
        "filter.layers[1].pool.size",
        lambda: Pool("max", ()),
    ),
]


@pytest.mark.parametrize(("change", "field", "words"), WRONG)
def test_what_is_wrong_with_a_filter_is_told_by_field_and_argument(
    change: Change, field: str, words: str | Callable[[], object]
) -> None:
    message = encode_filter(Filter(LAYER))
    change(message)
    with pytest.raises(InvalidArgument) as caught:
        decode_filter(message)
    assert field_of(caught.value) == field
    if isinstance(words, str):
        assert str(caught.value) == words
        return
    with pytest.raises(InvalidArgument) as spoken:
        words()
    told = caught.value
    assert told.argument.endswith(spoken.value.argument)
    assert (told.came, told.wanted) == (spoken.value.came, spoken.value.wanted)


def test_an_announced_tensor_is_refused_where_none_may_be() -> None:
    message = encode_filter(impulse_response([1.0]), announce=True)
    with pytest.raises(InvalidArgument, match="got 0 bytes of data for shape"):
        decode_filter(message)


@given(st.integers(1, 5), st.data())
def test_shapes_whose_product_overflows_are_refused_before_anything_is_allocated(
    axes: int, data: st.DataObject
) -> None:
    shape = [data.draw(st.sampled_from([1 << 32, (1 << 63) - 1])) for _ in range(axes)]
    message = pb.Filter()
    message.layers.add().conv.weight.CopyFrom(
        pb.Tensor(data_type=pb.DATA_TYPE_FLOAT64, shape=shape, data=b"8 bytes.")
    )
    with pytest.raises(InvalidArgument, match="8 bytes of data for shape"):
        decode_filter(message)


@pytest.mark.parametrize("name", ["", "filters/", "filters/" + "A" * 64, "x" * 1000])
def test_a_name_that_is_not_of_the_form_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="'filters/' and 64 lowercase hexadecimal digits"):
        checked_name(name)


def test_a_name_of_the_form_passes() -> None:
    name = impulse_response([1.0]).name
    assert checked_name(name) == name
