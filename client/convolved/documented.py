"""The documentation of a method that is another one, awaited."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["as_documented"]

_F = TypeVar("_F", bound=Callable[..., Any])


def as_documented(original: Callable[..., Any]) -> Callable[[_F], _F]:
    """Give a function what the documentation of `original` says after its first sentence.

    Its examples are left out: they do not await.
    """

    def decorate(function: _F) -> _F:
        rest = inspect.cleandoc(original.__doc__ or "").partition("\n")[2]
        text = rest.partition("\n>>> ")[0].rstrip()
        function.__doc__ = f"{function.__doc__}\n{text}\n"
        return function

    return decorate
