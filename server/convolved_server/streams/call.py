"""One StreamConvolve call: one owner that reads, has computed, and sends.

Small live blocks are read, computed and answered one after another on the event loop. As soon as
computing goes to a thread, reading goes on beside it, and what has been computed is sent beside
the next computing; blocks that have come meanwhile are computed together. Buffers are bounded in
bytes both ways. Deadlines, cancellation and draining are seen between any two steps.
"""

from __future__ import annotations

import asyncio
from functools import partial

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.fields import located
from convolved.wire.framing import BlockFrame, PartFrame, parse_request
from convolved.wire.parts import Assembler
from convolved.wire.reasons import Draining, OutOfSequence
from convolved.wire.strict import refuse_unknown
from convolved_server.calls import Call, draining
from convolved_server.compute import TINY_SECONDS
from convolved_server.incoming import Incoming
from convolved_server.outgoing import Outgoing
from convolved_server.resources import Resources
from convolved_server.uploads import Received, receive, told
from convolved_vocabulary import ConvolvedError, Filter

from .opening import Opening, announced_in, no_swaps, read_start
from .session import Session

__all__ = ["StreamCall"]

# Blocks that wait are joined up to this size; beyond it joining saves nothing.
_JOIN_BYTES = 1 << 20
_SMALL_BYTES = 32 << 10


class StreamCall:
    """The owner of one stream.

    Args:
        resources: of the server.
        call: the call.
    """

    def __init__(self, resources: Resources, call: Call) -> None:
        self._resources = resources
        self._call = call
        self._incoming = Incoming(
            call, parse_request, resources.desk, resources.limits.idle_timeout
        )
        self._outgoing = Outgoing(call)
        self._leaving: ConvolvedError | None = None

    async def run(self) -> None:
        """Serve the stream to its end."""
        self._call.on_drain = lambda: self._leave(draining())
        lifetime = self._resources.limits.stream_lifetime
        timer = None
        if lifetime:
            aged = Draining(f"the stream has lasted {lifetime:g} s, as long as it may; resume it")
            timer = asyncio.get_running_loop().call_later(lifetime, self._leave, aged)
        try:
            async with self._incoming, self._outgoing:
                await self._serve()
        finally:
            if timer is not None:
                timer.cancel()

    async def _serve(self) -> None:
        shared = self._resources
        first = await self._incoming.take()
        nbytes = 0 if first is None else _size(first)
        quick = 0.0 if nbytes < _SMALL_BYTES else None
        start, announced = await shared.desk.run(
            partial(announced_in, first, shared.limits), predicted=quick
        )
        carried = nbytes + Assembler(announced).nbytes
        with shared.admission.admit_stream(carried) as ticket:
            tensors = await receive(self._incoming, announced)
            known = start.filter.WhichOneof("source") == "name"
            opening = await shared.desk.run(
                partial(read_start, start, tensors, self._find, shared.limits),
                predicted=0.0 if known else None,
            )
            ticket.resize(carried + opening.predicted_bytes)
            stream = await shared.compute.run(opening.open)
            ticket.resize(max(ticket.nbytes, carried + stream.state_bytes))
            self._incoming.limit = self._outgoing.limit = opening.buffer_bytes
            await self._converse(opening, Session(opening, stream))

    async def _converse(self, opening: Opening, session: Session) -> None:
        """Everything from Started to Finished."""
        await self._outgoing.send(session.started(self._resources.limits.idle_timeout))
        if not opening.live:
            self._incoming.read_ahead()
        while isinstance(message := await self._take(), BlockFrame):
            await self._answer(opening, session, message)
        if not isinstance(message, pb.End):
            with located("message"):
                came = "the end of the stream" if message is None else f"a {told(message)}"
                raise OutOfSequence("message", came, "a Block, or an End before the end")
        session.end(message)
        compute = self._resources.compute
        tail = await compute.run(session.flush, predicted=session.predict_flush())
        send = self._outgoing.send if opening.live else self._outgoing.queue
        for output in session.tail(tail):
            await self._check()
            await send(output)
        await send(session.finished())
        await self._outgoing.sent()

    async def _take(self) -> Received | pb.End | None:
        """The next message, an End taken out of its envelope."""
        await self._check()
        message = await self._incoming.take()
        if not isinstance(message, pb.StreamConvolveRequest):
            return message
        if message.HasField("swap"):
            raise no_swaps()
        refuse_unknown(message)
        return message.end if message.HasField("end") else message

    async def _answer(self, opening: Opening, session: Session, block: BlockFrame) -> None:
        """Compute a block, and those that wait behind it, and send what they fix."""
        arrived = self._incoming.arrived
        blocks = [block]
        samples = session.accept(block)
        nbytes = len(block.data)
        while nbytes < _JOIN_BYTES:
            following = self._incoming.waiting()
            if not isinstance(following, BlockFrame) or not session.joins(following):
                break
            await self._incoming.take()
            blocks.append(following)
            samples += session.accept(following)
            nbytes += len(following.data)
        steps = session.steps(samples)
        for step in range(steps):
            await self._check()
            last = step == steps - 1
            predicted = session.predict(samples)
            send = self._outgoing.send
            if predicted is None or predicted >= TINY_SECONDS or not opening.live:
                self._incoming.read_ahead()
                send = self._outgoing.queue
            outputs = await self._resources.compute.run(
                partial(_compute, session, [] if step else blocks, last and not blocks[-1].more),
                predicted=predicted,
            )
            for output in outputs:
                await send(output)
        if opening.live and opening.sample_rate:
            waited = asyncio.get_running_loop().time() - arrived
            session.late += waited > samples / opening.sample_rate

    async def _check(self) -> None:
        """Leave, if it is time to, once everything that was computed has gone out."""
        if self._leaving is not None:
            await self._outgoing.sent()
            raise self._leaving

    def _leave(self, error: ConvolvedError) -> None:
        """End the stream between two answers; at once if it only waits for its client."""
        if self._leaving is None:
            self._leaving = error
        if self._incoming.waiting_since is not None:
            self._call.end(self._leaving)

    def _find(self, name: str) -> Filter:
        return self._resources.store.get(self._call.tenant, name).filter


def _compute(session: Session, blocks: list[BlockFrame], answered: bool) -> list[bytes]:
    if blocks:
        session.load(blocks)
    return session.advance(answered)


def _size(message: Received) -> int:
    return len(message.data) if isinstance(message, BlockFrame | PartFrame) else message.ByteSize()
