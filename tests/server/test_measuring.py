"""Rigor "measure" over the wire: bounded, in the compute pool, and nobody waits for another's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.tensors import announce_tensor, decode_tensor, encode_tensor
from convolved_engine import measuring, planner
from convolved_engine.problem import Problem
from convolved_engine.registry import Parameters
from convolved_engine.timing import Trial
from convolved_server.admission import Admission
from convolved_server.measuring import Allowance
from convolved_vocabulary import impulse_response
from tests.server.harness import Running, create, inline

RNG = np.random.default_rng(5)
TAPS = impulse_response(RNG.standard_normal(120).astype(np.float32))
X = RNG.standard_normal((1, 30_000)).astype(np.float32)
MEASURE = pb.ComputeOptions(rigor=pb.RIGOR_MEASURE)


@pytest.fixture(autouse=True)
def threads_that_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the threads that measure; each way takes as long as is said here."""
    seconds = {"direct": 9e-3, "overlap_save": 1e-3, "circular": 8e-3, "im2col": 7e-3}
    names: list[str] = []

    class Told(Trial):
        def __init__(
            self,
            problem: Problem,
            algorithm: Any,
            parameters: Parameters,
            beside: Trial | None = None,
        ) -> None:
            del problem, parameters, beside
            self._seconds = seconds[algorithm.name]
            names.append(threading.current_thread().name)

        def seconds(self, threads: int | None = None) -> float:
            del threads
            return self._seconds

    monkeypatch.setenv("CONVOLVED_CACHE", str(tmp_path))
    monkeypatch.setattr(measuring, "Trial", Told)
    measuring._known.clear()
    planner._plan.cache_clear()
    yield names
    measuring._known.clear()
    planner._plan.cache_clear()


def request(
    server: Running, options: pb.ComputeOptions = MEASURE, samples: int = 30_000
) -> pb.ConvolveRequest:
    source = pb.FilterSource(name=create(server, TAPS).name)
    return pb.ConvolveRequest(filter=source, input=encode_tensor(X[:, :samples]), options=options)


def test_a_call_is_computed_by_what_was_measured_once(
    server: Running, threads_that_measure: list[str]
) -> None:
    question = request(server)
    answers = [server.stub.Convolve(question) for _ in range(3)]
    assert {answer.algorithm for answer in answers} == {"overlap_save"}
    assert all(name.startswith("convolved-compute") for name in threads_that_measure)
    tried = len(threads_that_measure)
    assert tried > 1
    server.stub.Convolve(question)
    assert len(threads_that_measure) == tried
    np.testing.assert_allclose(
        decode_tensor(answers[0].output), engine.apply(X, TAPS), atol=1e-4, rtol=0
    )


def test_nothing_is_measured_unless_it_is_asked_for(
    server: Running, threads_that_measure: list[str]
) -> None:
    for rigor in (pb.RIGOR_UNSPECIFIED, pb.RIGOR_ESTIMATE):
        server.stub.Convolve(request(server, pb.ComputeOptions(rigor=rigor)))
    assert not threads_that_measure


def test_nobody_waits_for_what_is_measured_for_another(
    server: Running, threads_that_measure: list[str]
) -> None:
    question = request(server, samples=29_000)
    with measuring._lock:
        first = server.stub.Convolve(question)
    assert not threads_that_measure
    np.testing.assert_allclose(
        decode_tensor(first.output), engine.apply(X[:, :29_000], TAPS), atol=1e-4, rtol=0
    )
    assert server.stub.Convolve(question).algorithm == "overlap_save"
    assert threads_that_measure


def test_a_plan_is_measured_where_it_asks_for_that_and_no_block_of_a_stream(
    server: Running, threads_that_measure: list[str]
) -> None:
    question = pb.PlanConvolutionRequest(
        filter=inline(TAPS), input=announce_tensor(X), options=MEASURE
    )
    question.block_samples = 64
    assert "measured" not in server.stub.PlanConvolution(question).layers[0].chosen.reason
    assert not threads_that_measure
    question.block_samples = 0
    chosen = server.stub.PlanConvolution(question).layers[0].chosen
    assert (chosen.algorithm, chosen.reason) == ("overlap_save", "fastest as measured")
    assert all(name.startswith("convolved-compute") for name in threads_that_measure)


@pytest.mark.parametrize("whole", [True, False])
def test_a_stream_is_measured_where_its_length_is_known(
    server: Running, threads_that_measure: list[str], whole: bool
) -> None:
    start = pb.Start(
        filter=inline(TAPS), data_type=pb.DATA_TYPE_FLOAT32, frame_shape=[1], options=MEASURE
    )
    if whole:
        start.total_samples = X.shape[1]
    messages = [
        pb.StreamConvolveRequest(start=start),
        pb.StreamConvolveRequest(block=pb.Block(data=X.tobytes())),
        pb.StreamConvolveRequest(end=pb.End(total_samples=X.shape[1])),
    ]
    answers = list(server.stub.StreamConvolve(iter(messages)))
    found = b"".join(each.output.data for each in answers if each.HasField("output"))
    np.testing.assert_allclose(
        np.frombuffer(found, "<f4"), engine.apply(X, TAPS)[0], atol=1e-4, rtol=0
    )
    assert bool(threads_that_measure) == whole
    assert all(name.startswith("convolved-compute") for name in threads_that_measure)


def test_gradients_are_measured_too(server: Running, threads_that_measure: list[str]) -> None:
    out = np.ones((1, X.shape[1] + 119), np.float32)
    start = pb.GradientsStart(
        filter=inline(TAPS),
        input=encode_tensor(X),
        output_gradient=encode_tensor(out),
        options=MEASURE,
    )
    answers = server.stub.ComputeGradients(iter([pb.ComputeGradientsRequest(start=start)]))
    gradients = next(iter(answers)).gradients
    assert gradients.input.shape == list(X.shape)
    assert threads_that_measure
    assert all(name.startswith("convolved-compute") for name in threads_that_measure)


def test_measuring_takes_a_share_of_the_deadline_and_of_the_memory() -> None:
    admission = Admission(memory_bytes=1 << 30, queue_seconds=1.0, streams=1, threads=1)
    assert Allowance.of(admission, None) == Allowance(5.0, 256 << 20)
    assert Allowance.of(admission, 1.0).seconds == 0.25
    small = Admission(memory_bytes=1 << 20, queue_seconds=1.0, streams=1, threads=1)
    assert Allowance.of(small, 60.0) == Allowance(5.0, 1 << 18)


def test_it_is_admitted_with_what_it_may_take(server: Running) -> None:
    held = server.resources.admission.memory_bytes
    server.resources.admission.bytes_held += held - (1 << 20)
    try:
        server.stub.Convolve(request(server, pb.ComputeOptions(), samples=28_000))
        with pytest.raises(Exception, match="bytes of memory left"):
            server.stub.Convolve(request(server, samples=28_000))
    finally:
        server.resources.admission.bytes_held -= held - (1 << 20)
