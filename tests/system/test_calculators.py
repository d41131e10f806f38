"""What is calculated of a filter is the same by the values, the engine and the wire."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convolved_engine as engine
from convolved import Client, Conv, ConvTranspose, Filter
from convolved_vocabulary import dense_against_separable
from tests.engine.operations.drawn import filters, signals

DTYPES = ("float32", "complex128", "int16")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client.embedded() as found:
        yield found


@settings(max_examples=150)
@given(data=st.data(), dtype=st.sampled_from(DTYPES), batch=st.integers(1, 2))
def test_a_plan_over_the_wire_calculates_what_the_engine_does(
    client: Client, data: st.DataObject, dtype: str, batch: int
) -> None:
    filter = data.draw(filters(dtype, ranks=(1, 2, 3), streamable=False))
    x = data.draw(signals(filter, dtype, most=12, batch=batch))
    told, ours = (f.plan(filter, x.shape, dtype=dtype) for f in (client, engine))
    for name in ("output_shape", "output_dtype", "receptive_field", "separable"):
        assert getattr(told, name) == getattr(ours, name)
    assert told.output_shape == filter.output_shape(x.shape)
    assert told.output_dtype == filter.output_dtype(dtype)
    assert told.receptive_field == filter.receptive_field
    assert told.multiply_adds == ours.multiply_adds == filter.multiply_adds(x.shape)
    assert told.parameter_count == ours.parameter_count == filter.parameter_count
    assert told.separable == dense_against_separable(filter, x.shape)


@settings(max_examples=50)
@given(filter=st.sampled_from(DTYPES).flatmap(lambda dtype: filters(dtype, ranks=(1, 2, 3))))
def test_a_registered_filter_is_described_by_what_follows_from_it(
    client: Client, filter: Filter
) -> None:
    about = client.get_filter(client.register(filter))
    assert about.parameter_count == filter.parameter_count
    assert about.receptive_field == filter.receptive_field
    assert about.delay == filter.delay
    assert about in client.filters()


def test_a_dense_layer_and_its_separable_forms_are_told_in_full(client: Client) -> None:
    layers = [
        Conv(np.ones((8, 4, 3, 5), np.float32), stride=(1, 2), padding="same"),
        ConvTranspose(np.ones((8, 2, 2, 2), np.float32), stride=2),
    ]
    plan = client.plan(Filter(layers), (4, 10, 20))
    forms = {(each.layer, each.form): each for each in plan.separable}
    assert forms.keys() == {(0, "depthwise"), (0, "axes"), (1, "depthwise"), (1, "axes")}
    assert sum(forms[layer, "axes"].dense_multiply_adds for layer in (0, 1)) == plan.multiply_adds
    depthwise, axes = forms[0, "depthwise"], forms[0, "axes"]
    assert depthwise.separable_multiply_adds == (4 * 15 + 8 * 4) * prod((10, 10))
    assert axes.separable_multiply_adds == 8 * 4 * (3 * prod((10, 20)) + 5 * prod((10, 10)))
    assert (axes.separable_parameters, axes.dense_parameters) == (8 * 4 * 8, 8 * 4 * 15)
