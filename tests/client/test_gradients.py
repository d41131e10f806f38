"""Gradients from both clients are the engine's, of any size, and survive a server that is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import convolved_engine as engine
from convolved import Affine, AsyncClient, Client, Conv, Filter, Gradients, Internal, Unavailable
from convolved.session.calls import Session
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.framing import PartFrame
from tests.client.fake import Honest, serving
from tests.client.perform import perform

RANDOM = np.random.default_rng(7)


def noise(*shape: int) -> NDArray[np.float32]:
    return RANDOM.standard_normal(shape).astype(np.float32)


STACK = Filter([Conv(noise(3, 2, 5), noise(3)), Affine(noise(3))])
LONG = Filter(Conv(noise(2, 1, 300_000)))


def assert_same(found: Gradients, expected: Gradients) -> None:
    assert found.input.shape == expected.input.shape
    np.testing.assert_allclose(found.input, expected.input, rtol=1e-3, atol=1e-3)
    for ours, theirs in zip(found.layers, expected.layers, strict=True):
        assert set(ours) == set(theirs)
        for name, gradient in theirs.items():
            np.testing.assert_allclose(ours[name], gradient, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [(2, 60), (4, 2, 60)])
def test_gradients_are_those_of_the_engine(client: Client, shape: tuple[int, ...]) -> None:
    x = noise(*shape)
    grad = noise(*engine.apply(x, STACK).shape)
    expected = engine.gradients(x, STACK, grad)
    assert_same(client.gradients(x, STACK, grad), expected)
    handle = client.register(STACK)
    assert_same(client.gradients(x, handle, grad, accuracy="strict"), expected)
    assert_same(client.gradients(x, handle.name, grad), expected)


def test_a_bare_signal_has_bare_gradients(client: Client) -> None:
    x, taps, grad = noise(40), noise(4), noise(43)
    found = client.gradients(x, taps, grad)
    assert_same(found, engine.gradients(x, taps, grad))
    found.input[:] = 0


@pytest.mark.asyncio
async def test_what_fits_no_message_goes_in_pieces(address: str, client: Client) -> None:
    x, grad = noise(1_300_000)[::-1], noise(2, 1_000_001)
    expected = engine.gradients(x, LONG, grad)
    assert_same(client.gradients(x, LONG, grad), expected)
    async with AsyncClient(address) as other:
        assert_same(await other.gradients(x, LONG, grad), expected)
        assert_same(await other.gradients(x, await other.register(LONG), grad), expected)


def test_a_registered_filter_that_the_server_lacks_is_given_to_it_again() -> None:
    server, session = Honest(), Session()
    handle = perform(session.register(STACK, False, None), server)
    server.filters.clear()
    x = noise(2, 60)
    grad = noise(3, 56)
    found = perform(session.gradients(x, handle, grad, None, "fast", "auto"), server)
    assert_same(found, engine.gradients(x, STACK, grad))
    assert server.calls[-3:] == ["ComputeGradients", "CreateFilter", "ComputeGradients"]


class Losing(Honest):
    """Loses the first call after its first message."""

    def gradients(self, requests: Iterator[Any], context: object) -> Iterator[Any]:
        first, *others = super().gradients(requests, context)
        yield first
        if self.calls.count("ComputeGradients") == 1:
            raise Unavailable("lost")
        yield from others


@pytest.mark.asyncio
async def test_a_call_that_is_lost_is_made_again_from_its_beginning() -> None:
    server, x, grad = Losing(), noise(1_300_000), noise(2, 1_000_001)
    expected = engine.gradients(x, LONG, grad)
    with serving(server.handlers()) as address, Client(address) as client:
        handle = client.register(LONG)
        assert_same(client.gradients(x, handle, grad), expected)
        assert client.resumes == 1
        server.calls.clear()
        async with AsyncClient(address) as other:
            await other.register(LONG)
            assert_same(await other.gradients(x, handle, grad), expected)
            assert other.resumes == 1


def answered(change: Callable[[list[Any]], list[Any]], x: NDArray[Any]) -> None:
    class Faulty(Honest):
        def gradients(self, requests: Iterator[Any], context: object) -> Iterator[Any]:
            yield from change(list(super().gradients(requests, context)))

    grad = np.ones(x.shape, np.float32)
    filter = Filter(Affine(noise(1)))
    perform(Session().gradients(x, filter, grad, None, "fast", "auto"), Faulty())


def other_shape(messages: list[Any]) -> list[Any]:
    messages[0].gradients.input.shape[-1] += 1
    return messages


def without_scale(messages: list[Any]) -> list[Any]:
    messages[0].gradients.layers[0].ClearField("scale")
    return messages


def cut_data(messages: list[Any]) -> list[Any]:
    message: pb.ComputeGradientsResponse = messages[0]
    message.gradients.input.data = message.gradients.input.data[:-4]
    return messages


@pytest.mark.parametrize("change", [other_shape, without_scale, cut_data])
def test_gradients_that_do_not_fit_the_problem_are_a_fault_of_the_server(
    change: Callable[[list[Any]], list[Any]],
) -> None:
    with pytest.raises(Internal, match="the server sent"):
        answered(change, noise(1, 30))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda messages: messages[:-1], Unavailable),
        (lambda messages: messages[:0], Unavailable),
        (lambda messages: messages[1:], Internal),
        (lambda messages: [*messages, PartFrame(2, 0, b"more")], Internal),
    ],
)
def test_pieces_that_are_missing_or_too_many_are_noticed(
    change: Callable[[list[Any]], list[Any]], error: type[Exception]
) -> None:
    with pytest.raises(error):
        answered(change, noise(1, 600_000))
