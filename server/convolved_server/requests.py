"""Requests as values: parsed, refused where anything in them is not known, and checked.

Nothing here waits or computes, and nothing that a request makes large is walked before its
number of parts has been held against a limit. Functions that take the raw bytes of a request may
run in a thread.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.fields import located
from convolved.wire.filters import checked_name, decode_filter
from convolved.wire.framing import Payload
from convolved.wire.limits import MESSAGE_BYTES, MESSAGE_MARGIN
from convolved.wire.options import decode_options
from convolved.wire.reasons import TooLarge
from convolved.wire.strict import refuse_unknown
from convolved.wire.tensors import decode_elements, decode_shape
from convolved_vocabulary import Filter, InvalidArgument, Layout, Options, layout_of

from .limits import Limits

__all__ = [
    "FIELDS",
    "Find",
    "Planning",
    "Problem",
    "Question",
    "check_bulk",
    "in_fields",
    "parse",
    "parse_plain",
    "read_convolve",
    "read_layout",
    "read_plan",
    "read_rate",
    "read_source",
]

_M = TypeVar("_M", bound=Message)

Find = Callable[[str], Filter]
"""Gives the registered filter of a name."""

FIELDS = {
    "x": "input",
    "shape": "input.shape",
    "dtype": "input.data_type",
    "block": "block_samples",
    "accuracy": "options.accuracy",
    "algorithm": "options.algorithm",
    "rigor": "options.rigor",
    "output_dtype": "options.output_type",
    "memory_limit_bytes": "options.memory_limit_bytes",
}
"""Where the arguments of the engine stand in the requests for whole arrays."""

_MOST_AXES = 3


@dataclass(frozen=True, slots=True)
class Question:
    """A Convolve call without its filter's weights and its signal's elements.

    Attributes:
        name: of the registered filter; empty if the filter came along.
        dtype: of the signal.
        shape: of the signal, as the caller has it.
        has_batch: whether that has the batch axis.
        options: the wishes.
        output_bytes: of the result.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    has_batch: bool
    options: Options
    output_bytes: int

    def signal(self, data: Payload) -> NDArray[Any]:
        """The signal (batch, channels, *spatial) over its bytes.

        Raises:
            InvalidArgument: if there are not as many as the shape needs.
        """
        signal = decode_elements(data, self.dtype, self.shape, "input", "x")
        return signal if self.has_batch else signal[None]


@dataclass(frozen=True, slots=True)
class Problem:
    """A Convolve call.

    Attributes:
        question: what is asked.
        filter: what to apply.
        signal: (batch, channels, *spatial).
    """

    question: Question
    filter: Filter
    signal: NDArray[Any]


@dataclass(frozen=True)
class Planning:
    """A PlanConvolution call.

    Attributes:
        filter: what would be applied.
        dtype: of the signal.
        shape: of the signal, without or with a batch axis.
        block: of a stream; 0 for a whole array.
        options: the wishes.
    """

    filter: Filter
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    block: int
    options: Options


def parse(kind: type[_M], raw: bytes) -> _M:
    """The message in `raw`.

    Raises:
        InvalidArgument: if it is none.
    """
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise InvalidArgument(
            "request", f"{len(raw):,} bytes that cannot be parsed", f"a {kind.DESCRIPTOR.full_name}"
        ) from None


def parse_plain(kind: type[_M], raw: bytes) -> _M:
    """The message in `raw`, with nothing in it that is not known; for messages of few parts."""
    message = parse(kind, raw)
    refuse_unknown(message)
    return message


def read_convolve(
    raw: bytes, parts: tuple[bytes, Payload] | None, find: Find, limits: Limits
) -> Problem:
    """The problem of a ConvolveRequest.

    Args:
        raw: the request.
        parts: the request without the data of its input, and these, if it was split so.
        find: gives registered filters.
        limits: of the server.

    Raises:
        TooLarge: if the result does not fit a message.
        ConvolvedError: for what is wrong with it.
    """
    request = parse(pb.ConvolveRequest, parts[0] if parts else raw)
    check_bulk(request.filter.inline, "filter.inline", limits)
    refuse_unknown(request)
    filter = read_source(request.filter, "filter", find, limits)
    options = decode_options(request.options)
    filter.check_sample_rate(read_rate(request.sample_rate_hertz))
    with located("input"):
        if not request.HasField("input"):
            raise InvalidArgument("x", "nothing", "a signal with its data")
    dtype, shape = decode_shape(request.input, "input", "x")
    signal = decode_elements(parts[1] if parts else request.input.data, dtype, shape, "input", "x")
    has_batch = read_layout(shape, filter, "input.shape").has_batch
    if not has_batch:
        signal = signal[None]
    with in_fields(FIELDS, "filter"):
        out_dtype = options.output_dtype or filter.output_dtype(dtype)
    nbytes = math.prod(filter.output_shape(signal.shape)) * out_dtype.itemsize
    if nbytes + MESSAGE_MARGIN > MESSAGE_BYTES:
        raise TooLarge(
            f"the result has {nbytes:,} bytes, more than fits one message of {MESSAGE_BYTES:,}: "
            "use StreamConvolve with total_samples"
        )
    question = Question(request.filter.name, dtype, shape, has_batch, options, nbytes)
    return Problem(question, filter, signal)


def read_plan(raw: bytes, find: Find, limits: Limits) -> Planning:
    """The question of a PlanConvolutionRequest.

    Raises:
        ConvolvedError: for what is wrong with it.
    """
    request = parse(pb.PlanConvolutionRequest, raw)
    check_bulk(request.filter.inline, "filter.inline", limits)
    refuse_unknown(request)
    filter = read_source(request.filter, "filter", find, limits)
    options = decode_options(request.options)
    filter.check_sample_rate(read_rate(request.sample_rate_hertz))
    with located("input"):
        if not request.HasField("input"):
            raise InvalidArgument("shape", "nothing", "the type and the shape of a signal")
    dtype, shape = decode_shape(request.input, "input", "shape")
    if request.block_samples < 0:
        with located("block_samples"):
            raise InvalidArgument("block", request.block_samples, "at least 0")
    has_batch = read_layout(shape, filter, "input.shape").has_batch
    if has_batch and request.block_samples:
        with located("input.shape"):
            raise InvalidArgument("shape", f"{shape}, with a batch", "a stream, which has no batch")
    return Planning(filter, dtype, shape, request.block_samples, options)


def read_source(
    source: pb.FilterSource,
    path: str,
    find: Find,
    limits: Limits,
    tensors: Iterable[NDArray[Any]] | None = None,
) -> Filter:
    """The filter that a request names or carries.

    Args:
        source: the field.
        path: where it stands in the request.
        find: gives registered filters.
        limits: of the server; `check_bulk` has been kept.
        tensors: the arrays of announced tensors, where they may be announced.
    """
    kind = source.WhichOneof("source")
    if kind is None:
        with located(path):
            raise InvalidArgument("filter", "nothing", "the name of a filter, or a filter")
    if kind == "name":
        return find(checked_name(source.name, f"{path}.name"))
    filter = decode_filter(source.inline, f"{path}.inline", tensors)
    limits.check_filter(filter.size_bytes, len(filter.layers))
    return filter


def read_rate(value: float, path: str = "sample_rate_hertz") -> float | None:
    """The sample rate of a signal; None if it states none."""
    if not math.isfinite(value) or value < 0:
        with located(path):
            raise InvalidArgument("sample_rate_hertz", value, "a positive number, or 0 if unstated")
    return value or None


@contextmanager
def in_fields(fields: Mapping[str, str], filter: str) -> Iterator[None]:
    """Say in which field of a request an argument stands that the engine finds wrong.

    Args:
        fields: the field of each argument; an argument that is not there belongs to a layer.
        filter: the field of the filter.
    """
    try:
        yield
    except InvalidArgument as error:
        if "field" not in vars(error):
            layer = re.match(r"layers\[\d+\]", error.argument)
            inside = f"{filter}.inline.{layer.group()}" if layer else filter
            vars(error)["field"] = fields.get(error.argument, inside)
        raise


def check_bulk(message: pb.Filter, path: str, limits: Limits) -> None:
    """Refuse a filter of too many parts before anything walks through them.

    Raises:
        TooLarge: if it has too many layers.
        InvalidArgument: if a layer has more axes than any layer has.
    """
    limits.check_filter(0, len(message.layers))
    for index, layer in enumerate(message.layers):
        kind = layer.WhichOneof("kind")
        axes = len(getattr(layer, kind).axes) if kind in ("conv", "conv_transpose", "pool") else 0
        if axes > _MOST_AXES:
            with located(f"{path}.layers[{index}].{kind}.axes"):
                raise InvalidArgument(
                    f"layers[{index}].axes", f"{axes} axes", "one for each spatial axis, at most 3"
                )


def read_layout(shape: tuple[int, ...], filter: Filter, path: str) -> Layout:
    """Whether a signal of `shape` has a batch axis, after all checks of that shape."""
    with located(path):
        if len(shape) == filter.rank:
            raise InvalidArgument(
                "x",
                f"{len(shape)} axes, shape {shape}",
                f"{filter.rank + 1} axes, channels first, or {filter.rank + 2} with a batch",
            )
        return layout_of(shape, filter, "x")
