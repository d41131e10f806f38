"""What a message holds beyond the contract is refused, wherever it stands."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.fields import field_of
from convolved.wire.filters import encode_filter
from convolved.wire.reasons import UnknownField
from convolved.wire.strict import refuse_unknown
from convolved_vocabulary import impulse_response

# Field number 99 with the integer 1, which no message of the contract has.
UNKNOWN = b"\x98\x06\x01"


def request() -> pb.ConvolveRequest:
    filter = encode_filter(impulse_response([1.0, 2.0]))
    return pb.ConvolveRequest(
        filter=pb.FilterSource(inline=filter), input=pb.Tensor(shape=[1, 3], data=b"")
    )


def test_a_request_of_known_fields_passes() -> None:
    refuse_unknown(request())


@pytest.mark.parametrize(
    "path",
    [
        "",
        "input",
        "filter",
        "filter.inline",
        "filter.inline.layers[0]",
        "filter.inline.layers[0].conv",
        "filter.inline.layers[0].conv.weight",
        "filter.inline.layers[0].conv.axes[0]",
    ],
)
def test_an_unknown_field_is_refused_at_any_depth(path: str) -> None:
    message = request()
    inner: Message = message
    for name in filter(None, path.split(".")):
        field, _, index = name.partition("[")
        inner = getattr(inner, field)
        if index:
            inner = inner[int(index[:-1])]  # type: ignore[index]  # a repeated field
    inner.MergeFromString(UNKNOWN)
    with pytest.raises(UnknownField) as caught:
        refuse_unknown(pb.ConvolveRequest.FromString(message.SerializeToString()))
    assert field_of(caught.value) == (path or "request")
    assert caught.value.came == "field number 99, which this server does not know"


def test_an_unknown_enum_number_is_refused() -> None:
    message = request()
    message.options.accuracy = 12  # type: ignore[assignment]  # that is what it tests
    with pytest.raises(UnknownField) as caught:
        refuse_unknown(message)
    assert field_of(caught.value) == "options.accuracy"
    assert caught.value.came == "number 12, which this server does not know"


def test_the_prefix_says_where_the_message_stands() -> None:
    with pytest.raises(UnknownField) as caught:
        refuse_unknown(pb.Start.FromString(UNKNOWN), "start")
    assert field_of(caught.value) == "start"


def test_data_messages_may_grow() -> None:
    block = pb.Block(data=b"1234")
    block.MergeFromString(UNKNOWN)
    refuse_unknown(pb.StreamConvolveRequest(block=block))
    part = pb.Part(data=b"1234")
    part.MergeFromString(UNKNOWN)
    refuse_unknown(pb.CreateFilterRequest(part=part))
