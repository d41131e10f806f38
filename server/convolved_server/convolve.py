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
from .measuring import Allowance, nothing, wanted
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
# Of one layer with so few weights it takes a few tenths of that to plan.
_SOON_PLANNED_BYTES = 1 << 20


@dataclass(slots=True)
class Known:
    """What is known of a question that may be asked again.

    Attributes:
        question: the question.
        predicted: seconds of one thread, as planned.
        nbytes: of working memory.
        algorithm: the names of the algorithms.
        settled: whether it was planned with the rigor that it asks for.
        took: seconds that answering took last; None before the first time, which prepares much.
    """

    question: Question
    predicted: float
    nbytes: int
    algorithm: str
    settled: bool
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
        if shared.calls.alone and _is_soon_planned(problem.filter):
            known = _planned(problem)
        else:
            known = await shared.desk.run(partial(_planned, problem))
        if parts is not None and problem.question.name:
            self._known[call.tenant, parts[0]] = known
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return problem, known

    async def _answer(self, problem: Problem, known: Known, call: Call) -> bytes:
        shared = self._resources
        written = _WRITING * problem.question.output_bytes
        needed, predicted = problem.signal.nbytes + known.nbytes + written, known.predicted
        stop = threading.Event()
        work = partial(_compute, problem, known, stop.is_set)
        took = known.took
        if not known.settled:
            allowance = Allowance.of(shared.admission, call.time_remaining)
            needed, predicted = needed + allowance.nbytes, predicted + allowance.seconds
            work, took = partial(_settled, problem, known, allowance, stop.is_set), None
        with shared.admission.admit(needed, predicted, call.time_remaining):
            if took is not None and took < _ALONE_SECONDS and shared.calls.alone:
                return work()
            return await shared.compute.run(work, predicted=took, stop=stop)

    async def plan(self, raw: bytes, call: Call) -> bytes:
        """Answer a PlanConvolutionRequest by a PlanConvolutionResponse."""
        shared = self._resources
        find = partial(_find, shared, call.tenant)

        def at_desk() -> tuple[Planning, bytes]:
            question = read_plan(raw, find, shared.limits)
            with nothing():
                return question, _plan(question, shared)

        question, told = await shared.desk.run(at_desk)
        if question.block or not wanted(question.options):
            return told
        allowance = Allowance.of(shared.admission, call.time_remaining)
        with shared.admission.admit(allowance.nbytes, allowance.seconds, call.time_remaining):
            stop = threading.Event()

            def measured() -> bytes:
                with allowance.bounded(stop.is_set):
                    return _plan(question, shared)

            return await shared.compute.run(measured, stop=stop)


def _find(shared: Resources, tenant: str, name: str) -> Filter:
    return shared.store.get(tenant, name).filter


def _is_soon_planned(filter: Filter) -> bool:
    """Whether planning takes less than a call may that keeps nobody waiting."""
    return len(filter.layers) == 1 and filter.size_bytes <= _SOON_PLANNED_BYTES


def _planned(problem: Problem) -> Known:
    question, filter, signal = problem.question, problem.filter, problem.signal
    with nothing():
        plan = _plan_of(problem)
    # What lies between two layers is held, too: the one's output beside the next one's.
    types = filter.output_types(signal.dtype)
    between = filter.shapes(signal.shape)[1:-1]
    sizes = [
        math.prod(shape) * kind.dtype.itemsize for shape, kind in zip(between, types, strict=False)
    ]
    held = 2 * max(sizes, default=0)
    return Known(
        question,
        plan.predicted_seconds,
        plan.workspace_bytes + held,
        plan.algorithm,
        settled=not wanted(question.options),
    )


def _plan_of(problem: Problem) -> Plan:
    signal, options = problem.signal, problem.question.options
    with in_fields(FIELDS, "filter"):
        return engine.plan_arranged(signal.shape, problem.filter, signal.dtype, options)


def _settled(
    problem: Problem, known: Known, allowance: Allowance, cancelled: Callable[[], bool]
) -> bytes:
    """Compute by what is measured first, as far as may be."""
    with allowance.bounded(cancelled) as bound:
        plan = _plan_of(problem)
    known.predicted, known.algorithm = plan.predicted_seconds, plan.algorithm
    known.settled = bound.complete
    return _compute(problem, known, cancelled)


def _compute(problem: Problem, known: Known, cancelled: Callable[[], bool] | None = None) -> bytes:
    begun = time.perf_counter()
    question = problem.question
    with nothing(), in_fields(FIELDS, "filter"):
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
            rigor=question.options.rigor,
        )
    if len(plan.output_shape) > len(question.shape):
        plan = replace(plan, output_shape=plan.output_shape[1:])
    return encode_plan(
        plan,
        threads=shared.compute.threads,
        block_samples=question.block,
        delay_samples=float(question.filter.delay),
    ).SerializeToString()
