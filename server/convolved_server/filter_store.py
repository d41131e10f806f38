"""The registered filters, in memory, bounded in bytes.

The law: a filter is there whole or not at all, and none is ever dropped to make room; what does
not fit is refused. Room is reserved before the first byte comes, so that filters uploaded side by
side cannot overrun the bound together. Everything is kept by tenant and name.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.fields import located
from convolved.wire.filters import encode_filter
from convolved.wire.plans import encode_field
from convolved.wire.reasons import StorageFull
from convolved_vocabulary import Filter, InvalidArgument, NotFound

__all__ = ["FilterStore", "StoredFilter", "described", "not_found", "token_after"]

# What a filter takes beside its tensors.
_OVERHEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class StoredFilter:
    """A registered filter.

    Attributes:
        filter: the filter.
        info: what the wire tells about it.
    """

    filter: Filter
    info: pb.FilterInfo


def described(filter: Filter) -> StoredFilter:
    """A filter as it is stored, registered now.

    Hashes its tensors and finds out its geometry, so that who uses it later need not.
    """
    info = pb.FilterInfo(
        name=filter.name,
        filter=encode_filter(filter, announce=True),
        size_bytes=filter.size_bytes,
        parameters=filter.parameter_count,
        receptive_field=map(encode_field, filter.receptive_field),
        delay_samples=float(filter.delay),
    )
    info.create_time.FromNanoseconds(time.time_ns())
    return StoredFilter(filter, info)


class FilterStore:
    """Registered filters by tenant and name.

    Args:
        limit: bytes of all of them together.

    >>> from convolved_vocabulary import Activation
    >>> store = FilterStore(limit=10_000)
    >>> relu = described(Filter(Activation("relu")))
    >>> with store.room(0):
    ...     kept = store.add("", relu)
    >>> store.get("", relu.filter.name) is relu
    True
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used = 0
        self._filters: dict[str, dict[str, StoredFilter]] = {}
        self._names: dict[str, list[str]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes that the filters take, and those on their way."""
        return self._used

    @contextmanager
    def room(self, nbytes: int) -> Iterator[None]:
        """Reserve room for a filter with up to `nbytes` of tensors while it comes.

        Raises:
            StorageFull: if there is no such room.
        """
        taken = nbytes + _OVERHEAD_BYTES
        if self._used + taken > self.limit:
            raise StorageFull(
                f"the filter takes {taken:,} bytes and the store has {self.limit - self._used:,} "
                f"left of {self.limit:,}; delete filters that are not needed"
            )
        self._used += taken
        try:
            yield
        finally:
            self._used -= taken

    def add(self, tenant: str, stored: StoredFilter) -> StoredFilter:
        """Keep a filter for which there is room, or return what was kept under its name before."""
        filters = self._filters.setdefault(tenant, {})
        name = stored.filter.name
        if name in filters:
            return filters[name]
        filters[name] = stored
        bisect.insort(self._names.setdefault(tenant, []), name)
        self._used += stored.filter.size_bytes + _OVERHEAD_BYTES
        return stored

    def get(self, tenant: str, name: str) -> StoredFilter:
        """The filter of that name.

        Raises:
            NotFound: if this tenant has none.
        """
        try:
            return self._filters[tenant][name]
        except KeyError:
            raise not_found(name) from None

    def delete(self, tenant: str, name: str) -> bool:
        """Forget a filter; return whether it was there. Who uses it goes on using it."""
        stored = self._filters.get(tenant, {}).pop(name, None)
        if stored is None:
            return False
        names = self._names[tenant]
        del names[bisect.bisect_left(names, name)]
        if not names:
            del self._filters[tenant], self._names[tenant]
        self._used -= stored.filter.size_bytes + _OVERHEAD_BYTES
        return True

    def page(self, tenant: str, size: int, token: str) -> tuple[list[StoredFilter], str]:
        """Up to `size` filters in the order of their names, and the token of what follows.

        Raises:
            InvalidArgument: if `token` is none that was given out.
        """
        names = self._names.get(tenant, [])
        begin = bisect.bisect_right(names, _name_of(token)) if token else 0
        chosen = names[begin : begin + size]
        more = begin + size < len(names)
        return [self._filters[tenant][name] for name in chosen], token_after(
            chosen[-1]
        ) if more else ""


def not_found(name: str) -> NotFound:
    """The error of a name that no filter has."""
    return NotFound(f"filter: got {name}; want the name of a registered filter: register it first")


def token_after(name: str) -> str:
    """The page token of what follows the filter `name`."""
    return base64.urlsafe_b64encode(bytes.fromhex(name.removeprefix("filters/"))).decode()


def _name_of(token: str) -> str:
    try:
        return "filters/" + base64.b64decode(token, altchars=b"-_", validate=True).hex()
    except (binascii.Error, ValueError):
        with located("page_token"):
            raise InvalidArgument(
                "page_token", repr(token[:100]), "the next_page_token of a response, unchanged"
            ) from None
