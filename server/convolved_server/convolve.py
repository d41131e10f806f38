"""Convolve and PlanConvolution: whole arrays in one call."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import convolved_engine as engine
from convolved.wire.framing import Payload, serialize
from convolved.wire.plans import encode_plan
from convolved.wire.whole_arrays import INPUT, response, split
from convolved_vocabulary import Filter, Plan

from .calls import Call
from .requests import FIELDS, Planning, Problem, Question, in_fields, read_convolve, read_plan
from .resources import Resources

__all__ = ["Convolver"]

# Reading more than this by protobuf takes longer than a hop to a thread.
_SMALL_BYTES = 32 << 10

# A request while it is read by protobuf: its bytes, the message, and the array.
_READING = 3
# A result while it is sent: the array and its message.
_WRITING = 2
_REMEMBERED = 4096
# What takes less stays on the loop where no other call is in flight, whom it would keep waiting.
_ALONE_SECONDS = 1e-3


@dataclass(slots=True)
class Known:
    """What is known of a question that may be asked again.

    Attributes:
        question: the question.
        predicted: seconds of one thread, as planned.
        nbytes: of working memory.
        algorithm: the names of the algorithms.
        took: seconds that answering took last; None before the first time, which prepares much.
    """

    question: Question
    predicted: float
    nbytes: int
    algorithm: str
    took: float | None = None


class Convolver:
    """Answers the calls that carry a whole array, and those that only ask about one.

    Calls that differ in nothing but the elements of their signals have equal bytes around them.
    By these the server knows what it has read, checked and planned before.

    Args:
        resources: of the server.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._known: OrderedDict[tuple[str, bytes], Known] = OrderedDict()

    async def convolve(self, raw: bytes, call: Call) -> bytes:
        """Answer a ConvolveRequest by a ConvolveResponse."""
        parts = split(raw, INPUT)
        if parts is not None:
            known = self._known.get((call.tenant, parts[0]))
            if known is not None:
                self._known.move_to_end((call.tenant, parts[0]))
                filter = _find(self._resources, call.tenant, known.question.name)
                problem = Problem(known.question, filter, known.question.signal(parts[1]))
                return await self._answer(problem, known, call)
        with self._resources.admission.admit(_READING * len(raw)):
            return await self._answer(*await self._read(raw, parts, call), call)

    async def _read(
        self, raw: bytes, parts: tuple[bytes, Payload] | None, call: Call
    ) -> tuple[Problem, Known]:
        """Read, check and plan; remember what may be asked again."""
        shared = self._resources
        find = partial(_find, shared, call.tenant)
        read = partial(read_convolve, raw, parts, find, shared.limits)
        small = parts is not None or len(raw) < _SMALL_BYTES
        problem = read() if small else await shared.desk.run(read)
        known = await shared.desk.run(partial(_planned, problem))
        if parts is not None and problem.question.name:
            self._known[call.tenant, parts[0]] = known
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return problem, known

    async def _answer(self, problem: Problem, known: Known, call: Call) -> bytes:
        shared = self._resources
        written = _WRITING * problem.question.output_bytes
        needed = problem.signal.nbytes + known.nbytes + written
        with shared.admission.admit(needed, known.predicted, call.time_remaining):
            if known.took is not None and known.took < _ALONE_SECONDS and shared.calls.alone:
                return _compute(problem, known)
            stop = threading.Event()
            work = partial(_compute, problem, known, stop.is_set)
            return await shared.compute.run(work, predicted=known.took, stop=stop)

    async def plan(self, raw: bytes, call: Call) -> bytes:
        """Answer a PlanConvolutionRequest by a PlanConvolutionResponse."""
        shared = self._resources
        find = partial(_find, shared, call.tenant)
        return await shared.desk.run(lambda: _plan(read_plan(raw, find, shared.limits), shared))


def _find(shared: Resources, tenant: str, name: str) -> Filter:
    return shared.store.get(tenant, name).filter


def _planned(problem: Problem) -> Known:
    question, filter, signal = problem.question, problem.filter, problem.signal
    with in_fields(FIELDS, "filter"):
        plan = engine.plan(
            filter,
            signal.shape,
            dtype=signal.dtype,
            accuracy=question.options.accuracy,
            algorithm=question.options.algorithm,
        )
    # What lies between two layers is held, too: the one's output beside the next one's.
    types = filter.output_types(signal.dtype)
    between = filter.shapes(signal.shape)[1:-1]
    sizes = [
        math.prod(shape) * kind.dtype.itemsize for shape, kind in zip(between, types, strict=False)
    ]
    held = 2 * max(sizes, default=0)
    return Known(question, plan.predicted_seconds, plan.workspace_bytes + held, plan.algorithm)


def _compute(problem: Problem, known: Known, cancelled: Callable[[], bool] | None = None) -> bytes:
    begun = time.perf_counter()
    question = problem.question
    with in_fields(FIELDS, "filter"):
        found = engine.apply_arranged(
            problem.signal, problem.filter, question.options, cancelled=cancelled
        )
    message = serialize(response(found if question.has_batch else found[0], known.algorithm))
    known.took = time.perf_counter() - begun
    return message


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
