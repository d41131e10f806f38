"""The law of streams as a caller of the clients meets it, for filters and cuts that are drawn."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import convolved_engine as engine
from convolved import AsyncClient, Client, Filter
from tests.engine.operations.drawn import filters, signals

DTYPES = ("float32", "float64", "complex64", "int16", "uint8", "float16")

Case = tuple[Filter, NDArray[Any], list[int]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A filter, a signal (channels, *size, n), and how long the pushes are; some push nothing."""
    dtype = draw(st.sampled_from(DTYPES))
    filter = draw(filters(dtype, ranks=(1, 1, 2, 3)))
    x = draw(signals(filter, dtype))[0]
    lengths = draw(st.lists(st.sampled_from((0, 1, 1, 2, 5, 17)), max_size=12))
    return filter, x, lengths


def pushes(x: NDArray[Any], lengths: list[int]) -> list[NDArray[Any]]:
    return np.split(x, np.minimum(np.cumsum(lengths), x.shape[-1]).astype(int), axis=-1)


def about(x: NDArray[Any]) -> dict[str, Any]:
    return {"channels": x.shape[0], "size": x.shape[1:-1], "dtype": x.dtype, "block": 16}


def at_once(filter: Filter, x: NDArray[Any]) -> bytes:
    live = engine.stream(filter, **about(x))
    return np.concatenate([live.push(x), live.flush()], axis=-1).tobytes()


@settings(max_examples=100)
@given(case=cases())
def test_each_push_returns_exactly_what_it_fixes(client: Client, case: Case) -> None:
    filter, x, lengths = case
    with client.stream(filter, **about(x)) as live:
        found = []
        for block in pushes(x, lengths):
            found.append(live.push(block))
            assert live.outputs == filter.ready(live.inputs)
            assert found[-1].dtype == filter.output_dtype(x.dtype)
        found.append(live.flush())
    joined = np.concatenate(found, axis=-1)
    assert joined.shape == filter.output_shape(x.shape)
    assert joined.tobytes() == at_once(filter, x)


@settings(max_examples=50)
@given(case=cases())
def test_each_awaited_push_returns_the_same(address: str, case: Case) -> None:
    filter, x, lengths = case

    async def streamed() -> NDArray[Any]:
        async with (
            AsyncClient(address) as client,
            await client.stream(filter, **about(x)) as live,
        ):
            found = [await live.push(block) for block in pushes(x, lengths)]
            assert live.outputs == filter.ready(live.inputs)
            return np.concatenate([*found, await live.flush()], axis=-1)

    assert asyncio.run(streamed()).tobytes() == at_once(filter, x)
