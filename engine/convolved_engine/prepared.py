"""The cache of prepared weights: packed kernels and spectra, bounded in bytes.

A weight is known by an identity that its owner gives it, such as a filter's name and the index of
a layer; an identity must never be reused for other numbers. What has no identity is prepared for
each call and not kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar, cast

from numpy.typing import NDArray

from .planner import Choice
from .registry import Runnable

__all__ = ["Prepared", "PreparedWeights"]


class Prepared(Protocol):
    """Anything that knows how many bytes it holds."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""


Kept = TypeVar("Kept", bound=Prepared)


class PreparedWeights:
    """Prepared weights by (identity, form), the longest unused given up first; safe among threads.

    Args:
        max_bytes: what all together may hold; a larger single one is handed out, not kept.
    """

    def __init__(self, max_bytes: int = 256 << 20) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Hashable, Hashable], Prepared] = OrderedDict()
        self._making: dict[Hashable, Future[Any]] = {}
        self._nbytes = 0

    @property
    def nbytes(self) -> int:
        """What is held now."""
        return self._nbytes

    def get(
        self,
        choice: Choice,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        identity: Hashable | None = None,
    ) -> Runnable:
        """The prepared weight for `choice`, made now unless it is kept.

        Args:
            choice: of the planner.
            weight: (out_channels, in_channels / groups, *kernel).
            bias: (out_channels,) or None.
            identity: names weight and bias for good; None prepares them for this call alone.
        """
        problem, parameters = choice.problem, choice.cost.parameters

        def make() -> Runnable:
            return choice.algorithm.prepare(problem, weight, bias, parameters)

        return self.get_or_make(identity, choice.algorithm.form(problem, parameters), make)

    def get_or_make(
        self, identity: Hashable | None, form: Hashable, make: Callable[[], Kept]
    ) -> Kept:
        """What is kept under identity and form, made now if it is not; None keeps nothing.

        Several threads that ask at once wait for one of them to make it.
        """
        if identity is None:
            return make()
        key = (identity, form)
        with self._lock:
            found = cast(Kept | None, self._kept.get(key))
            if found is not None:
                self._kept.move_to_end(key)
                return found
            making = self._making.get(key)
            mine: Future[Any] | None = None
            if making is None:
                mine = self._making[key] = Future()
        if mine is None:
            assert making is not None
            return cast(Kept, making.result())
        try:
            made = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            self._keep(key, made)
        mine.set_result(made)
        return made

    def forget(self, identity: Hashable) -> None:
        """Give up whatever is kept under `identity`."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == identity]:
                self._nbytes -= self._kept.pop(key).nbytes

    def _keep(self, key: tuple[Hashable, Hashable], made: Prepared) -> None:
        if made.nbytes > self.max_bytes:
            return
        self._kept[key] = made
        self._nbytes += made.nbytes
        while self._nbytes > self.max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._nbytes -= oldest.nbytes
