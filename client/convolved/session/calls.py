"""Every method of a client as steps, told once for the sync and the asyncio shell."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from numpy.typing import ArrayLike, DTypeLike, NDArray

from convolved.methods import (
    DELETE_FILTER,
    GET_FILTER,
    GET_SERVER_INFO,
    LIST_FILTERS,
    PLAN_CONVOLUTION,
)
from convolved.registered import (
    FilterInfo,
    RegisteredFilter,
    ServerInfo,
    filter_info,
    server_info,
)
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import checked_name, decode_filter, unfilled
from convolved.wire.options import encode_options
from convolved.wire.plans import decode_plan
from convolved.wire.tensors import data_type
from convolved_vocabulary import (
    Filter,
    Gradients,
    InvalidArgument,
    Layer,
    Options,
    Plan,
    arrange,
    as_filter,
    impulse_response,
    layout_of,
)
from convolved_vocabulary.call import Call
from convolved_vocabulary.checks import integer
from convolved_vocabulary.dtypes import checked_dtype
from convolved_vocabulary.gradients import arrange_gradient

from .applying import ROOM, Applying
from .differentiating import GradientsSession
from .live import LiveSession
from .opening import Opening
from .operations import Differentiate, Open, Steps, Unary
from .registering import register, registering
from .signals import Outlines
from .sources import Source

__all__ = ["AnyFilter", "Session"]

AnyFilter: TypeAlias = RegisteredFilter | str | Filter | Layer | ArrayLike
"""What calls take as a filter: a handle, a name, a filter, a layer, an impulse response."""

_DESCRIBED = 256
_PAGE = 1000


class Session:
    """What a client knows, and its methods as steps.

    Args:
        progress: called with the output samples received and their total while a signal that
            does not fit one message goes through.
    """

    def __init__(self, progress: Callable[[int, int], object] | None = None) -> None:
        self._progress = progress
        self._described: OrderedDict[str, Filter] = OrderedDict()
        self._outlines = Outlines()

    def computed(self, call: Call) -> Steps[NDArray[Any]]:
        """Apply what a plain function asks for."""
        options = Options(algorithm=call.algorithm)
        output = yield from Applying(
            Source(call.filter), call.signal, options, None, self._progress
        ).steps()
        return call.result(output)

    def apply(
        self,
        x: ArrayLike,
        filter: AnyFilter,
        sample_rate_hertz: float | None,
        accuracy: str,
        algorithm: str,
        rigor: str | None = None,
    ) -> Steps[NDArray[Any]]:
        """Apply a filter to a signal."""
        source = yield from self._source(filter)
        view, layout, shape = self._outlines.view_of(x, source, sample_rate_hertz)
        options = Options(accuracy=accuracy, algorithm=algorithm, rigor=rigor)
        output = yield from Applying(
            source, view, options, sample_rate_hertz, self._progress, shape
        ).steps()
        return layout.result(output)

    def gradients(
        self,
        x: ArrayLike,
        filter: AnyFilter,
        grad_out: ArrayLike,
        sample_rate_hertz: float | None,
        accuracy: str,
        algorithm: str,
        rigor: str | None = None,
    ) -> Steps[Gradients]:
        """Differentiate a filter at a signal."""
        source = yield from self._source(filter)
        signal, layout = arrange(x, source.filter, sample_rate_hertz)
        grad = arrange_gradient(grad_out, source.filter, layout, signal.dtype)
        options = Options(accuracy=accuracy, algorithm=algorithm, rigor=rigor)
        session = GradientsSession(source, signal, grad, options, sample_rate_hertz)

        def once() -> Steps[Gradients]:
            found: Gradients = yield Differentiate(session)
            return found

        return (yield from registering(source, once)).laid_out(layout)

    def stream(
        self,
        filter: AnyFilter,
        channels: int,
        size: Sequence[int],
        dtype: DTypeLike,
        block: int,
        sample_rate_hertz: float | None,
        accuracy: str,
        algorithm: str,
        rigor: str | None = None,
        history: int = 0,
    ) -> Steps[tuple[LiveSession, Any]]:
        """Open a live stream; gives it and the shell's handle of its call."""
        source = yield from self._source(filter)
        options = Options(accuracy=accuracy, algorithm=algorithm, rigor=rigor)
        opening = Opening.checked(
            source.filter, channels, size, dtype, block, sample_rate_hertz, options, history
        )
        if source.has_weights:
            source.filter.output_dtype(opening.dtype)
        live = LiveSession(source, opening)
        return live, (yield from self.open(live))

    def open(self, live: LiveSession) -> Steps[Any]:
        """Open the call of a live stream, or a new one that takes it up where it stands."""

        def once() -> Steps[Any]:
            return (yield Open(live))

        return registering(lambda: live.filters.sources, once)

    def successor(self, filter: AnyFilter) -> Steps[Source]:
        """The filter of a swap; one that no message holds is registered."""
        source = yield from self._source(filter)
        if source.inline_bytes > ROOM:
            source = Source.registered((yield from register(source.filter)))
        return source

    def plan(
        self,
        filter: AnyFilter,
        shape: Sequence[int],
        dtype: DTypeLike,
        block: int | None,
        accuracy: str,
        algorithm: str,
        rigor: str | None = None,
    ) -> Steps[Plan]:
        """Say how a filter would be applied."""
        source = yield from self._source(filter)
        layout = layout_of(shape, source.filter, "shape")
        options = Options(accuracy=accuracy, algorithm=algorithm, rigor=rigor)
        signal = checked_dtype("dtype", dtype)
        samples = 0 if block is None else integer("block", block, 1)
        if source.has_weights:
            source.filter.output_dtype(signal)
        if source.inline_bytes > ROOM:
            source = Source.registered((yield from register(source.filter)))
        request = pb.PlanConvolutionRequest(
            filter=source.message(),
            input=pb.Tensor(
                data_type=data_type(signal), shape=layout.shape[1:] if samples else layout.shape
            ),
            options=encode_options(options),
            block_samples=samples,
        )

        def once() -> Steps[Plan]:
            return decode_plan((yield Unary(PLAN_CONVOLUTION, request)))

        found = yield from registering(source, once)
        return replace(found, output_shape=(1, *found.output_shape)) if samples else found

    def register(
        self,
        filter: Filter | Layer | RegisteredFilter | ArrayLike,
        spread: bool,
        sample_rate_hertz: float | None,
    ) -> Steps[RegisteredFilter]:
        """Let the server hold a filter."""
        if isinstance(filter, RegisteredFilter):
            filter = filter.filter
        if isinstance(filter, Filter | Layer):
            if spread or sample_rate_hertz is not None:
                raise InvalidArgument(
                    "spread" if spread else "sample_rate_hertz",
                    f"{spread or sample_rate_hertz} with a {type(filter).__name__}",
                    "the array of an impulse response, or a Filter that says it itself",
                )
            return (yield from register(as_filter(filter)))
        found = impulse_response(filter, spread=spread, sample_rate_hertz=sample_rate_hertz)
        return (yield from register(found))

    def filters(self) -> Steps[list[FilterInfo]]:
        """Describe all filters that the server holds for this caller."""
        found: list[FilterInfo] = []
        token = ""
        while True:
            page = yield Unary(
                LIST_FILTERS, pb.ListFiltersRequest(page_size=_PAGE, page_token=token)
            )
            found.extend(map(filter_info, page.filters))
            token = page.next_page_token
            if not token:
                return found

    def get_filter(self, filter: RegisteredFilter | str) -> Steps[FilterInfo]:
        """Describe one filter."""
        response = yield Unary(GET_FILTER, pb.GetFilterRequest(name=_name(filter)))
        return filter_info(response.filter_info)

    def delete_filter(self, filter: RegisteredFilter | str, allow_missing: bool) -> Steps[None]:
        """Let the server forget a filter."""
        name = _name(filter)
        request = pb.DeleteFilterRequest(name=name, allow_missing=allow_missing)
        # A delete whose answer was lost may have been done.
        again = pb.DeleteFilterRequest(name=name, allow_missing=True)
        yield Unary(DELETE_FILTER, request, again)

    def info(self) -> Steps[ServerInfo]:
        """Describe the server."""
        return server_info((yield Unary(GET_SERVER_INFO, pb.GetServerInfoRequest())))

    def _source(self, filter: AnyFilter) -> Steps[Source]:
        """The filter of a call; one known by name alone is described by the server, once."""
        if isinstance(filter, RegisteredFilter):
            return Source.registered(filter)
        if not isinstance(filter, str):
            return Source(as_filter(filter))
        name = checked_name(filter)
        if name not in self._described:
            response = yield Unary(GET_FILTER, pb.GetFilterRequest(name=name))
            message = response.filter_info.filter
            self._described[name] = decode_filter(message, tensors=unfilled(message))
            if len(self._described) > _DESCRIBED:
                self._described.popitem(last=False)
        return Source(self._described[name], name, has_weights=False)


def _name(filter: RegisteredFilter | str) -> str:
    return checked_name(filter.name if isinstance(filter, RegisteredFilter) else filter)
