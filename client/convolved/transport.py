"""The sync shell: performs a session's steps by gRPC's blocking interface."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

import grpc

from convolved.channel import CHANNEL_OPTIONS, Targets, call_metadata, checked_timeout
from convolved.methods import STREAM_CONVOLVE, Method
from convolved.session.operations import Exchange, Open, Operation, Pause, Steps, Unary, Upload
from convolved.session.resuming import Resuming
from convolved.session.whole import WholeSession
from convolved.wire.framing import serialize
from convolved.wire.status import error_of
from convolved_vocabulary import (
    ConvolvedError,
    DeadlineExceeded,
    FailedPrecondition,
    Unavailable,
)

__all__ = ["Pipe", "Transport"]

T = TypeVar("T")


class Transport:
    """A channel to each server that is used, made when it is first needed.

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
        self._targets = Targets(target)
        self.timeout: float | None = checked_timeout(timeout)
        self._metadata = call_metadata(token)
        self._resuming = resuming
        self._lock = threading.Lock()
        self._channels: dict[str, grpc.Channel] = {}
        self._pipes: weakref.WeakSet[Pipe] = weakref.WeakSet()
        self._closing = threading.Event()

    @property
    def target(self) -> str:
        """The server that is used."""
        return self._targets.current

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closing.is_set()

    def run(self, steps: Steps[T], lost: ConvolvedError | None = None) -> T:
        """Perform steps to their end.

        Args:
            steps: of a session.
            lost: the loss of a stream that the first step takes up again.

        Raises:
            ConvolvedError: as the steps leave it.
        """
        steps = self._resuming.persist(steps, lost)
        used = self.target
        try:
            operation = next(steps)
            while True:
                try:
                    if isinstance(operation, Pause):
                        self._targets.turn_from(used)
                    used = self.target
                    answer = self._perform(operation)
                except ConvolvedError as error:
                    operation = steps.throw(error)
                else:
                    operation = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    def close(self) -> None:
        """End what is open, and the connection."""
        self._closing.set()
        for pipe in list(self._pipes):
            pipe.close()
        with self._lock:
            for channel in self._channels.values():
                channel.close()

    def _perform(self, operation: Operation) -> Any:
        match operation:
            case Unary(method, request):
                return self._answer(self._open_channel().unary_unary, method, request)
            case Upload(method, requests):
                return self._answer(self._open_channel().stream_unary, method, requests())
            case Exchange(session):
                return self._exchange(session)
            case Open(live):
                pipe = Pipe(self._stream, self.target, self.timeout)
                self._pipes.add(pipe)
                pipe.exchange(live.opening(), live.receive, last=live.ended)
                return pipe
            case Pause(seconds):
                self._closing.wait(seconds)
                return None

    def _answer(self, kind: Callable[..., Any], method: Method, request: Any) -> Any:
        call = kind(method.path, request_serializer=serialize, response_deserializer=method.parse)
        try:
            return call(request, timeout=self.timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise error_of(error, self.target) from error

    def _exchange(self, session: WholeSession) -> Any:
        call = self._stream(session.requests(), self.timeout)
        try:
            for message in call:
                session.receive(message)
        except grpc.RpcError as error:
            raise session.failed(error_of(error, self.target)) from error
        finally:
            call.cancel()
        return session.end()

    def _stream(self, requests: Iterator[Any], timeout: float | None = None) -> Any:
        method = self._open_channel().stream_stream(
            STREAM_CONVOLVE.path,
            request_serializer=serialize,
            response_deserializer=STREAM_CONVOLVE.parse,
        )
        return method(requests, timeout=timeout, metadata=self._metadata)

    def _open_channel(self) -> grpc.Channel:
        with self._lock:
            if self.closed:
                raise FailedPrecondition("the client is closed: make another")
            target = self.target
            if target not in self._channels:
                self._channels[target] = grpc.insecure_channel(target, options=CHANNEL_OPTIONS)
            return self._channels[target]


class Pipe:
    """The call of a live stream: messages go in by the push, answers are awaited.

    gRPC draws the messages in a thread of its own, one ahead of what the transport takes; so a
    long push is written while its answers are read.
    """

    def __init__(
        self, stream: Callable[[Iterator[Any]], Any], target: str, timeout: float | None
    ) -> None:
        self._target, self._timeout = target, timeout
        self._queue: SimpleQueue[Iterable[Any] | None] = SimpleQueue()
        self._call = stream(_drawn(self._queue))

    def exchange(
        self, messages: Iterable[Any], receive: Callable[[Any], bool], *, last: bool = False
    ) -> None:
        """Send messages and feed what comes to `receive` until it returns True.

        Args:
            messages: to send; drawn while answers are read.
            receive: takes a message in and says whether it was the last one awaited.
            last: these are the last messages, and the call ends well after them.

        Raises:
            Unavailable: if the server ends the call before.
            DeadlineExceeded: if that takes longer than the timeout.
            ConvolvedError: that the server tells, or that `receive` raises.
        """
        self._queue.put(messages)
        if last:
            self._queue.put(None)
        late = threading.Event()
        guard = None if self._timeout is None else self._guard(late, self._timeout)
        try:
            while not receive(next(self._call)):
                pass
            if last and next(self._call, None) is not None:
                raise Unavailable(f"{self._target} went on after the end of the stream")
        except BaseException as error:
            self.close()
            if late.is_set():
                raise DeadlineExceeded(
                    f"{self._target} did not answer within {self._timeout:g} s"
                ) from error
            if isinstance(error, StopIteration):
                raise Unavailable(f"{self._target} ended the stream before its end") from None
            if isinstance(error, grpc.RpcError):
                raise error_of(error, self._target) from error
            raise
        finally:
            if guard is not None:
                guard.cancel()

    def close(self) -> None:
        """End the call, and the thread that draws its messages."""
        self._call.cancel()
        self._queue.put(None)

    def _guard(self, late: threading.Event, timeout: float) -> threading.Timer:
        def end() -> None:
            late.set()
            self._call.cancel()

        guard = threading.Timer(timeout, end)
        guard.daemon = True
        guard.start()
        return guard


def _drawn(queue: SimpleQueue[Iterable[Any] | None]) -> Iterator[Any]:
    while (messages := queue.get()) is not None:
        yield from messages
