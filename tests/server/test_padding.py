"""Padding that costs memory is counted before any is taken."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import numpy as np
import pytest

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import encode_filter
from convolved.wire.tensors import encode_tensor
from convolved_vocabulary import Conv, Filter
from tests.server.harness import PATIENCE, Running, serving

ONE_TAP = np.ones((1, 1, 1), np.float32)
SOME = np.ones((1, 10), np.float32)


@pytest.fixture(scope="module")
def small() -> Iterator[Running]:
    with serving(memory_bytes=64 << 20) as running:
        yield running


def source(*layers: Conv) -> pb.FilterSource:
    return pb.FilterSource(inline=encode_filter(Filter(layers)))


@pytest.mark.parametrize("pads", [(10**9, 0), (0, 10**9)])
def test_a_stream_with_padding_beyond_the_memory_is_refused(
    small: Running, pads: tuple[int, int]
) -> None:
    start = pb.Start(
        filter=source(Conv(ONE_TAP, padding=(pads,))),
        data_type=pb.DATA_TYPE_FLOAT32,
        frame_shape=[1],
    )
    block = pb.Block(data=SOME.tobytes())
    requests = [pb.StreamConvolveRequest(start=start), pb.StreamConvolveRequest(block=block)]
    with pytest.raises(grpc.RpcError) as refused:
        list(small.stub.StreamConvolve(iter(requests), timeout=PATIENCE))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert small.resources.admission.bytes_held == 0


def test_a_call_whose_layers_blow_up_in_between_is_refused(small: Running) -> None:
    grown, thinned = Conv(ONE_TAP, padding=((10**8, 0),)), Conv(ONE_TAP, stride=10**6)
    request = pb.ConvolveRequest(filter=source(grown, thinned), input=encode_tensor(SOME))
    with pytest.raises(grpc.RpcError) as refused:
        small.stub.Convolve(request, timeout=PATIENCE)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert small.resources.admission.bytes_held == 0
