"""Whole arrays in one call, and the questions about them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from numpy.typing import NDArray

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.tensors import announce_tensor, decode_tensor, encode_tensor
from convolved_vocabulary import Activation, Conv, Filter, impulse_response
from tests.server.harness import Running, create, failure, inline, serving

RNG = np.random.default_rng(2)
SHORT = impulse_response(RNG.standard_normal(15).astype(np.float32))
PICTURE = Filter([Conv(RNG.standard_normal((4, 2, 3, 3)).astype(np.float32)), Activation("relu")])


def convolve(server: Running, x: NDArray[Any], filter: Filter, **fields: Any) -> NDArray[Any]:
    request = pb.ConvolveRequest(filter=inline(filter), input=encode_tensor(x), **fields)
    return decode_tensor(server.stub.Convolve(request).output)


@pytest.mark.parametrize(
    ("filter", "shape"),
    [
        (SHORT, (1, 200)),
        (SHORT, (3, 200)),
        (SHORT, (5, 2, 50)),
        (PICTURE, (2, 9, 40)),
        (PICTURE, (3, 2, 9, 40)),
    ],
)
def test_a_result_is_the_engines_with_a_batch_where_the_input_has_one(
    server: Running, filter: Filter, shape: tuple[int, ...]
) -> None:
    x = RNG.standard_normal(shape).astype(np.float32)
    np.testing.assert_array_equal(convolve(server, x, filter), engine.apply(x, filter))


def test_a_registered_filter_is_used_by_its_name(server: Running) -> None:
    x = RNG.standard_normal((1, 300)).astype(np.float32)
    name = create(server, SHORT).name
    request = pb.ConvolveRequest(filter=pb.FilterSource(name=name), input=encode_tensor(x))
    for _ in range(3):
        response = server.stub.Convolve(request)
        np.testing.assert_array_equal(decode_tensor(response.output), engine.apply(x, SHORT))
        assert response.algorithm in engine.algorithm_names()


def test_wishes_are_kept(server: Running) -> None:
    x = RNG.standard_normal((1, 5000)).astype(np.float32)
    long = impulse_response(RNG.standard_normal(999).astype(np.float32))
    for algorithm in ("direct", "overlap_save"):
        request = pb.ConvolveRequest(
            filter=inline(long),
            input=encode_tensor(x),
            options=pb.ComputeOptions(algorithm=algorithm),
        )
        assert server.stub.Convolve(request).algorithm == algorithm
    wide = pb.ComputeOptions(output_type=pb.DATA_TYPE_FLOAT64)
    assert convolve(server, x, long, options=wide).dtype == np.float64


def test_a_large_request_is_read_in_a_thread_to_the_same_result(server: Running) -> None:
    x = RNG.standard_normal((1, 900_000)).astype(np.float32)
    np.testing.assert_array_equal(convolve(server, x, SHORT), engine.apply(x, SHORT))


def test_a_plan_says_what_the_engine_says(server: Running) -> None:
    x = np.zeros((1, 48_000), np.float32)
    request = pb.PlanConvolutionRequest(filter=inline(SHORT), input=announce_tensor(x))
    response = server.stub.PlanConvolution(request)
    plan = engine.plan(SHORT, x.shape)
    assert tuple(response.output_shape) == (1, 48_014)
    assert [step.chosen.algorithm for step in response.layers] == [plan.algorithm]
    assert response.multiply_adds == plan.multiply_adds
    assert response.parameters == 15
    assert response.threads == server.resources.compute.threads
    assert response.predicted_time.ToTimedelta().total_seconds() > 0


def test_a_plan_of_a_stream_states_its_block_and_delay(server: Running) -> None:
    same = Filter(Conv(np.ones((1, 1, 9), np.float32), padding="same"))
    request = pb.PlanConvolutionRequest(
        filter=inline(same),
        input=announce_tensor(np.zeros((1, 48_000), np.float32)),
        block_samples=512,
    )
    response = server.stub.PlanConvolution(request)
    assert (response.block_samples, response.delay_samples) == (512, 4.0)


def test_a_plan_has_a_batch_only_where_the_input_has_one(server: Running) -> None:
    for shape in ((2, 9, 40), (3, 2, 9, 40)):
        request = pb.PlanConvolutionRequest(
            filter=inline(PICTURE), input=announce_tensor(np.zeros(shape, np.float32))
        )
        assert tuple(server.stub.PlanConvolution(request).output_shape) == (
            *shape[:-3],
            4,
            7,
            38,
        )


def test_the_server_tells_its_limits_and_abilities() -> None:
    with serving(filter_bytes="3MiB", streams=7, idle_timeout_seconds=2.5) as server:
        info = server.stub.GetServerInfo(pb.GetServerInfoRequest())
        assert (info.limits.message_bytes, info.limits.block_bytes) == (4 << 20, 1 << 20)
        assert (info.limits.filter_bytes, info.limits.streams) == (3 << 20, 7)
        assert info.limits.idle_timeout.ToTimedelta().total_seconds() == 2.5
        assert not info.limits.HasField("stream_lifetime")
        assert list(info.algorithms) == list(engine.algorithm_names())
        assert len(info.data_types) == 14
        assert info.version
        assert info.cpu
        assert info.threads >= 1
        assert server.stub.GetServerInfo(pb.GetServerInfoRequest()) == info


def test_health_answers_for_the_server_and_the_service(server: Running) -> None:
    stub: Any = health_pb2_grpc.HealthStub(server.channel)
    for name in ("", "convolved.v1.ConvolutionService"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("offered", [True, False])
def test_reflection_is_offered_unless_switched_off(offered: bool) -> None:
    with serving(reflection=offered) as server:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(server.channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        if not offered:
            assert failure(lambda: list(stub.ServerReflectionInfo(iter([asked])))).code.name == (
                "UNIMPLEMENTED"
            )
            return
        (answer,) = stub.ServerReflectionInfo(iter([asked]))
        names = [each.name for each in answer.list_services_response.service]
        assert "convolved.v1.ConvolutionService" in names
