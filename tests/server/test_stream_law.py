"""The law of streams over the wire, for filters and cuts that are drawn.

It is that of `tests/engine/test_stream_law.py`; the bits are those of the engine's own stream.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved_vocabulary import Filter
from tests.engine.operations.bounds import error_allowed
from tests.engine.operations.drawn import filters, signals
from tests.server.harness import Conversation, Running, block, create, end, start

DTYPES = ("float32", "float64", "complex64", "complex128", "int16", "uint8", "int32", "float16")

Case = tuple[Filter, NDArray[Any], list[int]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A filter of 1 to 5 layers, a signal (1, channels, *size, n), and where it is cut."""
    dtype = draw(st.sampled_from(DTYPES))
    filter = draw(filters(dtype, ranks=(1, 1, 2, 3)))
    x = draw(signals(filter, dtype))
    length = x.shape[-1]
    # Every block on the wire holds something.
    cuts = draw(st.sets(st.integers(1, max(1, length - 1)), max_size=12))
    return filter, x, sorted({0, *cuts, length})


def in_process(filter: Filter, x: NDArray[Any], total: int | None) -> NDArray[Any]:
    live = engine.open_stream(
        filter, channels=x.shape[0], size=x.shape[1:-1], dtype=x.dtype, block=16, total=total
    )
    return np.concatenate([live.push(x), live.flush()], axis=-1)


def samples(outputs: list[Any], opened: pb.Started, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The samples of some outputs, joined."""
    frame = tuple(opened.frame_shape)
    found = [np.frombuffer(each.data, dtype).reshape(*frame, -1) for each in outputs]
    return np.concatenate([np.empty((*frame, 0), dtype), *found], axis=-1)


def assert_agrees(found: NDArray[Any], filter: Filter, x: NDArray[Any]) -> None:
    """That an output is that of `apply`, within the bounds of the plans."""
    whole = engine.apply_arranged(x, filter)[0]
    assert found.shape == whole.shape
    live = engine.plan(filter, x.shape, dtype=x.dtype, block=16)
    allowed = error_allowed(filter, engine.plan(filter, x.shape, dtype=x.dtype), x)
    allowed += error_allowed(filter, live, x)
    same = (found == whole) | (np.isnan(found) & np.isnan(whole))
    with np.errstate(invalid="ignore", over="ignore"):
        apart = abs(found.astype(np.clongdouble) - whole.astype(np.clongdouble))
    assert np.where(same, 0, np.nan_to_num(apart, nan=np.inf)).max(initial=0) <= allowed


@pytest.mark.parametrize("registered", [False, True])
@settings(max_examples=150)
@given(case=cases())
def test_each_push_is_answered_by_exactly_what_it_fixes(
    server: Running, registered: bool, case: Case
) -> None:
    filter, x, cuts = case
    dtype = filter.output_dtype(x.dtype)
    source = create(server, filter).name if registered else filter
    call = Conversation(server.stub.StreamConvolve)
    call.say(start(source, x[0], block_samples=16))
    opened = call.hear()
    heard: list[Any] = []
    for begin, after in pairwise(cuts):
        call.say(block(begin, x[0][..., begin:after]))
        heard.append(call.hear())
        while heard[-1].more:
            heard.append(call.hear())
        assert samples(heard, opened, dtype).shape[-1] == filter.ready(after)
    call.say(end(x.shape[-1]))
    *tail, finished = call.rest()
    found = samples([*heard, *tail], opened, dtype)
    assert found.shape[-1] == finished.total_samples == filter.output_shape(x.shape)[-1]
    assert found.tobytes() == in_process(filter, x[0], None).tobytes()
    assert_agrees(found, filter, x)


@settings(max_examples=150)
@given(case=cases())
def test_no_cutting_of_a_whole_signal_changes_a_bit(server: Running, case: Case) -> None:
    filter, x, cuts = case
    length = x.shape[-1]
    call = Conversation(server.stub.StreamConvolve)
    call.say(start(filter, x[0], block_samples=16, total_samples=length))
    call.say(*(block(a, x[0][..., a:b]) for a, b in pairwise(cuts)), end(length))
    opened, *outputs, finished = call.rest()
    found = samples(outputs, opened, filter.output_dtype(x.dtype))
    assert found.shape[-1] == opened.total_samples == finished.total_samples
    assert found.tobytes() == in_process(filter, x[0], length).tobytes()
    assert_agrees(found, filter, x)
