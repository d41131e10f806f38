"""Whatever filter comes, engine and clients give the same bits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import convolved_engine as engine
from convolved import AsyncClient, Client, Filter, embedded_server
from tests.engine.operations.drawn import filters, signals

DTYPES = (
    *("float16", "float32", "float64", "complex64", "complex128"),
    *("int8", "int16", "int32", "uint8", "uint16"),
)

Case = tuple[Filter, NDArray[Any]]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with embedded_server() as found:
        yield found


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[Client]:
    with Client(address) as found:
        yield found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A filter of 1 to 5 layers of any kind, and a signal with a batch or without."""
    dtype = draw(st.sampled_from(DTYPES))
    filter = draw(filters(dtype, ranks=(1, 1, 2, 3), streamable=False))
    x = draw(signals(filter, dtype, most=30, batch=2))
    return filter, x if draw(st.booleans()) else x[0]


def assert_same(found: NDArray[Any], expected: NDArray[Any]) -> None:
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert np.array_equal(found, expected, equal_nan=expected.dtype.kind in "fc")


@settings(max_examples=200)
@given(case=cases(), registered=st.booleans())
def test_a_client_gives_what_the_engine_gives(client: Client, case: Case, registered: bool) -> None:
    filter, x = case
    wanted = client.register(filter) if registered else filter
    assert_same(client.apply(x, wanted), engine.apply(x, filter))


def test_the_asyncio_client_gives_it_too(address: str) -> None:
    async def all_of_them() -> None:
        async with AsyncClient(address) as client:

            async def holds(filter: Filter, x: NDArray[Any]) -> None:
                assert_same(await client.apply(x, filter), engine.apply(x, filter))

            drawn: list[Case] = []

            @settings(max_examples=100)
            @given(case=cases())
            def draw(case: Case) -> None:
                drawn.append(case)

            draw()
            await asyncio.gather(*(holds(*case) for case in drawn))

    asyncio.run(all_of_them())
