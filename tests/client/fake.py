"""A small server for the client's tests: the contract on the engine, or whatever a test scripts."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import Any

import grpc
import numpy as np

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import decode_filter, encode_filter
from convolved.wire.framing import (
    BlockFrame,
    OutputFrame,
    PartFrame,
    parse_filter_request,
    parse_gradients_request,
    parse_request,
    serialize,
)
from convolved.wire.gradients import arrays_of, encode_gradients
from convolved.wire.limits import BLOCK_BYTES
from convolved.wire.options import decode_options
from convolved.wire.parts import Assembler, announced_shapes, parts
from convolved.wire.plans import encode_plan
from convolved.wire.status import status_of
from convolved.wire.swaps import decode_when
from convolved.wire.tensors import (
    array_of,
    data_type,
    decode_shape,
    decode_tensor,
    encode_tensor,
    is_announced,
    numpy_dtype,
)
from convolved_engine import Stream, apply_arranged, gradients_arranged, open_stream, plan
from convolved_vocabulary import Filter, NotFound

Handler = Callable[[Any, Any], Any]


class Honest:
    """The contract's methods on the engine, one call at a time; it counts them."""

    def __init__(self) -> None:
        self.filters: dict[str, Filter] = {}
        self.calls: list[str] = []

    def handlers(self) -> dict[str, Handler]:
        return {
            "Convolve": self.convolve,
            "StreamConvolve": self.stream,
            "ComputeGradients": self.gradients,
            "CreateFilter": self.create,
            "PlanConvolution": self.plan,
            "GetFilter": self.get,
            "ListFilters": self.list,
            "DeleteFilter": self.delete,
            "GetServerInfo": self.info,
        }

    def source(self, source: pb.FilterSource, tensors: Iterable[Any] = ()) -> Filter:
        if source.HasField("inline"):
            return decode_filter(source.inline, "filter.inline", iter(tensors))
        return self.held(source.name)

    def held(self, name: str) -> Filter:
        if name not in self.filters:
            raise NotFound(f"no filter {name}")
        return self.filters[name]

    def convolve(self, request: pb.ConvolveRequest, context: object) -> pb.ConvolveResponse:
        self.calls.append("Convolve")
        filter = self.source(request.filter)
        signal = decode_tensor(request.input, "input")
        options = decode_options(request.options)
        output = apply_arranged(signal, filter, options)
        return pb.ConvolveResponse(output=encode_tensor(output))

    def gradients(
        self, requests: Iterator[pb.ComputeGradientsRequest | PartFrame], context: object
    ) -> Iterator[pb.ComputeGradientsResponse | PartFrame]:
        self.calls.append("ComputeGradients")
        first = next(requests)
        assert isinstance(first, pb.ComputeGradientsRequest)
        start, tensors = first.start, iter(assembled(first, requests))
        assert next(requests, None) is None
        filter = self.source(start.filter, tensors)
        signal, gradient = (
            next(tensors) if is_announced(tensor) else decode_tensor(tensor)
            for tensor in (start.input, start.output_gradient)
        )
        found = gradients_arranged(signal, filter, gradient, decode_options(start.options))
        large = sum(array.nbytes for array in arrays_of(found)) > BLOCK_BYTES
        message = encode_gradients(found, announce=large)
        yield pb.ComputeGradientsResponse(gradients=message)
        if large:
            yield from parts(arrays_of(found))

    def create(
        self, requests: Iterator[pb.CreateFilterRequest | PartFrame], context: object
    ) -> pb.CreateFilterResponse:
        self.calls.append("CreateFilter")
        first = next(requests)
        assert isinstance(first, pb.CreateFilterRequest)
        filter = decode_filter(first.filter, tensors=assembled(first, requests))
        assert next(requests, None) is None
        self.filters[filter.name] = filter
        return pb.CreateFilterResponse(filter_info=pb.FilterInfo(name=filter.name))

    def plan(
        self, request: pb.PlanConvolutionRequest, context: object
    ) -> pb.PlanConvolutionResponse:
        self.calls.append("PlanConvolution")
        filter = self.source(request.filter)
        dtype, shape = decode_shape(request.input)
        options = decode_options(request.options)
        found = plan(
            filter, shape, dtype=dtype, accuracy=options.accuracy, algorithm=options.algorithm
        )
        return encode_plan(found)

    def described(self, filter: Filter) -> pb.FilterInfo:
        return pb.FilterInfo(
            name=filter.name,
            filter=encode_filter(filter, announce=True),
            size_bytes=filter.size_bytes,
        )

    def get(self, request: pb.GetFilterRequest, context: object) -> pb.GetFilterResponse:
        self.calls.append("GetFilter")
        return pb.GetFilterResponse(filter_info=self.described(self.held(request.name)))

    def list(self, request: pb.ListFiltersRequest, context: object) -> pb.ListFiltersResponse:
        self.calls.append("ListFilters")
        names = sorted(name for name in self.filters if name > request.page_token)
        shown = names[:2]
        return pb.ListFiltersResponse(
            filters=[self.described(self.filters[name]) for name in shown],
            next_page_token=shown[-1] if len(names) > 2 else "",
        )

    def delete(self, request: pb.DeleteFilterRequest, context: object) -> pb.DeleteFilterResponse:
        self.calls.append("DeleteFilter")
        if not request.allow_missing:
            self.held(request.name)
        self.filters.pop(request.name, None)
        return pb.DeleteFilterResponse()

    def info(self, request: object, context: object) -> pb.GetServerInfoResponse:
        self.calls.append("GetServerInfo")
        # The last of the data types is none that this contract has.
        response = pb.GetServerInfoResponse.FromString(b"\x22\x02\x0b\x63")
        response.MergeFrom(
            pb.GetServerInfoResponse(
                version="1.2.3", algorithms=["direct"], cpu="a processor", threads=2
            )
        )
        response.limits.message_bytes = 4 << 20
        response.limits.idle_timeout.seconds = 60
        return response

    def stream(self, requests: Iterator[Any], context: object) -> Iterator[Any]:
        self.calls.append("StreamConvolve")
        peer = Peer(self)
        for request in requests:
            yield from peer.take(request)


class Peer:
    """The server's side of one stream: takes a message, gives those that answer it."""

    def __init__(self, server: Honest) -> None:
        self._server = server
        self._start = pb.Start()
        self._parts = Assembler([])
        self._held: list[np.ndarray[Any, Any]] = []
        self._stream: Stream | None = None
        self._retain_from = 0

    def take(self, request: Any) -> Iterator[Any]:
        if isinstance(request, BlockFrame):
            yield from self._block(request)
        elif isinstance(request, PartFrame):
            self._parts.add(request)
        elif request.HasField("swap"):
            yield self._swap(request.swap)
        elif request.HasField("start"):
            self._start = request.start
            self._parts = Assembler(announced_shapes(request))
        else:
            yield from self._end(request.end)
        if self._stream is None and self._parts.complete:
            yield self._open()

    def _open(self) -> pb.StreamConvolveResponse:
        start = self._start
        tensors = iter(self._parts.arrays)
        filter = self._server.source(start.filter, tensors)
        whole = start.HasField("total_samples")
        stream = self._stream = open_stream(
            filter,
            channels=start.frame_shape[0],
            size=start.frame_shape[1:],
            dtype=numpy_dtype(start.data_type),
            block=start.block_samples,
            total=start.total_samples if whole else None,
            options=decode_options(start.options),
            history=start.history_samples,
        )
        self._retain_from = start.input_offset
        if start.input_offset or start.output_offset:
            stream.start_at(start.input_offset, start.output_offset)
        for swap in start.swaps:
            when = decode_when(swap, "start.swaps")
            successor = self._server.source(swap.filter, tensors)
            stream.swap(successor, at=when.at, fade=when.fade, curve=when.curve)
        total = filter.time.output_length(start.total_samples) if whole else None
        return pb.StreamConvolveResponse(
            started=pb.Started(
                filter=filter.name,
                data_type=data_type(stream.output_dtype),
                frame_shape=stream.frame_shape,
                total_samples=total,
                block_samples=start.block_samples or 512,
                algorithm=stream.algorithm,
            )
        )

    def _swap(self, swap: pb.Swap) -> pb.StreamConvolveResponse:
        assert self._stream is not None
        when, filter = decode_when(swap, "swap"), self._server.source(swap.filter)
        at = self._stream.swap(filter, at=when.at, fade=when.fade, curve=when.curve)
        return pb.StreamConvolveResponse(swapped=pb.Swapped(at_output=at, filter=filter.name))

    def _block(self, block: BlockFrame) -> Iterator[OutputFrame]:
        assert self._stream is not None
        assert block.offset == self._stream.inputs + sum(held.shape[-1] for held in self._held)
        assert 0 < len(block.data) <= BLOCK_BYTES
        frame = self._start.frame_shape
        size = len(block.data) // math.prod(frame) // numpy_dtype(self._start.data_type).itemsize
        array = array_of(block.data, numpy_dtype(self._start.data_type), (*frame, size))
        self._held.append(array)
        if not block.more:
            pushed = np.concatenate(self._held, -1)
            self._held = []
            yield from self._answer(self._stream, self._stream.push(pushed))

    def _end(self, end: pb.End) -> Iterator[Any]:
        assert self._stream is not None
        assert end.total_samples == self._stream.inputs
        tail = self._stream.flush()
        if tail.shape[-1]:
            yield from self._answer(self._stream, tail)
        finished = pb.Finished(total_samples=self._stream.outputs)
        yield pb.StreamConvolveResponse(finished=finished)

    def _answer(self, stream: Stream, output: np.ndarray[Any, Any]) -> Iterator[OutputFrame]:
        begin = stream.outputs - output.shape[-1]
        step = BLOCK_BYTES // (output.itemsize * math.prod(output.shape[:-1]))
        for at in range(0, max(1, output.shape[-1]), step):
            data = np.ascontiguousarray(output[..., at : at + step]).tobytes()
            more = at + step < output.shape[-1]
            if not more:
                # Only now does nothing that is still to come need the input before.
                self._retain_from = max(self._retain_from, stream.retain_from)
            yield OutputFrame(begin + at, data, more, stream.inputs, self._retain_from)


def assembled(first: Any, requests: Iterator[Any]) -> list[Any]:
    """The announced tensors of a first message."""
    assembler = Assembler(announced_shapes(first))
    while not assembler.complete:
        assembler.add(next(requests))
    return assembler.arrays


@contextlib.contextmanager
def serving(handlers: dict[str, Handler], **options: int) -> Iterator[str]:
    """Serve handlers on a free port; gives the address. Options are gRPC's, without `grpc.`."""
    options = {"http2.min_ping_interval_without_data_ms": 0} | options
    server = grpc.server(
        futures.ThreadPoolExecutor(8),
        options=[(f"grpc.{name}", value) for name, value in options.items()],
    )
    methods = {name: _method(name, handler) for name, handler in handlers.items()}
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("convolved.v1.ConvolutionService", methods)]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def _method(name: str, handler: Handler) -> grpc.RpcMethodHandler[Any, Any]:
    if name == "StreamConvolve":
        return grpc.stream_stream_rpc_method_handler(
            _telling_all(handler), parse_request, serialize
        )
    if name == "ComputeGradients":
        return grpc.stream_stream_rpc_method_handler(
            _telling_all(handler), parse_gradients_request, serialize
        )
    if name == "CreateFilter":
        return grpc.stream_unary_rpc_method_handler(
            _telling(handler), parse_filter_request, serialize
        )
    request = getattr(pb, f"{name}Request")
    return grpc.unary_unary_rpc_method_handler(_telling(handler), request.FromString, serialize)


def _telling(handler: Handler) -> Handler:
    """A handler whose errors go to the client as the contract's table says."""

    def told(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return handler(request, context)
        except Exception as error:  # noqa: BLE001  # every error is told
            _abort(error, context)

    return told


def _telling_all(handler: Handler) -> Handler:
    def told(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            yield from handler(request, context)
        except Exception as error:  # noqa: BLE001  # every error is told
            _abort(error, context)

    return told


def _abort(error: Exception, context: Any) -> None:
    if context.code() is not None:
        # The handler has told it in a way of its own.
        raise error
    status = status_of(error)
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, status.message)
