"""Registered filters stay registered: a server that lacks one is given it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from convolved.methods import CREATE_FILTER
from convolved.registered import RegisteredFilter
from convolved_vocabulary import Filter, Internal, NotFound

from .operations import Steps, Upload
from .sources import Source, registration

__all__ = ["register", "registering"]

T = TypeVar("T")

_TIMES = 5


def register(filter: Filter) -> Steps[RegisteredFilter]:
    """Let the server hold a filter."""
    response = yield Upload(CREATE_FILTER, lambda: registration(filter))
    name = response.filter_info.name
    if name != filter.name:
        raise Internal(f"the server called the filter {name}; its content makes {filter.name}")
    return RegisteredFilter(name, filter)


def registering(
    source: Source | Callable[[], Sequence[Source]],
    once: Callable[[], Steps[T]],
    stand: Callable[[], int] = lambda: 0,
) -> Steps[T]:
    """Take the steps, and again if the server lacked the filter and was given it.

    A server may be lost and followed by another that lacks it, too; and behind one address there
    may be several.

    Args:
        source: the filter, or what tells the filters in use.
        once: gives the steps.
        stand: how far they have come; if no farther than before, patience ends.

    Raises:
        NotFound: if the weights are not at hand, or giving them does not help.
    """
    stood, left = stand(), _TIMES
    while True:
        try:
            return (yield from once())
        except NotFound as error:
            lacking = _lacking((source,) if isinstance(source, Source) else source(), error)
            if not lacking:
                raise
            if not all(each.has_weights for each in lacking):
                raise NotFound(f"{error.message} (a name alone does not bring it back)") from error
            if stand() != stood:
                stood, left = stand(), _TIMES
            if not left:
                raise
            left -= 1
        for each in lacking:
            yield from register(each.filter)


def _lacking(sources: Sequence[Source], error: NotFound) -> list[Source]:
    """Those that the server said it lacks; all that it knows by name, if it did not say."""
    named = [each for each in sources if each.name]
    return [each for each in named if str(each.name) in error.message] or named
