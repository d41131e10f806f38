"""Performs a session's steps against a server object in this very thread, without any I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from convolved.session.live import LiveSession
from convolved.session.opening import Opening
from convolved.session.operations import (
    Differentiate,
    Exchange,
    Open,
    Operation,
    Steps,
    Unary,
    Upload,
)
from convolved.session.sources import Source
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.framing import (
    parse_filter_request,
    parse_gradients_request,
    parse_gradients_response,
    parse_request,
    parse_response,
    serialize,
)
from convolved.wire.status import error_from, status_of
from convolved_vocabulary import ConvolvedError, Filter, Options
from tests.client.fake import Honest, Peer

T = TypeVar("T")


def perform(steps: Steps[T], server: Honest) -> T:
    """Every message goes through its bytes, every error through its status."""
    try:
        operation = next(steps)
        while True:
            try:
                answer = answered(operation, server)
            except ConvolvedError as error:
                operation = steps.throw(received(error))
            else:
                operation = steps.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


def received(error: ConvolvedError) -> ConvolvedError:
    import grpc

    status = status_of(error)
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    return error_from(code, status.message, status.SerializeToString())


def answered(operation: Operation, server: Honest) -> Any:
    match operation:
        case Unary(method, request):
            kind = getattr(pb, f"{method.name}Request")
            found = server.handlers()[method.name](kind.FromString(serialize(request)), None)
            return method.parse(serialize(found))
        case Upload(method, requests):
            sent = (parse_filter_request(serialize(request)) for request in requests())
            return method.parse(serialize(server.handlers()[method.name](sent, None)))
        case Exchange(session):
            server.calls.append("StreamConvolve")
            for message in exchanged(Peer(server), session.requests()):
                session.receive(message)
            return session.end()
        case Differentiate(problem):
            asked = (parse_gradients_request(serialize(each)) for each in problem.requests())
            for answer in server.gradients(asked, None):
                problem.receive(parse_gradients_response(serialize(answer)))
            return problem.end()
        case Open(live):
            server.calls.append("StreamConvolve")
            peer = Peer(server)
            talk(live, peer, live.opening())
            return peer


def exchanged(peer: Peer, requests: Iterator[Any]) -> Iterator[Any]:
    """What a peer answers, message by message."""
    for request in requests:
        raw = serialize(request)
        assert len(raw) <= 4 << 20
        for response in peer.take(parse_request(raw)):
            yield parse_response(serialize(response))


def opened(
    filter: Filter, channels: int = 2, dtype: str = "float32", history: int = 0
) -> LiveSession:
    """A live stream that has not yet said anything."""
    opening = Opening.checked(filter, channels, (), dtype, 64, None, Options(), history)
    return LiveSession(Source(filter), opening)


def talk(live: LiveSession, peer: Peer, requests: Iterator[Any]) -> None:
    """Send requests and feed the answers, of which only the last completes."""
    done = [live.receive(message) for message in exchanged(peer, requests)]
    assert done
    assert done == [False] * (len(done) - 1) + [True]


__all__ = ["exchanged", "opened", "perform", "talk"]
