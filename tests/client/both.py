"""The asyncio client with the face of the sync one, so that one test tries both alike."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from convolved import AsyncClient, AsyncStream, Client

__all__ = ["CLIENTS", "Awaited"]


class Awaited:
    """What is called is awaited, on a loop that runs for as long as the call."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._runner = asyncio.Runner()
        self._of: Any = AsyncClient(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._of, name)
        if not inspect.iscoroutinefunction(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            result = self._runner.run(found(*arguments, **named))
            return _AwaitedStream(self._runner, result) if _is_stream(result) else result

        return call

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._of.close())
        self._runner.close()


class _AwaitedStream(Awaited):
    def __init__(self, runner: asyncio.Runner, stream: AsyncStream) -> None:
        self._runner, self._of = runner, stream

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._of.close())


def _is_stream(result: object) -> bool:
    return isinstance(result, AsyncStream)


CLIENTS: dict[str, Callable[..., Any]] = {"sync": Client, "asyncio": Awaited}
