"""Filters: registered whole, by parts where they are large, described without their weights."""

from __future__ import annotations

import numpy as np
import pytest

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import encode_filter
from convolved.wire.tensors import decode_tensor, encode_tensor
from convolved_engine.operations.convolution import prepared_weights
from convolved_server.filter_store import StoredFilter, token_after
from convolved_server.registry import page_that_fits
from convolved_vocabulary import Activation, Conv, ConvTranspose, Filter, impulse_response
from tests.server.harness import (
    Conversation,
    Running,
    create,
    failure,
    inline,
    pieces,
    serving,
)

RNG = np.random.default_rng(3)
LARGE = Filter(
    [
        Conv(RNG.standard_normal((2, 1, 300_000)).astype(np.float32), padding="full"),
        Activation("relu"),
        Conv(RNG.standard_normal((1, 2, 3)).astype(np.float32), bias=np.ones(1, np.float32)),
    ]
)


def announcement(filter: Filter) -> pb.CreateFilterRequest:
    return pb.CreateFilterRequest(filter=encode_filter(filter, announce=True))


def test_the_name_is_the_one_that_every_client_can_compute(server: Running) -> None:
    info = create(server, Filter(Activation("relu")))
    assert info.name == Filter(Activation("relu")).name


def test_a_large_filter_comes_by_parts_and_computes_like_the_whole(server: Running) -> None:
    parts = (pb.CreateFilterRequest(part=part) for part in pieces(LARGE))
    info = server.stub.CreateFilter(iter([announcement(LARGE), *parts])).filter_info
    assert info.name == LARGE.name
    assert info.size_bytes == LARGE.size_bytes
    x = RNG.standard_normal((1, 50)).astype(np.float32)
    request = pb.ConvolveRequest(filter=pb.FilterSource(name=info.name), input=encode_tensor(x))
    found = decode_tensor(server.stub.Convolve(request).output)
    np.testing.assert_array_equal(found, engine.apply(x, LARGE))


def test_parts_need_not_end_between_elements(server: Running) -> None:
    filter = impulse_response(RNG.standard_normal(1000))
    parts = (pb.CreateFilterRequest(part=part) for part in pieces(filter, size=333))
    info = server.stub.CreateFilter(iter([announcement(filter), *parts])).filter_info
    assert info.name == filter.name


def test_registering_twice_gives_the_first_one(server: Running) -> None:
    filter = impulse_response(RNG.standard_normal(10))
    assert create(server, filter) == create(server, filter)


def test_descriptions_have_shapes_and_no_weights(server: Running) -> None:
    name = create(server, impulse_response(RNG.standard_normal(10))).name
    info = server.stub.GetFilter(pb.GetFilterRequest(name=name)).filter_info
    weight = info.filter.layers[0].conv.weight
    assert list(weight.shape) == [1, 1, 10]
    assert not weight.data
    assert info.HasField("create_time")


def test_a_list_goes_page_by_page_in_the_order_of_names() -> None:
    with serving() as server:
        filters = [impulse_response(RNG.standard_normal(n)) for n in range(1, 8)]
        names = sorted(create(server, filter).name for filter in filters)
        seen, token, pages = [], "", 0
        while token or not pages:
            request = pb.ListFiltersRequest(page_size=3, page_token=token)
            page = server.stub.ListFilters(request)
            seen += [info.name for info in page.filters]
            token, pages = page.next_page_token, pages + 1
        assert seen == names
        assert pages == 3
        assert len(server.stub.ListFilters(pb.ListFiltersRequest()).filters) == 7


def test_a_page_never_outgrows_a_message() -> None:
    layers = [pb.Layer(conv=pb.Conv(axes=[pb.Axis(stride=n)])) for n in range(1, 100_000)]
    bulky = pb.FilterInfo(filter=pb.Filter(layers=layers))
    filters = [impulse_response(np.ones(n)) for n in range(1, 8)]
    asked = [StoredFilter(filter, bulky) for filter in filters]
    page = pb.ListFiltersResponse.FromString(raw := page_that_fits((asked, "the next page")))
    shown = len(page.filters)
    assert len(raw) <= 4 << 20 < len(raw) + bulky.ByteSize()
    assert page.next_page_token == token_after(filters[shown - 1].name)
    assert shown < len(asked)


def test_a_deleted_filter_is_gone_but_deleting_may_be_repeated(server: Running) -> None:
    name = create(server, impulse_response(RNG.standard_normal(11))).name
    server.stub.DeleteFilter(pb.DeleteFilterRequest(name=name))
    asked = pb.GetFilterRequest(name=name)
    assert failure(lambda: server.stub.GetFilter(asked)).reason == "FILTER_NOT_FOUND"
    again = pb.DeleteFilterRequest(name=name)
    assert failure(lambda: server.stub.DeleteFilter(again)).reason == "FILTER_NOT_FOUND"
    server.stub.DeleteFilter(pb.DeleteFilterRequest(name=name, allow_missing=True))


def test_an_unknown_name_is_not_found_in_every_rpc_that_takes_one(server: Running) -> None:
    name = "filters/" + "0" * 64
    source = pb.FilterSource(name=name)
    x = encode_tensor(np.zeros((1, 10), np.float32))
    shape = pb.Tensor(data_type=pb.DATA_TYPE_FLOAT32, shape=[1, 10])
    stub = server.stub
    start = pb.Start(filter=source, data_type=pb.DATA_TYPE_FLOAT32, frame_shape=[1])
    stream = Conversation(stub.StreamConvolve)
    stream.say(pb.StreamConvolveRequest(start=start))
    failures = [
        failure(lambda: stub.Convolve(pb.ConvolveRequest(filter=source, input=x))),
        failure(
            lambda: stub.PlanConvolution(pb.PlanConvolutionRequest(filter=source, input=shape))
        ),
        failure(lambda: stub.GetFilter(pb.GetFilterRequest(name=name))),
        failure(lambda: stub.DeleteFilter(pb.DeleteFilterRequest(name=name))),
        stream.error(),
    ]
    assert {each.code.name for each in failures} == {"NOT_FOUND"}
    assert {each.reason for each in failures} == {"FILTER_NOT_FOUND"}
    assert all(name in each.message for each in failures)


@pytest.mark.parametrize(
    "torn",
    ["closed early", "a gap", "an overlap", "another tensor", "too long", "a second filter"],
)
def test_torn_parts_are_refused_and_nothing_is_registered(server: Running, torn: str) -> None:
    filter = impulse_response(RNG.standard_normal(500))
    first, second = list(pieces(filter, size=2000))
    said = [announcement(filter), pb.CreateFilterRequest(part=first)]
    if torn == "a gap":
        second.byte_offset += 8
    elif torn == "an overlap":
        second.byte_offset -= 8
    elif torn == "another tensor":
        second.tensor = 1
    elif torn == "too long":
        second.data += b"12345678"
    if torn == "a second filter":
        said.append(announcement(filter))
    elif torn != "closed early":
        said.append(pb.CreateFilterRequest(part=second))
    found = failure(lambda: server.stub.CreateFilter(iter(said)))
    assert found.code.name == "INVALID_ARGUMENT"
    assert found.reason == ("INVALID_ARGUMENT" if torn == "too long" else "OUT_OF_SEQUENCE")
    assert found.field.startswith("part")
    missing = failure(lambda: server.stub.GetFilter(pb.GetFilterRequest(name=filter.name)))
    assert missing.reason == "FILTER_NOT_FOUND"
    assert server.resources.admission.bytes_held == 0


def test_parts_beyond_the_complete_filter_are_refused(server: Running) -> None:
    filter = impulse_response(RNG.standard_normal(500))
    parts = [pb.CreateFilterRequest(part=part) for part in pieces(filter)]
    found = failure(
        lambda: server.stub.CreateFilter(iter([announcement(filter), *parts, parts[0]]))
    )
    assert found.reason == "OUT_OF_SEQUENCE"


@pytest.mark.parametrize(
    "said", [[], [pb.CreateFilterRequest()], [pb.CreateFilterRequest(part=pb.Part(data=b"1"))]]
)
def test_the_filter_comes_first(server: Running, said: list[pb.CreateFilterRequest]) -> None:
    found = failure(lambda: server.stub.CreateFilter(iter(said)))
    assert (found.reason, found.field) == ("OUT_OF_SEQUENCE", "filter")


def test_a_filter_beyond_the_limits_is_refused_before_its_parts() -> None:
    with serving(filter_bytes=1000, filter_layers=2, store_bytes="1MiB") as server:
        long = impulse_response(np.zeros(1000))
        call = Conversation(server.stub.StreamConvolve)
        stream = pb.Start(
            filter=pb.FilterSource(inline=encode_filter(long, announce=True)),
            data_type=pb.DATA_TYPE_FLOAT32,
            frame_shape=[1],
        )
        call.say(pb.StreamConvolveRequest(start=stream))
        for found in (
            failure(lambda: server.stub.CreateFilter(iter([announcement(long)]))),
            failure(lambda: create(server, long)),
            failure(lambda: create(server, Filter([Activation("relu")] * 3))),
            call.error(),
        ):
            assert (found.code.name, found.reason) == ("RESOURCE_EXHAUSTED", "TOO_LARGE")
            assert found.retry_delay is None
        x = encode_tensor(np.zeros((1, 10), np.float32))
        carried = pb.ConvolveRequest(filter=inline(long), input=x)
        assert failure(lambda: server.stub.Convolve(carried)).reason == "TOO_LARGE"


def test_a_full_store_refuses_in_words_and_keeps_what_it_has() -> None:
    with serving(store_bytes=40_000) as server:
        kept = create(server, impulse_response(np.ones(1000)))
        found = failure(lambda: create(server, impulse_response(np.ones(4000))))
        assert (found.code.name, found.reason) == ("RESOURCE_EXHAUSTED", "STORAGE_FULL")
        server.stub.GetFilter(pb.GetFilterRequest(name=kept.name))
        server.stub.DeleteFilter(pb.DeleteFilterRequest(name=kept.name))
        create(server, impulse_response(np.ones(3800)))


def test_a_filter_whose_geometry_cannot_be_told_is_refused_when_it_is_registered(
    server: Running,
) -> None:
    spread = ConvTranspose(np.ones((1, 1, 1), np.float32), stride=300)
    found = failure(lambda: create(server, Filter([spread, spread])))
    assert (found.reason, found.field) == ("INVALID_ARGUMENT", "filter")
    assert "upsampling by 90000" in found.message
    skipping = Conv(np.ones((1, 1, 2), np.float32), stride=1 << 40)
    found = failure(lambda: create(server, Filter([skipping, skipping])))
    assert (found.reason, found.field) == ("INVALID_ARGUMENT", "filter")
    assert "a receptive field beyond 2**62" in found.message


def test_the_description_of_a_filter_holds_what_follows_from_it(server: Running) -> None:
    front = Filter(
        [
            ConvTranspose(np.ones((1, 2, 4), np.float32), stride=2),
            Conv(np.ones((3, 2, 9), np.float32), bias=np.ones(3, np.float32), padding=(2, 6)),
        ]
    )
    info = create(server, front)
    (told,) = info.receptive_field
    (field,) = front.receptive_field
    assert (told.size, told.stride, told.start) == (field.size, 0.5, field.start)
    assert (info.parameters, info.delay_samples) == (8 + 54 + 3, float(front.delay))
    assert server.stub.GetFilter(pb.GetFilterRequest(name=info.name)).filter_info == info


def is_prepared(filter: Filter) -> bool:
    kept = [identity for identity, _ in list(prepared_weights._kept)]
    return any(isinstance(each, tuple) and each[0] == filter.name for each in kept)


def test_a_registered_filter_is_made_ready_while_nothing_else_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "warm_up", lambda: None)
    filters = [
        impulse_response(RNG.standard_normal(50).astype(np.float32)),
        Filter(Conv(RNG.standard_normal((2, 3, 5, 5)).astype(np.float32))),
        impulse_response(RNG.standard_normal((2, 9000))),
    ]
    with serving(warm_up_seconds=10.0) as server:
        for filter in filters:
            create(server, filter)
            assert is_prepared(filter)
        late = impulse_response(RNG.standard_normal(51).astype(np.float32))
        server.resources.compute.working += 1
        create(server, late)
        server.resources.compute.working -= 1
        assert not is_prepared(late)
        assert server.resources.admission.bytes_held == 0


def test_what_is_long_or_not_compiled_is_left_to_the_call_that_needs_it(server: Running) -> None:
    large = impulse_response(np.ones(3_000_000, np.float32))
    assert not engine.get_ready(large)
    slow = Filter(Conv(np.ones((64, 64, 5, 5), np.float32)))
    assert not engine.get_ready(slow)
    assert not is_prepared(large)
    assert not is_prepared(slow)
    server.resources.calls.warm, before = False, server.resources.calls.warm
    small = impulse_response(RNG.standard_normal(52).astype(np.float32))
    create(server, small)
    server.resources.calls.warm = before
    assert not is_prepared(small)
