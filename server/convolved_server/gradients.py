"""ComputeGradients: the gradients of a whole filter at one input.

The problem comes whole before anything is computed, and the answer is whole before the first of
it is sent, one message at a time as the client takes them.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.fields import located
from convolved.wire.framing import parse_gradients_request, serialize
from convolved.wire.gradients import arrays_of, encode_gradients
from convolved.wire.limits import BLOCK_BYTES
from convolved.wire.options import decode_options
from convolved.wire.parts import Assembler, announced_shapes, parts
from convolved.wire.reasons import OutOfSequence
from convolved.wire.strict import refuse_unknown
from convolved.wire.tensors import decode_tensor, is_announced
from convolved_vocabulary import Filter, Gradients, InvalidArgument, Options
from convolved_vocabulary.gradients import check_gradient

from .calls import Call
from .incoming import Incoming
from .limits import Limits
from .measuring import Allowance, nothing, wanted
from .outgoing import Outgoing
from .requests import FIELDS, Find, check_bulk, in_fields, read_layout, read_rate, read_source
from .resources import Resources
from .uploads import Received, receive, told

__all__ = ["GradientsCall"]

# Forwards once, and backwards once with respect to the input and once to the weights.
_PASSES = 3

# Each layer's input is kept; beside it stand a padded copy and the gradient that comes back.
_COPIES = 3

_FIELDS = {argument: f"start.{field}" for argument, field in FIELDS.items()} | {
    "grad_out": "start.output_gradient"
}

Announced = list[tuple[np.dtype[Any], tuple[int, ...]]]


@dataclass(frozen=True)
class Problem:
    """What a GradientsStart asks for.

    Attributes:
        filter: what is differentiated.
        signal: (batch, channels, *spatial).
        gradient: (batch, out_channels, *spatial), of the loss with respect to the output.
        has_batch: whether the caller's arrays had the batch axis.
        options: the wishes.
        answer_bytes: of the gradients.
    """

    filter: Filter
    signal: NDArray[Any]
    gradient: NDArray[Any]
    has_batch: bool
    options: Options
    answer_bytes: int


class GradientsCall:
    """The owner of one call.

    Args:
        resources: of the server.
        call: the call.
    """

    def __init__(self, resources: Resources, call: Call) -> None:
        self._resources, self._call = resources, call

    async def run(self) -> None:
        """Serve the call to its end."""
        shared, call = self._resources, self._call
        timeout = shared.limits.idle_timeout
        incoming = Incoming(call, parse_gradients_request, shared.desk, timeout)
        outgoing = Outgoing(call)
        async with incoming, outgoing:
            first = await incoming.take()
            start, announced = await shared.desk.run(partial(_announced, first, shared.limits))
            carried = start.ByteSize() + Assembler(announced).nbytes
            with shared.admission.admit(carried) as ticket:
                tensors = await receive(incoming, announced)
                extra = await incoming.take(last=True)
                if extra is not None:
                    with located("part"):
                        raise OutOfSequence(
                            "message", f"a {told(extra)} after the complete problem", "nothing more"
                        )
                problem = await shared.desk.run(
                    partial(_read, start, tensors, self._find, shared.limits)
                )
                ticket.resize(carried + problem.answer_bytes)
                found = await self._computed(problem)
                for message in _messages(found):
                    await outgoing.send(message)

    async def _computed(self, problem: Problem) -> Gradients:
        shared = self._resources
        seconds, nbytes = await shared.desk.run(partial(_predicted, problem))
        remaining = self._call.time_remaining
        allowance = Allowance(0.0, 0)
        if wanted(problem.options):
            allowance = Allowance.of(shared.admission, remaining)
        nbytes, seconds = nbytes + allowance.nbytes, seconds + allowance.seconds
        with shared.admission.admit(nbytes, seconds, remaining):
            stop = threading.Event()
            work = partial(_compute, problem, allowance, stop)
            return await shared.compute.run(work, stop=stop)

    def _find(self, name: str) -> Filter:
        return self._resources.store.get(self._call.tenant, name).filter


def _announced(message: Received | None, limits: Limits) -> tuple[pb.GradientsStart, Announced]:
    """The start that the first message must be, and the tensors that it announces."""
    if not isinstance(message, pb.ComputeGradientsRequest) or not message.HasField("start"):
        if isinstance(message, pb.ComputeGradientsRequest):
            refuse_unknown(message)
        came = "the end of the stream" if message is None else f"a {told(message)}"
        with located("start"):
            raise OutOfSequence("message", came, "a start first")
    start = message.start
    check_bulk(start.filter.inline, "start.filter.inline", limits)
    refuse_unknown(message)
    if not start.HasField("input"):
        with located("start.input"):
            raise InvalidArgument("x", "nothing", "a signal, with its data or announced")
    if not start.HasField("output_gradient"):
        with located("start.output_gradient"):
            raise InvalidArgument("grad_out", "nothing", "a tensor of the output's shape")
    announced = announced_shapes(message)
    limits.check_gradients(Assembler(announced).nbytes)
    return start, announced


def _read(
    start: pb.GradientsStart, tensors: Sequence[NDArray[Any]], find: Find, limits: Limits
) -> Problem:
    """What a start asks for, all of it checked."""
    following = iter(tensors)
    filter = read_source(start.filter, "start.filter", find, limits, following)
    signal = _array(start.input, "input", "x", following)
    gradient = _array(start.output_gradient, "output_gradient", "grad_out", following)
    options = decode_options(start.options, "start.options")
    if options.output_dtype is not None:
        with located("start.options.output_type"):
            raise InvalidArgument(
                "output_dtype",
                options.output_dtype.name,
                "nothing: each gradient has the type of what it belongs to",
            )
    with located("start.sample_rate_hertz"):
        filter.check_sample_rate(read_rate(start.sample_rate_hertz, "start.sample_rate_hertz"))
    layout = read_layout(signal.shape, filter, "start.input.shape")
    with in_fields(_FIELDS, "start.filter"):
        check_gradient(gradient.shape, gradient.dtype, filter, layout, signal.dtype)
    of_layers = [each for layer in filter.layers for each in layer.tensors().values()]
    answer = signal.nbytes + sum(each.nbytes for each in of_layers if each.dtype.kind in "fc")
    carried = 0 if start.filter.WhichOneof("source") == "name" else filter.size_bytes
    limits.check_gradients(carried + signal.nbytes + gradient.nbytes + answer)
    if not layout.has_batch:
        signal, gradient = signal[None], gradient[None]
    return Problem(filter, signal, gradient, layout.has_batch, options, answer)


def _array(
    tensor: pb.Tensor, field: str, argument: str, following: Iterator[NDArray[Any]]
) -> NDArray[Any]:
    if is_announced(tensor):
        return next(following)
    return decode_tensor(tensor, f"start.{field}", argument)


def _predicted(problem: Problem) -> tuple[float, int]:
    """The seconds of one thread and the bytes that it will take."""
    filter, dtype = problem.filter, problem.signal.dtype
    with nothing(), in_fields(_FIELDS, "start.filter"):
        plan = engine.plan(
            filter,
            problem.signal.shape,
            dtype=dtype,
            accuracy=problem.options.accuracy,
            algorithm=problem.options.algorithm,
            rigor=problem.options.rigor,
        )
    types = (dtype, *(each.dtype for each in filter.output_types(dtype)))
    steps = zip(filter.shapes(problem.signal.shape), types, strict=False)
    # Half precision is computed in single.
    between = sum(math.prod(shape) * max(4, kind.itemsize) for shape, kind in steps)
    return (
        _PASSES * plan.predicted_seconds,
        _COPIES * (between + filter.size_bytes) + _PASSES * plan.workspace_bytes,
    )


def _compute(problem: Problem, allowance: Allowance, stop: threading.Event) -> Gradients:
    with allowance.bounded(stop.is_set), in_fields(_FIELDS, "start.filter"):
        found = engine.gradients_arranged(
            problem.signal,
            problem.filter,
            problem.gradient,
            problem.options,
            cancelled=stop.is_set,
        )
    whole = found.input if problem.has_batch else found.input[0]
    layers = ({name: _laid(each) for name, each in layer.items()} for layer in found.layers)
    return Gradients(_laid(whole), tuple(layers))


def _laid(array: NDArray[Any]) -> NDArray[Any]:
    """In C order, which for large arrays is nothing for the event loop."""
    return np.ascontiguousarray(array)


def _messages(found: Gradients) -> Iterator[bytes]:
    arrays = arrays_of(found)
    announce = sum(array.nbytes for array in arrays) > BLOCK_BYTES
    message = pb.ComputeGradientsResponse(gradients=encode_gradients(found, announce=announce))
    yield serialize(message)
    if announce:
        yield from map(serialize, parts(arrays))
