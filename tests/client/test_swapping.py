"""Filters that take over in mid-stream, through both clients and a real server, as it sounds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import convolved_engine as engine
from convolved import NotFound, impulse_response
from tests.client.both import CLIENTS
from tests.server.harness import Running, serving

RNG = np.random.default_rng(23)
RESPONSES = [RNG.standard_normal(n).astype(np.float32) for n in (40, 7, 33)]
LONG = [RNG.standard_normal(n).astype(np.float32) for n in (2000, 1999, 600)]
HZ = 48_000


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serving() as server:
        yield server


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, running: Running) -> Iterator[Any]:
    with CLIENTS[request.param](running.address) as found:
        yield found


def swapped(
    live: Any,
    x: NDArray[np.float32],
    cuts: list[int],
    swaps: dict[int, tuple[Any, dict[str, Any]]],
) -> NDArray[np.float32]:
    """The whole output, with swaps asked for before the blocks of those numbers."""
    found = []
    for number, (begin, end) in enumerate(pairwise([0, *accumulate(cuts)])):
        if number in swaps:
            filter, named = swaps[number]
            told = live.swap(filter, **named)
            assert told == named.get("at", told)
        found.append(live.push(x[begin:end]))
    return np.concatenate([*found, live.flush()[0]])


@pytest.mark.parametrize("responses", [RESPONSES, LONG], ids=["short", "long"])
def test_swaps_sound_as_the_engines_however_the_input_is_cut(
    client: Any, responses: list[NDArray[np.float32]]
) -> None:
    @settings(max_examples=10)
    @given(
        st.lists(st.integers(0, 1500), min_size=3, max_size=9),
        st.integers(0, 800),
        st.integers(0, 900),
        st.booleans(),
    )
    def law(cuts: list[int], fade: int, later: int, registered: bool) -> None:
        x = RNG.standard_normal(sum(cuts) + 1).astype(np.float32)
        cuts = [*cuts, 1]
        second, third = responses[1:]
        swaps: dict[int, tuple[Any, dict[str, Any]]] = {
            1: (client.register(second) if registered else second, {"fade": fade}),
            2: (third, {"at": sum(cuts[:2]) + fade + later, "fade": 50, "curve": "raised_cosine"}),
        }
        with client.stream(responses[0], block=64) as live:
            found = swapped(live, x, cuts, swaps)
        swaps[1] = (second, swaps[1][1])
        expected = swapped(engine.stream(responses[0], block=64), x, cuts, swaps)
        np.testing.assert_array_equal(found, expected)

    law()


def test_a_sine_through_a_fade_has_no_energy_outside_its_band(client: Any) -> None:
    x = np.sin(2 * np.pi * 1000 / HZ * np.arange(2 * HZ)).astype(np.float32)
    near, far = (impulse_response(np.hanning(n).astype(np.float32) / n) for n in (65, 1023))

    def outside(**named: Any) -> float:
        with client.stream(near, history=1023) as live:
            found = swapped(live, x, [HZ, 512, HZ - 512], {1: (far, named)})
        y = found[4800 : 2 * HZ - 4800].astype(np.float64)
        power = np.abs(np.fft.rfft(y * np.kaiser(y.size, 20))) ** 2
        away = np.abs(np.fft.rfftfreq(y.size, 1 / HZ) - 1000) > 300
        return float(10 * np.log10(power[away].sum() / power.sum()))

    assert outside(fade=4800, curve="raised_cosine") < -110
    assert outside(fade=4800) < -75
    # What clicks is heard by this test.
    assert outside(fade=0) > -40


def test_the_new_filter_sounds_as_if_it_had_always_run(client: Any) -> None:
    x = RNG.standard_normal(6000).astype(np.float32)
    with client.stream(RESPONSES[0], history=2000) as live:
        found = swapped(live, x, [3000, 3000], {1: (LONG[0], {})})
        assert live.swaps == ()
        assert live.filter == impulse_response(LONG[0])
    always = engine.apply(x, LONG[0])
    np.testing.assert_allclose(found[3000:], always[3000:], atol=2e-3)


def test_a_swap_that_the_server_refuses_leaves_the_stream_as_it_is(client: Any) -> None:
    x = RNG.standard_normal(3000).astype(np.float32)
    gone = client.register(RESPONSES[1])
    with client.stream(RESPONSES[0]) as live:
        found = [live.push(x[:1000])]
        # Now the client knows what it is, and need not ask.
        client.plan(gone.name, (100,))
        client.delete_filter(gone)
        with pytest.raises(NotFound, match="a name alone does not bring it back"):
            live.swap(gone.name)
        found.append(live.push(x[1000:]))
        found.append(live.flush()[0])
    np.testing.assert_allclose(np.concatenate(found), engine.apply(x, RESPONSES[0]), atol=1e-4)


def test_a_filter_that_the_server_has_forgotten_is_given_to_it_again(client: Any) -> None:
    x = RNG.standard_normal(3000).astype(np.float32)
    taps = RNG.standard_normal(40).astype(np.float32)
    handle = client.register(taps)
    client.delete_filter(handle)
    with client.stream(RESPONSES[0]) as live:
        found = swapped(live, x, [1000, 2000], {1: (handle, {"fade": 100})})
    expected = swapped(engine.stream(RESPONSES[0]), x, [1000, 2000], {1: (taps, {"fade": 100})})
    np.testing.assert_array_equal(found, expected)


def test_a_filter_that_no_message_holds_can_take_over(client: Any) -> None:
    taps = np.zeros(1_100_000, np.float32)
    taps[0] = 2
    with client.stream(RESPONSES[0], history=taps.size) as live:
        assert live.swap(taps) == 0
        np.testing.assert_allclose(live.push(np.ones(100, np.float32)), 2, atol=1e-5)


def test_after_reset_the_first_filter_is_back(client: Any) -> None:
    x = RNG.standard_normal(500).astype(np.float32)
    with client.stream(RESPONSES[0]) as live:
        first = live.push(x)
        live.swap(RESPONSES[1])
        assert not np.array_equal(live.push(x), first)
        live.reset()
        np.testing.assert_array_equal(live.push(x), first)
