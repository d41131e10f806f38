"""ComputeGradients: the engine's gradients, of any size, and a clear word for every wrong call."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import encode_filter, tensors_of
from convolved.wire.gradients import decode_gradients
from convolved.wire.parts import Assembler, announced_shapes
from convolved.wire.tensors import announce_tensor, encode_tensor
from convolved_vocabulary import (
    Activation,
    Affine,
    Conv,
    ConvTranspose,
    Filter,
    Gradients,
    Pool,
    impulse_response,
)
from tests.engine.operations.drawn import filters, numbers, signals
from tests.server.harness import (
    PATIENCE,
    Conversation,
    Running,
    create,
    failure,
    inline,
    serving,
    until,
)

RANDOM = np.random.default_rng(11)


def noise(*shape: int, dtype: str = "float32") -> NDArray[Any]:
    found = RANDOM.standard_normal(shape)
    if dtype.startswith("complex"):
        found = found + 1j * RANDOM.standard_normal(shape)
    return found.astype(dtype)


FILTER = Filter(
    [
        Conv(noise(4, 2, 5), noise(4), stride=2, padding="same"),
        Affine(noise(4), noise(4)),
        Activation("relu"),
        Pool("max", 2),
        ConvTranspose(noise(4, 3, 3), noise(3)),
    ]
)
WAVE = Filter(Conv(noise(1, 1, 9, dtype="complex64")))
PICTURE = Filter(Conv(noise(3, 1, 3, 3), padding=1, boundary="reflect"))
EACH = impulse_response(noise(7))
WHOLE = Filter([Affine(np.array([2, 3])), Conv(noise(1, 2, 3, dtype="float64"))])
TAPS = noise(1, 1, 3)
PLAIN = Filter(Conv(TAPS))
SIGNAL = noise(1, 20)


def problem(
    filter: Filter | str, x: NDArray[Any], gradient: NDArray[Any], *, announce: bool = False
) -> pb.GradientsStart:
    tensor = announce_tensor if announce else encode_tensor
    source = pb.FilterSource(name=filter) if isinstance(filter, str) else inline(filter)
    if announce and isinstance(filter, Filter):
        source = pb.FilterSource(inline=encode_filter(filter, announce=True))
    return pb.GradientsStart(filter=source, input=tensor(x), output_gradient=tensor(gradient))


def pieces(arrays: list[NDArray[Any]], size: int = 1 << 20) -> Iterator[pb.ComputeGradientsRequest]:
    for number, array in enumerate(arrays):
        raw = array.tobytes()
        for begin in range(0, len(raw), size):
            part = pb.Part(tensor=number, byte_offset=begin, data=raw[begin : begin + size])
            yield pb.ComputeGradientsRequest(part=part)


def call(
    server: Running, start: pb.GradientsStart, arrays: list[NDArray[Any]] | None = None
) -> list[pb.ComputeGradientsResponse]:
    requests = [pb.ComputeGradientsRequest(start=start), *pieces(arrays or [])]
    return list(server.stub.ComputeGradients(iter(requests), timeout=PATIENCE))


def assembled(messages: list[pb.ComputeGradientsResponse]) -> Gradients:
    first = messages[0].gradients
    assembler = Assembler(announced_shapes(first))
    for message in messages[1:]:
        assert message.WhichOneof("message") == "part"
        assembler.add(message.part)
    assert assembler.complete
    return decode_gradients(first, assembler.arrays)


def assert_same(found: Gradients, expected: Gradients) -> None:
    assert found.input.dtype == expected.input.dtype
    np.testing.assert_allclose(found.input, expected.input, rtol=1e-4, atol=1e-4)
    assert len(found.layers) == len(expected.layers)
    for ours, theirs in zip(found.layers, expected.layers, strict=True):
        assert set(ours) == set(theirs)
        for name, gradient in theirs.items():
            assert ours[name].dtype == gradient.dtype
            np.testing.assert_allclose(ours[name], gradient, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("filter", "shape", "dtype"),
    [
        (FILTER, (2, 50), "float32"),
        (FILTER, (3, 2, 50), "float64"),
        (WAVE, (2, 1, 30), "complex64"),
        (PICTURE, (1, 9, 11), "float32"),
        (EACH, (3, 40), "float32"),
        (WHOLE, (2, 40), "float64"),
        (FILTER, (2, 50), "float16"),
    ],
)
def test_the_gradients_are_those_of_the_engine(
    server: Running, filter: Filter, shape: tuple[int, ...], dtype: str
) -> None:
    x = noise(*shape, dtype=dtype)
    output = engine.apply(x, filter)
    gradient = noise(*output.shape, dtype=output.dtype.name)
    expected = engine.gradients(x, filter, gradient)
    [message] = call(server, problem(filter, x, gradient))
    assert_same(assembled([message]), expected)
    assert tuple(message.gradients.input.shape) == shape
    following = [*tensors_of(filter), x, gradient]
    assert_same(
        assembled(call(server, problem(filter, x, gradient, announce=True), following)), expected
    )


@settings(max_examples=100)
@given(data=st.data(), dtype=st.sampled_from(("float32", "float64", "complex64", "float16")))
def test_the_gradients_of_any_filter_are_those_of_the_engine(
    server: Running, data: st.DataObject, dtype: str
) -> None:
    filter = data.draw(filters(dtype, ranks=(1, 2, 3), streamable=False))
    x = data.draw(signals(filter, dtype, most=12, batch=2))
    shape, out = filter.output_shape(x.shape), filter.output_dtype(dtype)
    gradient = numbers(1, shape, out.name)
    expected = engine.gradients_arranged(x, filter, gradient)
    found = assembled(call(server, problem(filter, x, gradient)))
    assert found.input.tobytes() == expected.input.tobytes()
    assert found.input.shape == x.shape
    for ours, theirs in zip(found.layers, expected.layers, strict=True):
        assert ours.keys() == theirs.keys()
        for name, one in theirs.items():
            assert (ours[name].dtype, ours[name].shape) == (one.dtype, one.shape)
            assert ours[name].tobytes() == one.tobytes()


def test_a_registered_filter_is_called_by_its_name(server: Running) -> None:
    name = create(server, FILTER).name
    x = noise(2, 50)
    gradient = engine.apply(x, FILTER)
    found = call(server, problem(name, x, gradient))
    assert_same(assembled(found), engine.gradients(x, FILTER, gradient))


def test_large_gradients_come_in_parts_of_at_most_a_mebibyte(server: Running) -> None:
    filter, x = Filter(Conv(noise(2, 1, 400_000))), noise(1, 1_300_000)
    gradient = noise(2, 900_001)
    before = server.resources.admission.bytes_held
    following = [*tensors_of(filter), x, gradient]
    messages = call(server, problem(filter, x, gradient, announce=True), following)
    assert all(0 < len(message.part.data) <= 1 << 20 for message in messages[1:])
    assert len(messages) > 8
    assert_same(assembled(messages), engine.gradients(x, filter, gradient))
    until(lambda: server.resources.admission.bytes_held == before)


def test_a_client_that_does_not_read_is_not_sent_everything(server: Running) -> None:
    x = noise(1, 8_000_000)
    start = problem(PLAIN, x, x[:, 2:], announce=True)
    start.filter.CopyFrom(inline(PLAIN))
    with_parts = [pb.ComputeGradientsRequest(start=start), *pieces([x, x[:, 2:]])]
    waiting = server.stub.ComputeGradients(iter(with_parts), timeout=PATIENCE)
    assert next(waiting).HasField("gradients")
    held = server.resources.admission.bytes_held
    assert held >= x.nbytes
    assert server.resources.admission.seconds_held == 0
    waiting.cancel()
    until(lambda: server.resources.admission.bytes_held == 0)
    gc.collect()


def without(field: str) -> pb.GradientsStart:
    start = problem(PLAIN, SIGNAL, SIGNAL[:, 2:])
    start.ClearField(field)  # type: ignore[arg-type]  # any field
    return start


def with_options(**options: Any) -> pb.GradientsStart:
    start = problem(PLAIN, SIGNAL, SIGNAL[:, 2:])
    start.options.CopyFrom(pb.ComputeOptions(**options))
    return start


def at_rates(filter_rate: float, rate: float) -> pb.GradientsStart:
    filter = Filter(PLAIN.layers, sample_rate_hertz=filter_rate)
    start = problem(filter, SIGNAL, SIGNAL[:, 2:])
    start.sample_rate_hertz = rate
    return start


def unknown() -> pb.GradientsStart:
    start = without("sample_rate_hertz")
    start.filter.inline.layers[0].conv.MergeFromString(b"\xf8\x3f\x01")
    return start


WRONG: dict[str, tuple[Callable[[], pb.GradientsStart], str, str]] = {
    "no filter": (lambda: without("filter"), "start.filter", "filter"),
    "no input": (lambda: without("input"), "start.input", "x"),
    "no gradient": (lambda: without("output_gradient"), "start.output_gradient", "grad_out"),
    "integers": (
        lambda: problem(PLAIN, SIGNAL.astype(np.int32), SIGNAL[:, 2:]),
        "start.input",
        "x",
    ),
    "bare spatial": (
        lambda: problem(PLAIN, SIGNAL[0], SIGNAL[:, 2:]),
        "start.input.shape",
        "x",
    ),
    "other channels": (
        lambda: problem(FILTER, noise(5, 50), SIGNAL),
        "start.input.shape",
        "x",
    ),
    "another shape": (
        lambda: problem(PLAIN, SIGNAL, SIGNAL),
        "start.output_gradient",
        "grad_out",
    ),
    "another type": (
        lambda: problem(PLAIN, SIGNAL, SIGNAL[:, 2:].astype(np.float64)),
        "start.output_gradient",
        "grad_out",
    ),
    "another rate": (
        lambda: at_rates(48_000, 44_100),
        "start.sample_rate_hertz",
        "sample_rate_hertz",
    ),
    "no rate": (lambda: at_rates(8, -1), "start.sample_rate_hertz", "sample_rate_hertz"),
    "no algorithm": (
        lambda: with_options(algorithm="magic"),
        "start.options.algorithm",
        "algorithm",
    ),
    "an output type": (
        lambda: with_options(output_type=pb.DATA_TYPE_FLOAT64),
        "start.options.output_type",
        "output_dtype",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told_by_field_and_argument(server: Running, wrong: str) -> None:
    start, field, argument = WRONG[wrong]
    found = failure(lambda: call(server, start()))
    assert (found.code.name, found.reason) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT")
    assert (found.field, found.words["argument"]) == (field, argument)


def test_a_field_that_the_server_does_not_know_is_refused(server: Running) -> None:
    found = failure(lambda: call(server, unknown()))
    assert (found.reason, found.field) == ("UNKNOWN_FIELD", "start.filter.inline.layers[0].conv")


def test_a_filter_that_is_not_there_is_not_found(server: Running) -> None:
    start = problem("filters/" + "0" * 64, SIGNAL, SIGNAL[:, 2:])
    assert failure(lambda: call(server, start)).reason == "FILTER_NOT_FOUND"


def part(number: int = 0, offset: int = 0, size: int = 80) -> pb.ComputeGradientsRequest:
    return pb.ComputeGradientsRequest(
        part=pb.Part(tensor=number, byte_offset=offset, data=bytes(size))
    )


SAID = pb.ComputeGradientsRequest(start=problem(PLAIN, SIGNAL, SIGNAL[:, 2:]))
ANNOUNCED = pb.ComputeGradientsRequest(
    start=pb.GradientsStart(
        filter=inline(PLAIN),
        input=announce_tensor(SIGNAL),
        output_gradient=encode_tensor(SIGNAL[:, 2:]),
    )
)


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "start"),
        ([part()], "start"),
        ([pb.ComputeGradientsRequest()], "start"),
        ([SAID, SAID], "part"),
        ([SAID, part()], "part"),
        ([ANNOUNCED], "part"),
        ([ANNOUNCED, SAID], "part"),
        ([ANNOUNCED, part(number=1)], "part.tensor"),
        ([ANNOUNCED, part(offset=8)], "part.byte_offset"),
        ([ANNOUNCED, part(), part(number=1)], "part"),
    ],
)
def test_messages_out_of_order_are_refused(
    server: Running, messages: list[pb.ComputeGradientsRequest], field: str
) -> None:
    talk = Conversation(server.stub.ComputeGradients)
    talk.say(*messages)
    talk.close()
    found = talk.error()
    assert (found.code.name, found.reason) == ("INVALID_ARGUMENT", "OUT_OF_SEQUENCE")
    assert found.field == field


def test_tensors_beyond_the_limit_are_refused_before_they_come() -> None:
    with serving(gradient_bytes="1MiB") as server:
        info = server.stub.GetServerInfo(pb.GetServerInfoRequest())
        assert info.limits.gradient_bytes == 1 << 20
        x = noise(1, 200_000)
        talk = Conversation(server.stub.ComputeGradients)
        start = problem(PLAIN, x, x[:, 2:], announce=True)
        talk.say(pb.ComputeGradientsRequest(start=start))
        found = talk.error()
        assert (found.code.name, found.reason) == ("RESOURCE_EXHAUSTED", "TOO_LARGE")
        # What goes in fits by itself, and with what comes out it does not.
        half = x[:, :100_000]
        start = problem(PLAIN, half, half[:, 2:])
        found = failure(lambda: call(server, start))
        assert found.reason == "TOO_LARGE"
        assert "1,048,576" in found.message
        small = x[:, :80_000]
        assert call(server, problem(PLAIN, small, small[:, 2:]))
        assert server.resources.admission.bytes_held == 0


def test_what_needs_more_memory_than_there_is_is_refused() -> None:
    with serving(memory_bytes="16MiB") as server:
        filter = Filter([Conv(noise(64, 1, 1)), Conv(noise(1, 64, 1))])
        x = noise(1, 100_000)
        found = failure(lambda: call(server, problem(filter, x, x)))
        assert (found.code.name, found.reason) == ("RESOURCE_EXHAUSTED", "TOO_LARGE")
        assert server.resources.admission.bytes_held == 0


def test_a_call_that_is_given_up_stops_computing_and_gives_everything_back(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, stopped = threading.Event(), threading.Event()

    def forever(*_: object, cancelled: Callable[[], bool]) -> None:
        begun.set()
        until(cancelled)
        stopped.set()

    monkeypatch.setattr(engine, "gradients_arranged", forever)
    waiting = server.stub.ComputeGradients(iter([SAID]))
    assert begun.wait(PATIENCE)
    assert server.resources.admission.seconds_held > 0
    waiting.cancel()
    assert stopped.wait(PATIENCE)
    admission = server.resources.admission
    until(lambda: (admission.bytes_held, admission.seconds_held) == (0, 0.0))


def test_a_server_whose_queue_is_full_says_when_to_come_again(server: Running) -> None:
    admission = server.resources.admission
    ticket = server.in_loop(lambda: admission.admit(0, 1e6))
    try:
        found = failure(lambda: call(server, SAID.start))
    finally:
        server.in_loop(ticket.release)
    assert found.reason == "OVERLOADED"
    assert found.retry_delay is not None
