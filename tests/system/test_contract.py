"""The contract keeps its own promises: in its numbers, its words and its examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import grpc
import numpy as np
import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, MethodOptions
from google.protobuf.message import Message

import convolved_vocabulary as vocabulary
from convolved.v1 import convolution_pb2 as pb
from convolved.v1 import convolution_pb2_grpc as stubs
from convolved_vocabulary import errors
from convolved_vocabulary.checks import BOUNDARIES, PADDINGS
from convolved_vocabulary.dtypes import DTYPES
from convolved_vocabulary.layers.activation import ACTIVATIONS

CONTRACT = Path(__file__).resolve().parents[2] / "proto" / "convolved" / "v1" / "convolution.proto"

ENUMS = list(pb.DESCRIPTOR.enum_types_by_name.values())
MESSAGES = list(pb.DESCRIPTOR.message_types_by_name.values())
each_enum = pytest.mark.parametrize("enum", ENUMS, ids=[enum.name for enum in ENUMS])
each_message = pytest.mark.parametrize(
    "message", MESSAGES, ids=[message.name for message in MESSAGES]
)


def words(enum: EnumDescriptor) -> set[str]:
    """The values of an enum as the vocabulary writes them, without the unspecified one."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
    return {value.name.removeprefix(prefix).lower() for value in enum.values[1:]}


def reserved(message: Descriptor) -> tuple[set[int], list[str]]:
    proto = DescriptorProto()
    message.CopyToProto(proto)
    numbers = {n for span in proto.reserved_range for n in range(span.start, span.end)}
    return numbers, list(proto.reserved_name)


def comment_before(line: str) -> str:
    """The comment in the contract that stands directly before a line, without its slashes."""
    found = re.search(rf"((?:^ *//[^\n]*\n)+) *{re.escape(line)}", contract(), re.MULTILINE)
    assert found, f"no comment before {line!r}"
    return re.sub(r"^ *// ?", "", found[1], flags=re.MULTILINE)


def contract() -> str:
    return CONTRACT.read_text(encoding="utf-8")


@each_enum
def test_every_enum_begins_with_an_unspecified_zero_and_leaves_no_gap(
    enum: EnumDescriptor,
) -> None:
    assert enum.values[0].name.endswith("_UNSPECIFIED")
    assert [value.number for value in enum.values] == list(range(len(enum.values)))


@each_message
def test_numbers_are_dense_and_data_is_the_last_tag_of_one_byte(message: Descriptor) -> None:
    numbers = {field.name: field.number for field in message.fields}
    assert numbers.pop("data", 15) == 15
    assert sorted(numbers.values()) == list(range(1, len(numbers) + 1))
    assert not reserved(message)[0] & set(numbers.values())


def test_room_is_kept_for_layers_that_name_their_inputs() -> None:
    assert reserved(pb.Layer.DESCRIPTOR) == ({15}, ["inputs"])


def test_every_envelope_holds_parts_by_the_same_number() -> None:
    parts = {
        message.name: field.number
        for message in MESSAGES
        for field in message.fields
        if field.message_type is pb.Part.DESCRIPTOR
    }
    assert parts == dict.fromkeys(
        [
            "StreamConvolveRequest",
            "ComputeGradientsRequest",
            "ComputeGradientsResponse",
            "CreateFilterRequest",
        ],
        2,
    )


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (pb.Axis, "stride"),
        (pb.Axis, "dilation"),
        (pb.Conv, "groups"),
        (pb.ConvTranspose, "groups"),
        (pb.Activation, "alpha"),
        (pb.Pool, "count_include_pad"),
        (pb.Start, "total_samples"),
        (pb.Swap, "at_output"),
        (pb.Started, "total_samples"),
    ],
)
def test_where_zero_means_something_it_is_told_from_unset(
    message: type[Message], field: str
) -> None:
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    assert descriptor.has_presence


def test_every_dtype_of_the_vocabulary_has_a_data_type_and_the_reverse() -> None:
    assert words(pb.DataType.DESCRIPTOR) == {dtype.name for dtype in DTYPES}


def test_the_other_enums_say_the_vocabularys_words() -> None:
    assert words(pb.Boundary.DESCRIPTOR) == {*BOUNDARIES, "constant"}
    assert words(pb.PaddingMode.DESCRIPTOR) == set(PADDINGS)
    assert words(pb.ActivationKind.DESCRIPTOR) == set(ACTIVATIONS)
    assert words(pb.PoolKind.DESCRIPTOR) == {"max", "average"}


def test_every_layer_of_the_vocabulary_travels() -> None:
    layers = {layer.kind for layer in vocabulary.layers.Layer.__subclasses__()}
    assert {field.name for field in pb.Layer.DESCRIPTOR.oneofs_by_name["kind"].fields} == layers


def test_the_stubs_offer_the_methods_of_the_service() -> None:
    service = pb.DESCRIPTOR.services_by_name["ConvolutionService"]
    streaming = {m.name for m in service.methods if m.client_streaming}
    assert streaming == {"StreamConvolve", "ComputeGradients", "CreateFilter"}
    assert {m.name for m in service.methods if m.server_streaming} == {
        "StreamConvolve",
        "ComputeGradients",
    }
    for method in service.methods:
        assert hasattr(stubs.ConvolutionServiceServicer, method.name)


def test_only_a_stream_may_not_be_repeated_as_it_is() -> None:
    levels = {
        method.name: method.GetOptions().idempotency_level
        for method in pb.DESCRIPTOR.services_by_name["ConvolutionService"].methods
    }
    assert levels.pop("StreamConvolve") == MethodOptions.IDEMPOTENCY_UNKNOWN
    assert levels.pop("CreateFilter") == MethodOptions.IDEMPOTENT
    assert levels.pop("DeleteFilter") == MethodOptions.IDEMPOTENT
    assert set(levels.values()) == {MethodOptions.NO_SIDE_EFFECTS}


def error_table() -> Iterator[tuple[str, str]]:
    """Each (status, reason) of the table in the service's comment."""
    comment = comment_before("service ConvolutionService {")
    status = ""
    for line in comment.partition("situation\n")[2].splitlines():
        found = re.match(r"  ([A-Z_]*) +([A-Z_]+)  +\S", line)
        if found:
            status = found[1] or status
            yield status, found[2]


def test_the_contract_lists_every_reason_that_the_errors_give() -> None:
    reasons = [reason for _, reason in error_table()]
    assert len(reasons) == len(set(reasons)) > 10
    raised = {
        error.reason
        for error in vars(errors).values()
        if isinstance(error, type)
        and issubclass(error, errors.ConvolvedError)
        and error not in (errors.ConvolvedError, errors.MissingExtra)
    }
    assert raised <= set(reasons)


def test_every_reason_of_the_contract_belongs_to_a_canonical_status() -> None:
    assert {status for status, _ in error_table()} <= {code.name for code in grpc.StatusCode}


def test_the_example_of_the_canonical_form_has_the_name_that_it_is_said_to_have() -> None:
    comment = comment_before("string name = 1;\n  // The filter; its tensors have")
    header = re.search(r"  convolved-filter 1\n  filter [^A-Z]*\n  end\n", comment)
    name = re.search(r"  (filters/[0-9a-f]{64})\n", comment)
    assert header
    assert name
    weight = np.array([[[1, 2, 3]]], np.float32)
    conv = vocabulary.Conv(weight, flip=True, padding="full")
    filter = vocabulary.Filter(conv, sample_rate_hertz=48_000)
    assert filter.canonical == dedent(header[0]).encode() + weight.tobytes()
    assert filter.name == name[1]


def test_the_example_of_a_stream_keeps_the_law() -> None:
    comment = comment_before("rpc StreamConvolve(stream")
    outputs = re.findall(
        r"output \{offset: (\d+), input_end: (\d+), retain_from: (\d+), data: ([\d,]+) bytes",
        comment,
    )
    total = re.search(r"finished \{total_samples: (\d+)\}", comment)
    assert total
    time = vocabulary.impulse_response(np.ones(101)).time
    *answers, tail = [
        (int(offset), int(input_end), int(retain_from), int(size.replace(",", "")) // 4)
        for offset, input_end, retain_from, size in outputs
    ]
    assert answers
    sent = 0
    for offset, input_end, retain_from, samples in answers:
        assert offset == sent
        sent += samples
        assert sent == time.ready(input_end)
        assert retain_from == time.retain_from(input_end)
    offset, input_end, _, samples = tail
    assert offset == sent
    assert sent + samples == time.output_length(input_end) == int(total[1])


@pytest.mark.parametrize("boundary", ["reflect", "symmetric", "edge", "wrap"])
def test_the_examples_of_boundaries_are_what_numpy_pads(boundary: str) -> None:
    comment = comment_before(f"BOUNDARY_{boundary.upper()} = ")
    before, signal, after = re.findall(r"\d \d \d \d|\d \d \d", comment)
    padded = np.pad(np.array(signal.split(), int), 3, boundary)  # type: ignore[call-overload]  # one of its words
    assert " ".join(map(str, padded)) == f"{before} {signal} {after}"
