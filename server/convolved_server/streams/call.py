"""One StreamConvolve call: one owner that reads, has computed, and sends.

Small live blocks are read, computed and answered one after another on the event loop. As soon as
computing goes to a thread, reading goes on beside it, and what has been computed is sent beside
the next computing; blocks that have come meanwhile are computed together. Filters that are to take
over are prepared beside all that. Buffers are bounded in bytes both ways. Deadlines, cancellation
and draining are seen between any two steps.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.fields import located
from convolved.wire.framing import BlockFrame, PartFrame, parse_request
from convolved.wire.parts import Assembler
from convolved.wire.reasons import Draining, OutOfSequence
from convolved.wire.strict import refuse_unknown
from convolved_engine import Stream
from convolved_engine.threads import by_oneself
from convolved_server.calls import Call, draining
from convolved_server.compute import HOP_SECONDS, TINY_SECONDS
from convolved_server.incoming import END, Incoming
from convolved_server.measuring import Allowance, wanted
from convolved_server.outgoing import Outgoing
from convolved_server.resources import Resources
from convolved_server.uploads import Received, receive, told
from convolved_vocabulary import ConvolvedError, Filter

from .opening import Opening, announced_in, read_start
from .session import Session
from .swapping import Swapping

__all__ = ["StreamCall"]

# Blocks that wait are joined up to this size; beyond it joining saves nothing.
_JOIN_BYTES = 1 << 20
_SMALL_BYTES = 32 << 10
# Sending a megabyte from thread to thread costs about as much as computing it in so little time.
_SMALL_SECONDS = 0.6e-3
# A client that takes nothing for so long holds up no stream that is to leave.
_STUCK_SECONDS = 1.0


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
        self._outgoing = Outgoing(call, resources.limits.idle_timeout)
        self._computed: list[bytes] = []
        self._leaving: ConvolvedError | None = None
        self._hurrying: asyncio.TimerHandle | None = None

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
            for handle in (timer, self._hurrying):
                if handle is not None:
                    handle.cancel()

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
            stream = await self._opened(opening)
            ticket.resize(max(ticket.nbytes, carried + stream.state_bytes))
            self._incoming.limit = self._outgoing.limit = opening.buffer_bytes
            session = Session(opening, stream)
            swapping = Swapping(shared, opening, stream, session, ticket, self._find)
            try:
                await self._converse(opening, session, swapping)
            finally:
                await swapping.close()

    async def _opened(self, opening: Opening) -> Stream:
        """The engine's stream, which a whole signal may have measured first."""
        shared, remaining = self._resources, self._call.time_remaining
        if opening.live or not wanted(opening.options):
            return await shared.compute.run(opening.open)
        allowance = Allowance.of(shared.admission, remaining)
        with shared.admission.admit(allowance.nbytes, allowance.seconds, remaining):
            stop = threading.Event()
            work = partial(opening.open, allowance.bounded(stop.is_set))
            return await shared.compute.run(work, stop=stop)

    async def _converse(self, opening: Opening, session: Session, swapping: Swapping) -> None:
        """Everything from Started to Finished."""
        await self._outgoing.send(session.started(self._resources.limits.idle_timeout))
        if not opening.live:
            self._incoming.read_ahead()
        while True:
            message = await self._take(session, swapping)
            if isinstance(message, BlockFrame):
                await self._answer(opening, session, swapping, message)
            elif isinstance(message, pb.StreamConvolveRequest) and message.HasField("swap"):
                swapping.begin(message)
            else:
                break
        if not isinstance(message, pb.End):
            with located("message"):
                came = "the end of the stream" if message is None else f"a {told(message)}"
                raise OutOfSequence("message", came, "a Block, or an End before the end")
        self._give()
        session.end(message)
        while swapping.pending:
            await self._outgoing.send(await swapping.accept())
        session.flush()
        send = self._outgoing.send if opening.live else self._outgoing.queue
        predicted, complete = session.predict_flush(), False
        while not complete:
            await self._check()
            outputs, complete = await self._resources.compute.run(session.tail, predicted=predicted)
            # It was not as short as it seemed.
            predicted = None
            for output in outputs:
                await send(output)
        await send(session.finished())
        await self._outgoing.sent()

    async def _take(self, session: Session, swapping: Swapping) -> Received | pb.End | None:
        """The next message that is no usual block, an End taken out of its envelope."""
        incoming = self._incoming
        await self._check()
        while swapping.pending:
            if swapping.next_job.done():
                await self._outgoing.send(await swapping.accept())
            elif await incoming.comes_before(swapping.next_job):
                break
            await self._check()
        raw = None if swapping.pending else await self._answer_usual(session)
        await self._check()
        message = await (incoming.take() if raw is None else incoming.read_taken(raw))
        if not isinstance(message, pb.StreamConvolveRequest):
            return message
        if message.HasField("swap"):
            # It may be large; whoever prepares it looks it through.
            return message
        refuse_unknown(message)
        return message.end if message.HasField("end") else message

    async def _answer_usual(self, session: Session) -> bytes | None:
        """Answer blocks of the usual kind at once, for as long as nothing else comes.

        Between two blocks of one stream come those of all others, with which everything that this
        reads goes out of the processor's caches. So it calls and looks up as little as it can.

        Returns:
            the message that ends that, to be read; None if the next one is to be taken as ever.
        """
        incoming, outgoing, compute = self._incoming, self._outgoing, self._resources.compute
        if not (outgoing.idle and incoming.direct()):
            return None
        read, write, clock = incoming.read, outgoing.write, time.monotonic
        now = clock()
        try:
            while self._leaving is None:
                incoming.waiting_since = now
                raw: bytes = await read()
                incoming.waiting_since = None
                arrived = incoming.arrived = clock()
                if raw is END:
                    incoming.closed()
                    return None
                seconds = session.usual_seconds
                if not compute.lets_run(seconds, arrived):
                    return raw
                answers = session.answer(raw)
                if answers is None:
                    return raw
                if seconds > HOP_SECONDS:
                    compute.has_run(seconds)
                outgoing.writing_since = arrived
                for answer in answers:
                    await write(answer)
                outgoing.writing_since = None
                now = clock()
                if now - arrived > session.usual_period:
                    session.late += 1
        finally:
            incoming.waiting_since = None
        return None

    async def _answer(
        self, opening: Opening, session: Session, swapping: Swapping, block: BlockFrame
    ) -> None:
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
        while swapping.due(session.accepted):
            await self._outgoing.send(await swapping.accept())
        swapping.settle()
        steps = session.steps(samples)
        for step in range(steps):
            await self._check()
            last = step == steps - 1
            predicted = session.predict(samples)
            send = self._outgoing.send
            if predicted is None or predicted >= TINY_SECONDS or not opening.live:
                self._incoming.read_ahead()
                send = self._outgoing.queue
            work = partial(_compute, session, [] if step else blocks, last and not blocks[-1].more)
            if not opening.live and not self._is_small(predicted):
                await self._answer_beside(work)
                continue
            if opening.live:
                outputs = await self._resources.compute.run(work, predicted=predicted)
            else:
                self._give()
                with by_oneself():
                    outputs = work()
                await asyncio.sleep(0)
            for output in outputs:
                await send(output)
        session.note_wait(time.monotonic() - arrived, samples)
        if len(blocks) == 1:
            session.expect(block, samples)

    async def _answer_beside(self, work: Callable[[], list[bytes]]) -> None:
        """Compute a step in a thread while what the one before has given is sent.

        To begin, the thread needs the interpreter's lock, which writing a megabyte holds for as
        long as computing one may take. So outputs behind which more input waits are written when
        the thread has begun with that.
        """
        loop = asyncio.get_running_loop()

        def begun() -> list[bytes]:
            loop.call_soon_threadsafe(self._give)
            return work()

        outputs = await self._resources.compute.run(begun if self._computed else work)
        self._give()
        await self._outgoing.room()
        self._computed = outputs
        if not isinstance(self._incoming.waiting(), BlockFrame):
            self._give()
            await self._outgoing.room()

    def _give(self) -> None:
        """Let everything be written that was computed."""
        for output in self._computed:
            self._outgoing.put(output)
        self._computed = []

    def _is_small(self, predicted: float | None) -> bool:
        """Whether a step of a whole signal is done on the loop, for it keeps nobody waiting."""
        small = predicted is not None and predicted < _SMALL_SECONDS
        return small and self._resources.calls.alone

    async def _check(self) -> None:
        """Leave, if it is time to, once everything that was computed has gone out."""
        if self._leaving is not None:
            self._give()
            await self._outgoing.sent()
            raise self._leaving

    def _leave(self, error: ConvolvedError) -> None:
        """End the stream between two answers; at once if it only waits for its client."""
        if self._leaving is None:
            self._leaving = error
        if self._incoming.waiting_since is not None:
            self._call.end(self._leaving)
        else:
            self._hurry()

    def _hurry(self) -> None:
        """End the stream also if its client does not take what would have to go out before."""
        loop, since = asyncio.get_running_loop(), self._outgoing.writing_since
        stuck = since is not None and time.monotonic() - since > _STUCK_SECONDS
        if self._leaving is not None and stuck:
            self._call.end(self._leaving)
        else:
            self._hurrying = loop.call_later(_STUCK_SECONDS / 4, self._hurry)

    def _find(self, name: str) -> Filter:
        return self._resources.store.get(self._call.tenant, name).filter


def _compute(session: Session, blocks: list[BlockFrame], answered: bool) -> list[bytes]:
    if blocks:
        session.load(blocks)
    return session.advance(answered)


def _size(message: Received) -> int:
    return len(message.data) if isinstance(message, BlockFrame | PartFrame) else message.ByteSize()
