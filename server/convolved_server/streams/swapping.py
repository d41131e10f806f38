"""The swaps of one stream, from their asking to their acceptance.

A filter is read at a desk and prepared in the compute pool while the stream goes on. It takes over
between two blocks: as soon as it is ready, or, where its position is given, at the latest before
the first block whose outputs reach that. Swaps are accepted in the order in which they came.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.strict import refuse_unknown
from convolved_engine.streaming.swaps import Successor
from convolved_server.admission import Ticket
from convolved_server.measuring import nothing
from convolved_server.requests import Find, check_bulk
from convolved_server.resources import Resources
from convolved_vocabulary import FailedPrecondition

from .opening import Opening
from .session import Session
from .wishes import MOST_SWAPS, SwapWish, read_swap

__all__ = ["Swapping"]


@dataclass(frozen=True, slots=True)
class _Pending:
    at: int | None
    job: asyncio.Task[tuple[SwapWish, Successor, int]]


@dataclass(frozen=True, slots=True)
class _Accepted:
    end: int
    nbytes: int


class Swapping:
    """What is asked for, and what it costs.

    Args:
        resources: of the server.
        opening: what the stream is.
        stream: the engine's.
        session: the stream.
        ticket: what it holds.
        find: gives registered filters.
    """

    def __init__(
        self,
        resources: Resources,
        opening: Opening,
        stream: engine.Stream,
        session: Session,
        ticket: Ticket,
        find: Find,
    ) -> None:
        self._resources, self._opening, self._stream = resources, opening, stream
        self._session, self._ticket, self._find = session, ticket, find
        self._pending: deque[_Pending] = deque()
        self._accepted: deque[_Accepted] = deque()
        self._first_bytes = opening.predicted_bytes

    @property
    def pending(self) -> bool:
        """Whether one is asked for and not accepted."""
        return bool(self._pending)

    @property
    def next_job(self) -> asyncio.Task[tuple[SwapWish, Successor, int]]:
        """The preparation of the one that is to be accepted next."""
        return self._pending[0].job

    def due(self, inputs: int) -> bool:
        """Whether one must be accepted before outputs of so many inputs are computed."""
        if not self._pending:
            return False
        if self._pending[0].job.done():
            return True
        ready = self._session.ready(inputs)
        return any(each.at is not None and each.at < ready for each in self._pending)

    def begin(self, message: pb.StreamConvolveRequest) -> None:
        """Begin to prepare what a message asks for.

        Raises:
            FailedPrecondition: if too many wait already.
        """
        if len(self._pending) + len(self._stream.swaps) >= MOST_SWAPS:
            raise FailedPrecondition(
                f"{MOST_SWAPS} swaps wait in this stream; ask for the next when one is over"
            )
        at = message.swap.at_output if message.swap.HasField("at_output") else None
        job = asyncio.create_task(self._prepare(message))
        self._pending.append(_Pending(at, job))

    async def accept(self) -> bytes:
        """Let the next one take over, once it is prepared.

        Returns:
            the Swapped, serialized.

        Raises:
            ConvolvedError: for what is wrong with it.
        """
        wish, successor, nbytes = await self._pending[0].job
        swap = partial(self._session.swap, wish, successor)
        message = await self._resources.compute.run(swap)
        self._pending.popleft()
        end = self._stream.swaps[-1].end if self._stream.swaps else 0
        self._accepted.append(_Accepted(end, nbytes))
        return message

    def settle(self) -> None:
        """Give back what filters held that have been followed."""
        while self._accepted and self._accepted[0].end <= self._session.sent:
            following = self._accepted.popleft().nbytes
            self._ticket.resize(self._ticket.nbytes - self._first_bytes)
            self._first_bytes = following

    async def close(self) -> None:
        """Prepare nothing more."""
        jobs = [each.job for each in self._pending]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    async def _prepare(self, message: pb.StreamConvolveRequest) -> tuple[SwapWish, Successor, int]:
        wish, nbytes = await self._resources.desk.run(partial(self._read, message))
        self.settle()
        self._ticket.resize(self._ticket.nbytes + nbytes)
        with wish.in_fields():
            successor = await self._resources.compute.run(partial(self._prepared, wish))
        return wish, successor, nbytes

    def _prepared(self, wish: SwapWish) -> Successor:
        with nothing():
            return self._stream.prepare(wish.filter)

    def _read(self, message: pb.StreamConvolveRequest) -> tuple[SwapWish, int]:
        limits = self._resources.limits
        check_bulk(message.swap.filter.inline, "swap.filter.inline", limits)
        refuse_unknown(message)
        wish = read_swap(message.swap, "swap", self._find, limits)
        return wish, self._opening.check_swap(wish)
