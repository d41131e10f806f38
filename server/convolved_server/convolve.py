"""Convolve and PlanConvolution: whole arrays in one call."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import partial

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.plans import encode_plan
from convolved.wire.tensors import encode_tensor
from convolved_vocabulary import Filter, Plan

from .calls import Call
from .requests import FIELDS, Planning, Problem, in_fields, read_convolve, read_plan
from .resources import Resources

__all__ = ["Convolver"]

# Reading more than this takes longer than a hop to a thread.
_SMALL_BYTES = 32 << 10

# A request while it is read: its bytes, the message, and the array.
_READING = 3
_PREDICTIONS = 4096


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a problem will take.

    Attributes:
        seconds: of one thread.
        nbytes: of working memory.
        algorithm: the names of the algorithms.
    """

    seconds: float
    nbytes: int
    algorithm: str


class Convolver:
    """Answers the calls that carry a whole array, and those that only ask about one.

    Args:
        resources: of the server.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._predictions: OrderedDict[Hashable, Prediction] = OrderedDict()

    async def convolve(self, raw: bytes, call: Call) -> bytes:
        """Answer a ConvolveRequest by a ConvolveResponse."""
        shared = self._resources
        find = partial(_find, shared, call.tenant)
        read = partial(read_convolve, raw, find, shared.limits)
        with shared.admission.admit(_READING * len(raw)):
            problem = read() if len(raw) < _SMALL_BYTES else await shared.desk.run(read)
            prediction = await self._predict(problem)
            needed = problem.output_bytes + prediction.nbytes
            with shared.admission.admit(needed, prediction.seconds, call.time_remaining):
                stop = threading.Event()
                return await shared.compute.run(
                    partial(_compute, problem, prediction.algorithm, stop),
                    predicted=prediction.seconds,
                    stop=stop,
                )

    async def plan(self, raw: bytes, call: Call) -> bytes:
        """Answer a PlanConvolutionRequest by a PlanConvolutionResponse."""
        shared = self._resources
        find = partial(_find, shared, call.tenant)
        return await shared.desk.run(lambda: _plan(read_plan(raw, find, shared.limits), shared))

    async def _predict(self, problem: Problem) -> Prediction:
        if not problem.registered:
            # Its name is not known, and finding it takes longer than the cache would save.
            return await self._resources.desk.run(partial(_predicted, problem))
        key = (
            problem.filter.name,
            problem.signal.shape,
            problem.signal.dtype,
            problem.options,
        )
        known = self._predictions.get(key)
        if known is None:
            known = await self._resources.desk.run(partial(_predicted, problem))
            self._predictions[key] = known
            if len(self._predictions) > _PREDICTIONS:
                self._predictions.popitem(last=False)
        else:
            self._predictions.move_to_end(key)
        return known


def _find(shared: Resources, tenant: str, name: str) -> Filter:
    return shared.store.get(tenant, name).filter


def _predicted(problem: Problem) -> Prediction:
    with in_fields(FIELDS, "filter"):
        plan = engine.plan(
            problem.filter,
            problem.signal.shape,
            dtype=problem.signal.dtype,
            accuracy=problem.options.accuracy,
            algorithm=problem.options.algorithm,
        )
    # What lies between two layers is held, too: the one's output beside the next one's.
    filter = problem.filter
    types = filter.output_types(problem.signal.dtype)
    between = filter.shapes(problem.signal.shape)[1:-1]
    sizes = [
        math.prod(shape) * signal.dtype.itemsize
        for shape, signal in zip(between, types, strict=False)
    ]
    held = 2 * max(sizes, default=0)
    return Prediction(plan.predicted_seconds, plan.workspace_bytes + held, plan.algorithm)


def _compute(problem: Problem, algorithm: str, stop: threading.Event) -> bytes:
    with in_fields(FIELDS, "filter"):
        found = engine.apply_arranged(
            problem.signal, problem.filter, problem.options, cancelled=stop.is_set
        )
    output = encode_tensor(found if problem.has_batch else found[0])
    return pb.ConvolveResponse(output=output, algorithm=algorithm).SerializeToString()


def _plan(question: Planning, shared: Resources) -> bytes:
    with in_fields(FIELDS, "filter"):
        plan: Plan = engine.plan(
            question.filter,
            question.shape,
            dtype=question.dtype,
            block=question.block or None,
            accuracy=question.options.accuracy,
            algorithm=question.options.algorithm,
        )
    if len(plan.output_shape) > len(question.shape):
        plan = replace(plan, output_shape=plan.output_shape[1:])
    return encode_plan(
        plan,
        threads=shared.compute.threads,
        block_samples=question.block,
        delay_samples=float(question.filter.delay),
    ).SerializeToString()
