"""The sync shell: performs a session's steps by gRPC's blocking interface."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

import grpc

from convolved.channel import CHANNEL_OPTIONS
from convolved.connections import Lease
from convolved.methods import COMPUTE_GRADIENTS, STREAM_CONVOLVE, Method
from convolved.session.deadline import Deadline
from convolved.session.differentiating import GradientsSession
from convolved.session.operations import (
    Differentiate,
    Exchange,
    Open,
    Operation,
    Pause,
    Steps,
    Unary,
    Upload,
)
from convolved.session.resuming import Lost, Resuming
from convolved.session.whole import WholeSession
from convolved.transport_face import TransportFace
from convolved.wire.framing import serialize
from convolved.wire.status import error_of
from convolved_vocabulary import ConvolvedError, DeadlineExceeded, Unavailable

__all__ = ["Pipe", "Transport"]

T = TypeVar("T")


class Transport(TransportFace[grpc.Channel]):
    """Performs steps over the connections of one client.

    Args:
        target: `HOST:PORT` or `unix:PATH`, or several of them.
        token: sent with every call, or None.
        timeout: seconds that a call, or a push of a stream, may take; None for no limit.
        resuming: the rule by which lost calls and streams are taken up again.
    """

    def __init__(
        self,
        target: str | Sequence[str],
        token: str | None,
        timeout: float | None,
        resuming: Resuming,
    ) -> None:
        super().__init__(target, token, timeout, resuming, _connected)
        self._pipes: weakref.WeakSet[Pipe] = weakref.WeakSet()
        self._closing = threading.Event()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closing.is_set()

    def run(self, steps: Steps[T], lost: Lost[grpc.Channel] | None = None) -> T:
        """Perform steps to their end.

        Args:
            steps: of a session.
            lost: the loss of a stream that the first step takes up again.

        Raises:
            ConvolvedError: as the steps leave it.
        """
        steps, deadline = self._persistent(steps, lost)
        try:
            operation = next(steps)
            while True:
                try:
                    answer = self._attempt(operation, deadline)
                except ConvolvedError as error:
                    operation = steps.throw(error)
                else:
                    operation = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    def close(self) -> None:
        """End what is open, and the connections."""
        self._closing.set()
        for pipe in list(self._pipes):
            pipe.close()
        for channel in self._connections.close():
            channel.close()

    def _attempt(self, operation: Operation, deadline: Deadline) -> Any:
        if isinstance(operation, Pause):
            self._closing.wait(operation.seconds)
            return None
        for channel in self._connections.unused():
            channel.close()
        with self._connections.lease() as lease:
            try:
                return self._perform(operation, lease, deadline)
            except ConvolvedError as error:
                self._connections.failed(lease, error)
                raise

    def _perform(self, operation: Operation, lease: Lease[grpc.Channel], deadline: Deadline) -> Any:
        match operation:
            case Unary(method, request):
                return self._answer(lease, lease.channel.unary_unary, method, request, deadline)
            case Upload(method, requests):
                sent = requests()
                return self._answer(lease, lease.channel.stream_unary, method, sent, deadline)
            case Exchange(session):
                return self._exchange(lease, STREAM_CONVOLVE, session, deadline)
            case Differentiate(session):
                return self._exchange(lease, COMPUTE_GRADIENTS, session, deadline)
            case Open(live):
                pipe = Pipe(lease.another(), self._metadata)
                self._pipes.add(pipe)
                pipe.exchange(live.opening(), live.receive, deadline, last=live.ended)
                return pipe

    def _answer(
        self,
        lease: Lease[grpc.Channel],
        kind: Callable[..., Any],
        method: Method,
        request: Any,
        deadline: Deadline,
    ) -> Any:
        call = lease.methods.get(method.path)
        if call is None:
            call = lease.methods[method.path] = kind(
                method.path, request_serializer=serialize, response_deserializer=method.parse
            )
        try:
            return call(request, timeout=deadline.remaining, metadata=self._metadata)
        except grpc.RpcError as error:
            raise error_of(error, lease.target) from error

    def _exchange(
        self,
        lease: Lease[grpc.Channel],
        method: Method,
        session: WholeSession | GradientsSession,
        deadline: Deadline,
    ) -> Any:
        call = _stream(lease, method, session.requests(), self._metadata, deadline.remaining)
        try:
            for message in call:
                session.receive(message)
        except grpc.RpcError as error:
            raise session.failed(error_of(error, lease.target)) from error
        finally:
            call.cancel()
        return session.end()


class Pipe:
    """The call of a live stream: messages go in by the push, answers are awaited.

    gRPC draws the messages in a thread of its own, one ahead of what the transport takes; so a
    long push is written while its answers are read.

    Args:
        lease: of the connection, ended with the call.
        metadata: of the call.
    """

    def __init__(self, lease: Lease[grpc.Channel], metadata: tuple[tuple[str, str], ...]) -> None:
        self.lease = lease
        self._queue: SimpleQueue[Iterable[Any] | None] = SimpleQueue()
        self._call = _stream(lease, STREAM_CONVOLVE, _drawn(self._queue), metadata, None)

    def exchange(
        self,
        messages: Iterable[Any],
        receive: Callable[[Any], bool],
        deadline: Deadline,
        *,
        last: bool = False,
    ) -> None:
        """Send messages and feed what comes to `receive` until it returns True.

        Args:
            messages: to send; drawn while answers are read.
            receive: takes a message in and says whether it was the last one awaited.
            deadline: by when.
            last: these are the last messages, and the call ends well after them.

        Raises:
            Unavailable: if the server ends the call before.
            DeadlineExceeded: if that takes too long.
            ConvolvedError: that the server tells, or that `receive` raises.
        """
        self._queue.put(messages)
        if last:
            self._queue.put(None)
        late = threading.Event()
        guard = None if deadline.remaining is None else self._guard(late, deadline.remaining)
        target = self.lease.target
        try:
            while not receive(next(self._call)):
                pass
            if last and next(self._call, None) is not None:
                raise Unavailable(f"{target} went on after the end of the stream")
        except BaseException as error:
            self.close()
            if late.is_set():
                raise DeadlineExceeded(
                    f"{target} did not answer within {deadline.seconds:g} s"
                ) from error
            if isinstance(error, StopIteration):
                raise Unavailable(f"{target} ended the stream before its end") from None
            if isinstance(error, grpc.RpcError):
                raise error_of(error, target) from error
            raise
        finally:
            if guard is not None:
                guard.cancel()

    def send(self, messages: Iterable[Any], *, last: bool = False) -> None:
        """Send messages without waiting for what comes back.

        Args:
            messages: drawn as the transport takes them.
            last: these are the last ones.
        """
        self._queue.put(messages)
        if last:
            self._queue.put(None)

    def read(self) -> Any:
        """Wait for the next message; None when the call has ended well.

        Raises:
            ConvolvedError: with which it has ended.
        """
        try:
            return next(self._call, None)
        except grpc.RpcError as error:
            raise error_of(error, self.lease.target) from error

    def close(self) -> None:
        """End the call, and the thread that draws its messages."""
        self._call.cancel()
        self._queue.put(None)
        self.lease.end()

    def _guard(self, late: threading.Event, seconds: float) -> threading.Timer:
        def end() -> None:
            late.set()
            self._call.cancel()

        guard = threading.Timer(seconds, end)
        guard.daemon = True
        guard.start()
        return guard


def _connected(target: str) -> grpc.Channel:
    return grpc.insecure_channel(target, options=CHANNEL_OPTIONS)


def _stream(
    lease: Lease[grpc.Channel],
    method: Method,
    requests: Iterator[Any],
    metadata: tuple[tuple[str, str], ...],
    seconds: float | None,
) -> Any:
    call = lease.channel.stream_stream(
        method.path, request_serializer=serialize, response_deserializer=method.parse
    )
    return call(requests, timeout=seconds, metadata=metadata)


def _drawn(queue: SimpleQueue[Iterable[Any] | None]) -> Iterator[Any]:
    while (messages := queue.get()) is not None:
        yield from messages
