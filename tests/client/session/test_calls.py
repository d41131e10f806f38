"""Every method of a client, taken step by step without a wire between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import convolved_engine as engine
from convolved.registered import RegisteredFilter
from convolved.session.calls import Session
from convolved.session.operations import Steps
from convolved_vocabulary import (
    Conv,
    Filter,
    IntegerOverflow,
    Internal,
    InvalidArgument,
    NotFound,
    impulse_response,
    translate,
)
from tests.client.fake import Honest
from tests.client.perform import perform

RNG = np.random.default_rng(5)


def noise(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(size=shape).astype(np.float32)


def applied(server: Honest, x: Any, filter: Any, session: Session | None = None) -> Any:
    return perform((session or Session()).apply(x, filter, None, "fast", "auto"), server)


def registered(server: Honest, filter: Any) -> RegisteredFilter:
    return perform(Session().register(filter, False, None), server)


IR = impulse_response(noise(9))


def test_a_small_signal_takes_one_message_each_way() -> None:
    server, x = Honest(), noise(2, 100)
    np.testing.assert_allclose(applied(server, x, IR), engine.apply(x, IR), atol=1e-5)
    assert server.calls == ["Convolve"]


@pytest.mark.parametrize("shape", [(1_100_000,), (2, 600_000), (1, 1, 1_100_000)])
def test_a_signal_beyond_a_message_is_streamed(shape: tuple[int, ...]) -> None:
    server, x = Honest(), noise(*shape)
    np.testing.assert_allclose(applied(server, x, IR), engine.apply(x, IR), atol=1e-4)
    assert server.calls == ["StreamConvolve"]


def test_a_small_signal_with_a_large_result_is_streamed() -> None:
    server, x = Honest(), noise(1, 20_000)
    filter = Filter(Conv(noise(64, 1, 3)))
    np.testing.assert_allclose(applied(server, x, filter), engine.apply(x, filter), atol=1e-5)
    assert server.calls == ["StreamConvolve"]


def test_a_batch_goes_by_as_many_examples_as_fit_a_message() -> None:
    server, x = Honest(), noise(10, 1, 200_000)
    np.testing.assert_allclose(applied(server, x, IR), engine.apply(x, IR), atol=1e-4)
    assert server.calls == ["Convolve"] * 2


def test_a_batch_of_long_examples_goes_by_a_stream_each() -> None:
    server, x = Honest(), noise(3, 2, 600_000)[:, ::-1]
    found = applied(server, x, IR)
    assert found.shape == (3, 2, 600_008)
    np.testing.assert_allclose(found, engine.apply(x, IR), atol=1e-4)
    assert server.calls == ["StreamConvolve"] * 3


def test_a_registered_filter_goes_by_its_name() -> None:
    server, x = Honest(), noise(100)
    handle = registered(server, IR)
    assert handle.name == IR.name == str(handle)
    np.testing.assert_allclose(applied(server, x, handle), engine.apply(x, IR), atol=1e-5)
    assert server.calls == ["CreateFilter", "Convolve"]


def test_a_large_filter_registers_in_parts() -> None:
    server = Honest()
    taps = noise(1_600_000)
    handle = registered(server, taps)
    assert server.filters[handle.name] == impulse_response(taps)


@pytest.mark.parametrize("length", [100, 1_100_000])
def test_a_server_that_has_lost_a_filter_is_given_it_again(length: int) -> None:
    server, x = Honest(), noise(length)
    handle = registered(server, IR)
    server.filters.clear()
    np.testing.assert_allclose(applied(server, x, handle), engine.apply(x, IR), atol=1e-4)
    assert server.calls.count("CreateFilter") == 2


def test_streams_and_plans_register_again_too() -> None:
    server = Honest()
    handle = registered(server, IR)
    server.filters.clear()
    perform(Session().plan(handle, (100,), "float32", None, "fast", "auto"), server)
    server.filters.clear()
    perform(Session().stream(handle, 1, (), "float32", 0, None, "fast", "auto"), server)
    assert server.calls.count("CreateFilter") == 3


def test_a_name_alone_does_not_bring_a_filter_back() -> None:
    server = Honest()
    with pytest.raises(NotFound, match="no filter filters/"):
        applied(server, noise(100), IR.name)
    session = Session()
    registered(server, IR)
    applied(server, noise(100), IR.name, session)
    server.filters.clear()
    with pytest.raises(NotFound, match=r"a name alone does not bring it back"):
        applied(server, noise(100), IR.name, session)


def test_a_name_is_looked_up_once_and_does_what_the_filter_does() -> None:
    server, session, x = Honest(), Session(), noise(2, 100)
    handle = registered(server, IR)
    for _ in range(2):
        found = applied(server, x, handle.name, session)
        np.testing.assert_allclose(found, engine.apply(x, IR), atol=1e-5)
    assert server.calls == ["CreateFilter", "GetFilter", "Convolve", "Convolve"]
    with pytest.raises(InvalidArgument, match="channels look last"):
        applied(server, x.T, handle.name, session)


@pytest.mark.parametrize("length", [100, 1_100_000])
def test_only_the_server_knows_the_type_of_exact_results_of_a_name(length: int) -> None:
    server = Honest()
    wide = impulse_response(np.array([1 << 40, 1]))
    handle = registered(server, wide)
    x = RNG.integers(-100, 100, length).astype(np.int8)
    found = applied(server, x, handle.name)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, engine.apply(x, wide))


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint16", "int64", "float16", "float32", "float64", "complex128"]
)
@pytest.mark.parametrize("length", [50, 1_200_000])
def test_every_dtype_passes(dtype: str, length: int) -> None:
    server = Honest()
    x = (RNG.normal(size=length) * 5).astype(dtype)
    taps = np.array([1, -2, 3], "int16")
    found, expected = applied(server, x, taps), engine.apply(x, taps)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-4)


def test_a_signal_in_foreign_byte_order_passes() -> None:
    x = noise(2, 100)
    found = applied(Honest(), x.astype(">f4"), IR)
    np.testing.assert_allclose(found, engine.apply(x, IR), atol=1e-5)


@pytest.mark.parametrize(
    ("call", "other"),
    [
        (
            Session().computed(translate.convolve([1, 2, 3], [0, 1, 0.5], "same", "auto")),
            engine.convolve([1, 2, 3], [0, 1, 0.5], "same"),
        ),
        (
            Session().computed(translate.correlate([1, 2j], [1, 2, 3], "full", "direct")),
            engine.correlate([1, 2j], [1, 2, 3], "full", "direct"),
        ),
        (
            Session().computed(translate.conv(np.ones((1, 5)), np.ones((2, 1, 3)), None, 2, 1)),
            engine.conv(np.ones((1, 5)), np.ones((2, 1, 3)), None, 2, 1),
        ),
    ],
)
def test_the_plain_functions_give_what_the_engine_gives(
    call: Steps[NDArray[Any]], other: NDArray[Any]
) -> None:
    found = perform(call, Honest())
    assert found.dtype == other.dtype
    np.testing.assert_allclose(found, other, atol=1e-12)


def test_a_result_that_does_not_fit_is_refused_as_by_the_engine() -> None:
    x = np.full(4, 100, np.int8)
    with pytest.raises(IntegerOverflow, match="wider arrays"):
        perform(Session().computed(translate.convolve(x, x)), Honest())


def test_a_plan_of_a_filter_beyond_a_message_registers_it() -> None:
    server = Honest()
    perform(Session().plan(noise(1_100_000), (10,), "float32", None, "fast", "auto"), server)
    assert server.calls == ["CreateFilter", "PlanConvolution"]


def test_filters_come_page_by_page_and_are_told_in_words() -> None:
    server = Honest()
    names = sorted(registered(server, [float(n), 1.0]).name for n in range(5))
    server.calls.clear()
    found = perform(Session().filters(), server)
    assert [each.name for each in found] == names
    assert server.calls == ["ListFilters"] * 3
    assert found[0].per_channel
    assert (found[0].rank, found[0].in_channels, found[0].size_bytes) == (1, None, 16)
    assert found[0].layers[0].startswith("Conv(weight=float64[1, 1, 2]")


def test_a_filter_is_described_and_deleted_by_handle_or_name() -> None:
    server, session = Honest(), Session()
    handle = registered(server, IR)
    assert perform(session.get_filter(handle), server).size_bytes == 36
    perform(session.delete_filter(handle.name, False), server)
    with pytest.raises(NotFound):
        perform(session.delete_filter(handle, False), server)
    perform(session.delete_filter(handle, True), server)
    with pytest.raises(InvalidArgument, match="64 lowercase hexadecimal digits"):
        perform(session.get_filter("filters/1"), server)


def test_the_server_tells_what_it_is() -> None:
    info = perform(Session().info(), Honest())
    assert (info.version, info.algorithms, info.cpu) == ("1.2.3", ("direct",), "a processor")
    assert info.dtypes == (np.dtype("float32"),)
    assert info.limits.message_bytes == 4 << 20
    assert (info.limits.idle_timeout, info.limits.stream_lifetime) == (60.0, None)


def test_registering_says_more_about_arrays_only() -> None:
    server, session = Honest(), Session()
    spread = perform(session.register(noise(2, 5), True, 48000), server)
    assert spread.filter.out_channels(1) == 2
    assert spread.filter.sample_rate_hertz == 48000
    assert perform(session.register(spread, False, None), server) == spread
    with pytest.raises(InvalidArgument, match="spread: got True with a Filter"):
        perform(session.register(IR, True, None), server)
    with pytest.raises(InvalidArgument, match="sample_rate_hertz: got 8000 with a Conv"):
        perform(session.register(IR.layers[0], False, 8000), server)


class Lying(Honest):
    """It calls filters by other names, and makes other results."""

    def create(self, requests: Any, context: object) -> Any:
        response = super().create(requests, context)
        response.filter_info.name = "filters/" + "0" * 64
        return response

    def convolve(self, request: Any, context: object) -> Any:
        response = super().convolve(request, context)
        response.output.shape[-1] -= 1
        response.output.data = response.output.data[:-4]
        return response


def test_a_server_that_names_or_computes_something_else_is_found_out() -> None:
    with pytest.raises(Internal, match="the server called the filter filters/0000"):
        registered(Lying(), IR)
    with pytest.raises(Internal, match=r"made an output of shape \(1, 17\)"):
        applied(Lying(), noise(10), IR)
