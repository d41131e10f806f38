"""Bad input: one clear status that names the field, one line of log, and a server that lives on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import pytest
from structlog.testing import capture_logs

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import encode_filter
from convolved.wire.tensors import announce_tensor, decode_tensor, encode_tensor
from convolved_vocabulary import Conv, Filter, InvalidArgument, impulse_response
from tests.server.harness import PATIENCE, Failure, Running, failure, inline, serving

SERVICE = "/convolved.v1.ConvolutionService/"
SIGNAL = np.arange(20, dtype=np.float32).reshape(1, 20)
PLAIN = Filter(Conv(np.ones((1, 1, 3), np.float32)))


def conv(**fields: Any) -> pb.Filter:
    weight = fields.pop("weight", encode_tensor(np.ones((1, 1, 3), np.float32)))
    return pb.Filter(layers=[pb.Layer(conv=pb.Conv(weight=weight, **fields))])


def message(filter: pb.Filter | None = None, **fields: Any) -> pb.ConvolveRequest:
    source = pb.FilterSource(inline=encode_filter(PLAIN) if filter is None else filter)
    fields = {"filter": source, "input": encode_tensor(SIGNAL)} | fields
    return pb.ConvolveRequest(**fields)


def unknown_enum() -> pb.ConvolveRequest:
    request = message()
    request.options.MergeFromString(b"\x08\x63")
    return request


def unknown_field(deep: bool) -> pb.ConvolveRequest:
    request = message()
    (request.filter.inline.layers[0].conv if deep else request).MergeFromString(b"\xf8\x3f\x01")
    return request


@dataclass(frozen=True)
class Case:
    """A request and what is said of it."""

    request: pb.ConvolveRequest
    field: str
    argument: str
    reason: str = "INVALID_ARGUMENT"
    words: str = ""


FLOAT = pb.DATA_TYPE_FLOAT32
AXIS = "filter.inline.layers[0].conv.axes[0]"
CASES = {
    "wrong rank": Case(
        message(input=encode_tensor(SIGNAL.reshape(1, 1, 4, 5))),
        "input.shape",
        "x",
        words="(1, 1, 4, 5)",
    ),
    "bare spatial": Case(message(input=encode_tensor(SIGNAL[0])), "input.shape", "x"),
    "channels that are too many": Case(
        message(input=encode_tensor(np.ones((2, 20), np.float32))), "input.shape", "x"
    ),
    "channels that look last": Case(
        message(input=encode_tensor(SIGNAL.T)), "input.shape", "x", words="moveaxis"
    ),
    "channels that do not divide": Case(
        message(conv(weight=encode_tensor(np.ones((3, 1, 3), np.float32)), groups=2)),
        "filter.inline.layers[0].conv.groups",
        "layers[0].groups",
    ),
    "kernel larger than the signal": Case(
        message(input=encode_tensor(SIGNAL[:, :2])),
        "input.shape",
        "x",
        words="larger than the padded signal",
    ),
    "zero stride": Case(
        message(conv(axes=[pb.Axis(stride=0)])), f"{AXIS}.stride", "layers[0].stride", words="got 0"
    ),
    "negative stride": Case(
        message(conv(axes=[pb.Axis(stride=-1)])), f"{AXIS}.stride", "layers[0].stride"
    ),
    "zero dilation": Case(
        message(conv(axes=[pb.Axis(dilation=0)])), f"{AXIS}.dilation", "layers[0].dilation"
    ),
    "negative dilation": Case(
        message(conv(axes=[pb.Axis(dilation=-3)])), f"{AXIS}.dilation", "layers[0].dilation"
    ),
    "zero groups": Case(
        message(conv(groups=0)), "filter.inline.layers[0].conv.groups", "layers[0].groups"
    ),
    "negative groups": Case(
        message(conv(groups=-1)), "filter.inline.layers[0].conv.groups", "layers[0].groups"
    ),
    "empty array": Case(
        message(input=pb.Tensor(data_type=FLOAT, shape=[1, 0])), "input.shape", "x"
    ),
    "empty weight": Case(
        message(conv(weight=pb.Tensor(data_type=FLOAT, shape=[1, 1, 0]))),
        "filter.inline.layers[0].conv.weight.shape",
        "layers[0].weight",
    ),
    "no dtype": Case(message(input=pb.Tensor(shape=[1, 2], data=bytes(8))), "input.data_type", "x"),
    "unknown dtype": Case(
        message(input=pb.Tensor(data_type=77, shape=[1, 2], data=bytes(8))),  # type: ignore[arg-type]  # no data type of ours
        "input.data_type",
        "input.data_type",
        "UNKNOWN_FIELD",
    ),
    "non-finite parameter": Case(
        message(conv(axes=[pb.Axis(boundary=pb.BOUNDARY_CONSTANT, boundary_value=np.inf)])),
        "filter.inline.layers[0].conv.axes",
        "layers[0].boundary",
    ),
    "non-finite sample rate": Case(
        message(sample_rate_hertz=np.nan), "sample_rate_hertz", "sample_rate_hertz"
    ),
    "negative sample rate": Case(
        message(sample_rate_hertz=-1.0), "sample_rate_hertz", "sample_rate_hertz"
    ),
    "another sample rate": Case(
        message(
            encode_filter(Filter(PLAIN.layers, sample_rate_hertz=48e3)), sample_rate_hertz=44.1e3
        ),
        "sample_rate_hertz",
        "sample_rate_hertz",
        words="resampled",
    ),
    "shape and data that disagree": Case(
        message(input=pb.Tensor(data_type=FLOAT, shape=[1, 20], data=bytes(79))),
        "input.data",
        "x",
        words="79 bytes",
    ),
    "a shape whose product overflows": Case(
        message(input=pb.Tensor(data_type=FLOAT, shape=[1 << 32, 1 << 32], data=bytes(8))),
        "input.data",
        "x",
    ),
    "a bool that is neither": Case(
        message(input=pb.Tensor(data_type=pb.DATA_TYPE_BOOL, shape=[1, 3], data=b"\0\1\2")),
        "input.data",
        "x",
    ),
    "too many axes": Case(
        message(input=pb.Tensor(data_type=FLOAT, shape=[1] * 1_000_000, data=bytes(4))),
        "input.shape",
        "x",
    ),
    "too many axes of a layer": Case(
        message(conv(axes=[pb.Axis()] * 1_000_000)),
        "filter.inline.layers[0].conv.axes",
        "layers[0].axes",
    ),
    "no input": Case(pb.ConvolveRequest(filter=inline(PLAIN)), "input", "x", words="got nothing"),
    "no filter": Case(message(filter=pb.Filter()), "filter.inline.layers", "layers"),
    "no source": Case(
        pb.ConvolveRequest(input=encode_tensor(SIGNAL)), "filter", "filter", words="got nothing"
    ),
    "no name of a filter": Case(
        pb.ConvolveRequest(filter=pb.FilterSource(name="hall"), input=encode_tensor(SIGNAL)),
        "filter.name",
        "filter",
        words="'hall'",
    ),
    "a layer of no kind": Case(
        message(pb.Filter(layers=[pb.Layer()])), "filter.inline.layers[0]", "layers[0].kind"
    ),
    "an announced tensor": Case(
        message(conv(weight=announce_tensor(np.ones((1, 1, 3))))),
        "filter.inline.layers[0].conv.weight.data",
        "layers[0].weight",
    ),
    "unknown algorithm": Case(
        message(options=pb.ComputeOptions(algorithm="magic")),
        "options.algorithm",
        "algorithm",
        words="'magic'",
    ),
    "unknown accuracy": Case(
        unknown_enum(), "options.accuracy", "options.accuracy", "UNKNOWN_FIELD"
    ),
    "negative memory limit": Case(
        message(options=pb.ComputeOptions(memory_limit_bytes=-1)),
        "options.memory_limit_bytes",
        "memory_limit_bytes",
    ),
    "unknown field": Case(unknown_field(False), "request", "request", "UNKNOWN_FIELD"),
    "unknown field in the depth": Case(
        unknown_field(True),
        "filter.inline.layers[0].conv",
        "filter.inline.layers[0].conv",
        "UNKNOWN_FIELD",
    ),
    "integers that overflow": Case(
        message(
            conv(weight=encode_tensor(np.full((1, 1, 3), 1 << 62, np.int64))),
            input=encode_tensor(np.ones((1, 20), np.int32)),
        ),
        "filter",
        "weight",
        "INTEGER_OVERFLOW",
    ),
}


@pytest.fixture(autouse=True)
def still_serving(server: Running) -> Iterator[None]:
    """After whatever happened, the next caller is served and nothing is held."""
    yield
    found = decode_tensor(server.stub.Convolve(message()).output)
    np.testing.assert_array_equal(found, engine.apply(SIGNAL, PLAIN))
    assert server.resources.admission.bytes_held == 0
    assert not server.resources.calls.in_flight


def refused(call: Callable[[], Any], reason: str) -> Failure:
    """How a call fails, told by exactly one line of the log."""
    with capture_logs() as lines:
        found = failure(call)
    assert [line["reason"] for line in lines] == [reason]
    assert lines[0]["log_level"] == "info"
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_bad_convolution_is_refused_naming_what_is_wrong(server: Running, name: str) -> None:
    case = CASES[name]
    found = refused(lambda: server.stub.Convolve(case.request), case.reason)
    assert found.code is grpc.StatusCode.INVALID_ARGUMENT
    assert found.reason == case.reason
    assert found.field == case.field
    assert found.words["argument"] == case.argument
    assert case.words in found.message
    assert found.message == "{argument}: got {came}; want {wanted}".format(**found.words)
    assert found.retry_delay is None


def test_the_words_are_those_of_the_engine(server: Running) -> None:
    x = np.ones((2, 20), np.float32)
    with pytest.raises(InvalidArgument) as local:
        engine.apply(x, PLAIN)
    remote = failure(lambda: server.stub.Convolve(message(input=encode_tensor(x))))
    assert remote.message == str(local.value)


@pytest.mark.parametrize(
    "method",
    ["Convolve", "PlanConvolution", "GetFilter", "ListFilters", "DeleteFilter", "GetServerInfo"],
)
@pytest.mark.parametrize(
    ("raw", "reason"), [(b"\x0a\xff", "INVALID_ARGUMENT"), (b"\xf8\x3f\x01", "UNKNOWN_FIELD")]
)
def test_bytes_that_are_no_request_are_refused(
    server: Running, method: str, raw: bytes, reason: str
) -> None:
    call: Any = server.channel.unary_unary(SERVICE + method)
    found = refused(lambda: call(raw), reason)
    assert found.code is grpc.StatusCode.INVALID_ARGUMENT
    assert found.field == "request"


@pytest.mark.parametrize("method", ["StreamConvolve", "CreateFilter"])
def test_bytes_that_are_no_message_of_a_stream_are_refused(server: Running, method: str) -> None:
    call: Any = server.channel.stream_stream(SERVICE + method)
    found = refused(lambda: list(call(iter([b"\x0a\xff"]))), "INVALID_ARGUMENT")
    assert found.field == "request"


def test_a_result_beyond_a_message_is_refused_before_it_is_computed(server: Running) -> None:
    wide = Filter(Conv(np.ones((64, 1, 3), np.float32)))
    x = np.ones((1, 500_000), np.float32)
    request = message(encode_filter(wide), input=encode_tensor(x))
    with capture_logs():
        found = failure(lambda: server.stub.Convolve(request))
    assert (found.code.name, found.reason) == ("RESOURCE_EXHAUSTED", "TOO_LARGE")
    assert "StreamConvolve" in found.message


def test_a_request_beyond_a_message_is_refused_by_the_transport(server: Running) -> None:
    huge = pb.Tensor(data_type=FLOAT, shape=[1, 1_500_000], data=bytes(6_000_000))
    with pytest.raises(grpc.RpcError) as found:
        server.stub.Convolve(message(input=huge))
    assert found.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ListFiltersRequest(page_size=-1), "page_size"),
        (pb.ListFiltersRequest(page_size=1001), "page_size"),
        (pb.ListFiltersRequest(page_token="x"), "page_token"),
    ],
)
def test_a_bad_page_is_refused(
    server: Running, request_: pb.ListFiltersRequest, field: str
) -> None:
    found = refused(lambda: server.stub.ListFilters(request_), "INVALID_ARGUMENT")
    assert found.field == field


@pytest.mark.parametrize("name", ["", "hall", "filters/" + "A" * 64, "filters/" + "0" * 63])
def test_a_name_not_of_the_form_is_refused(server: Running, name: str) -> None:
    for call in (
        lambda: server.stub.GetFilter(pb.GetFilterRequest(name=name)),
        lambda: server.stub.DeleteFilter(pb.DeleteFilterRequest(name=name, allow_missing=True)),
    ):
        assert refused(call, "INVALID_ARGUMENT").field == "name"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"block_samples": -1}, "block_samples"),
        (
            {"block_samples": 4, "input": pb.Tensor(data_type=FLOAT, shape=[2, 1, 20])},
            "input.shape",
        ),
        ({"input": pb.Tensor(data_type=FLOAT)}, "input.shape"),
        ({"options": pb.ComputeOptions(algorithm="magic")}, "options.algorithm"),
    ],
)
def test_a_bad_plan_is_refused(server: Running, fields: dict[str, Any], field: str) -> None:
    given: dict[str, Any] = {"filter": inline(PLAIN), "input": announce_tensor(SIGNAL)} | fields
    request = pb.PlanConvolutionRequest(**given)
    found = refused(lambda: server.stub.PlanConvolution(request), "INVALID_ARGUMENT")
    assert found.field == field


def test_a_fault_of_the_server_keeps_its_trace_to_itself(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a secret of the house")

    with monkeypatch.context() as patch, capture_logs() as lines:
        patch.setattr(engine, "apply_arranged", broken)
        found = failure(lambda: server.stub.Convolve(message()))
    assert (found.code.name, found.reason) == ("INTERNAL", "INTERNAL")
    assert "secret" not in found.message
    (line,) = lines
    assert line["log_level"] == "error"
    assert isinstance(line["exc_info"], KeyError)
    assert line["reference"] in found.message


def test_memory_that_is_not_there_is_not_a_fault(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hungry(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch, capture_logs():
        patch.setattr(engine, "apply_arranged", hungry)
        found = failure(lambda: server.stub.Convolve(message()))
    assert (found.code.name, found.reason) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
    assert found.retry_delay is not None


def test_the_log_tells_who_called_and_what_was_wrong(server: Running) -> None:
    with capture_logs() as lines:
        failure(
            lambda: server.stub.Convolve(
                message(input=encode_tensor(SIGNAL[0])), metadata=(("x-request-id", "r-17"),)
            )
        )
    (line,) = lines
    assert line["method"] == "Convolve"
    assert line["request_id"] == "r-17"
    assert line["field"] == "input.shape"
    assert line["peer"].startswith("ipv4:127.0.0.1:")
    assert line["seconds"] >= 0


def test_oversized_metadata_is_refused() -> None:
    with serving() as own:
        with pytest.raises(grpc.RpcError) as found:
            own.stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=(("x-much", "y" * 20_000),))
        assert found.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        own.stub.GetServerInfo(pb.GetServerInfoRequest())


def test_filters_of_many_parts_are_refused_in_no_time(server: Running) -> None:
    many = pb.Filter(layers=[pb.Layer()] * 1_000_000)
    with capture_logs():
        found = failure(lambda: server.stub.Convolve(message(many), timeout=PATIENCE))
    assert found.reason == "TOO_LARGE"
    assert "1000000 layers" in found.message


def test_responses_stay_below_the_metadata_that_proxies_let_pass(server: Running) -> None:
    name = "hall" * 20_000
    request = pb.ConvolveRequest(filter=pb.FilterSource(name=name), input=encode_tensor(SIGNAL))
    found = refused(lambda: server.stub.Convolve(request), "INVALID_ARGUMENT")
    assert len(found.message) < 1000


def test_a_long_impulse_response_is_welcome(server: Running) -> None:
    long = impulse_response(np.ones(100_000, np.float32))
    request = message(encode_filter(long))
    assert decode_tensor(server.stub.Convolve(request).output).shape == (1, 100_019)
