"""Names of registered filters, which people may shorten as long as one filter alone is meant."""

from __future__ import annotations

import re

from convolved.client import Client
from convolved_vocabulary import InvalidArgument, NotFound

__all__ = ["PREFIX", "resolve", "shortened"]

PREFIX = "filters/"
DIGITS = 64
SHORT_DIGITS = 12


def shortened(name: str) -> str:
    """Return a name that fits a table.

    >>> shortened("filters/" + 64 * "a")
    'filters/aaaaaaaaaaaa'
    """
    return name[: len(PREFIX) + SHORT_DIGITS]


def resolve(client: Client, given: str, argument: str) -> str:
    """Return the whole name of a filter, of which the first digits do.

    Raises:
        InvalidArgument: it is no name, or several filters' names begin so.
        NotFound: no filter's name begins so.
    """
    digits = given.removeprefix(PREFIX)
    if not re.fullmatch(f"[0-9a-f]{{4,{DIGITS}}}", digits):
        raise InvalidArgument(
            argument,
            repr(given),
            f"'{PREFIX}' and {DIGITS} lowercase hexadecimal digits, or the first of them, "
            "at least 4",
        )
    if len(digits) == DIGITS:
        return PREFIX + digits
    names = [info.name for info in client.filters() if info.name.startswith(PREFIX + digits)]
    if not names:
        raise NotFound(f"the server holds no filter whose name begins with {PREFIX}{digits}")
    if len(names) > 1:
        raise InvalidArgument(
            argument, f"{given!r}, with which {len(names)} names begin", "more of its digits"
        )
    return names[0]
