"""CreateFilter, GetFilter, ListFilters and DeleteFilter: the registered filters."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.fields import located
from convolved.wire.filters import checked_name, decode_filter
from convolved.wire.framing import parse_filter_request
from convolved.wire.limits import MESSAGE_BYTES, MESSAGE_MARGIN
from convolved.wire.parts import Assembler, announced_shapes
from convolved.wire.reasons import OutOfSequence
from convolved.wire.strict import refuse_unknown
from convolved_vocabulary import Filter, InvalidArgument

from .calls import Call
from .filter_store import StoredFilter, described, not_found, token_after
from .incoming import Incoming
from .measuring import nothing
from .requests import check_bulk, parse_plain
from .resources import Resources
from .uploads import receive, told

__all__ = ["Registry", "page_that_fits"]

_MOST_IN_A_PAGE = 1000
_PAGE = 100

# Tag and length of an entry of a page.
_ENTRY_BYTES = 8


class Registry:
    """Answers the calls about registered filters.

    Args:
        resources: of the server.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def create(self, call: Call) -> bytes:
        """Answer CreateFilterRequests by a CreateFilterResponse."""
        shared = self._resources
        incoming = Incoming(call, parse_filter_request, shared.desk, shared.limits.idle_timeout)
        async with incoming:
            first = await incoming.take()
            if not isinstance(first, pb.CreateFilterRequest):
                came = "the end of the stream" if first is None else f"a {told(first)}"
                with located("filter"):
                    raise OutOfSequence("message", came, "the filter first")
            announced = await shared.desk.run(partial(_announced, first, shared))
            nbytes = Assembler(announced).nbytes + first.ByteSize()
            with shared.admission.admit(nbytes), shared.store.room(nbytes):
                tensors = await receive(incoming, announced)
                extra = await incoming.take(last=True)
                if extra is not None:
                    with located("part"):
                        raise OutOfSequence(
                            "message", f"a {told(extra)} after the complete filter", "nothing more"
                        )
                stored = await shared.desk.run(partial(_decoded, first, tensors, shared))
                kept = shared.store.add(call.tenant, stored)
        if kept is stored:
            await self._get_ready(kept.filter)
        return pb.CreateFilterResponse(filter_info=kept.info).SerializeToString()

    async def _get_ready(self, filter: Filter) -> None:
        """Spare the first call what it would prepare, where no other call waits for that."""
        compute = self._resources.compute
        if compute.working or not self._resources.calls.warm:
            return

        def work() -> None:
            # Nobody asked for it, so that nobody is told: a call that fails so will say why.
            with suppress(Exception), nothing():
                engine.get_ready(filter)

        await compute.run(work)

    async def get(self, raw: bytes, call: Call) -> bytes:
        """Answer a GetFilterRequest by a GetFilterResponse."""
        request = parse_plain(pb.GetFilterRequest, raw)
        stored = self._resources.store.get(call.tenant, checked_name(request.name, "name"))
        return pb.GetFilterResponse(filter_info=stored.info).SerializeToString()

    async def list(self, raw: bytes, call: Call) -> bytes:
        """Answer a ListFiltersRequest by a ListFiltersResponse."""
        request = parse_plain(pb.ListFiltersRequest, raw)
        if not 0 <= request.page_size <= _MOST_IN_A_PAGE:
            with located("page_size"):
                raise InvalidArgument(
                    "page_size", request.page_size, f"0 to {_MOST_IN_A_PAGE}, 0 being {_PAGE}"
                )
        size = request.page_size or _PAGE
        names = self._resources.store.page(call.tenant, size, request.page_token)
        return await self._resources.desk.run(partial(page_that_fits, names))

    async def delete(self, raw: bytes, call: Call) -> bytes:
        """Answer a DeleteFilterRequest by a DeleteFilterResponse."""
        request = parse_plain(pb.DeleteFilterRequest, raw)
        name = checked_name(request.name, "name")
        if not self._resources.store.delete(call.tenant, name) and not request.allow_missing:
            raise not_found(name)
        return pb.DeleteFilterResponse().SerializeToString()


def _announced(
    request: pb.CreateFilterRequest, shared: Resources
) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
    """The types and shapes that will follow, once they have been found to fit."""
    if request.WhichOneof("message") != "filter":
        refuse_unknown(request)
        with located("filter"):
            raise OutOfSequence("message", f"a {told(request)}", "the filter first")
    check_bulk(request.filter, "filter", shared.limits)
    refuse_unknown(request)
    announced = announced_shapes(request)
    shared.limits.check_filter(Assembler(announced).nbytes, len(request.filter.layers))
    return announced


def _decoded(
    request: pb.CreateFilterRequest, tensors: list[NDArray[Any]], shared: Resources
) -> StoredFilter:
    filter = decode_filter(request.filter, "filter", tensors)
    shared.limits.check_filter(filter.size_bytes, len(filter.layers))
    with located("filter"):
        return described(filter)


def page_that_fits(found: tuple[list[StoredFilter], str]) -> bytes:
    """A page of descriptions that fits a message; what does not is left to the next page."""
    stored, token = found
    response = pb.ListFiltersResponse()
    nbytes = 0
    for index, each in enumerate(stored):
        nbytes += each.info.ByteSize() + _ENTRY_BYTES
        if index and nbytes > MESSAGE_BYTES - MESSAGE_MARGIN:
            token = token_after(stored[index - 1].filter.name)
            break
        response.filters.append(each.info)
    response.next_page_token = token
    return response.SerializeToString()
