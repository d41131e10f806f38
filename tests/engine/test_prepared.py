"""Prepared weights are kept for the next call, within their bytes, whoever asks for them."""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from convolved_engine import machine
from convolved_engine.planner import Choice, plan
from convolved_engine.prepared import PreparedWeights
from convolved_engine.problem import Problem
from convolved_engine.registry import Cost, Runnable, algorithm, algorithms
from convolved_engine.streaming.partitioned import (
    PartitionedResponse,
    PartitionedStream,
    scheme_for,
)
from convolved_vocabulary import Conv, impulse_response
from convolved_vocabulary.errors import InvalidArgument
from tests.engine.cases import data

WEIGHT = np.ones((1, 1, 1000), np.float32)


def choice(n: int = 5000) -> Choice:
    return plan(Problem.of((1, 1, n), WEIGHT.shape, dtype="float32"), algorithm="direct")


def get(kept: PreparedWeights, identity: Hashable | None, n: int = 5000) -> Runnable:
    return kept.get(choice(n), WEIGHT, None, identity)


def test_a_weight_is_prepared_once_for_all_sizes() -> None:
    kept = PreparedWeights()
    assert get(kept, "hall") is get(kept, "hall")
    assert get(kept, "hall", 7000) is get(kept, "hall", 5000)
    assert get(kept, "room") is not get(kept, "hall")
    assert kept.nbytes == 2 * get(kept, "hall").nbytes


def test_without_an_identity_nothing_is_kept() -> None:
    kept = PreparedWeights()
    assert get(kept, None) is not get(kept, None)
    assert kept.nbytes == 0


def test_the_longest_unused_is_given_up_when_bytes_run_out() -> None:
    room = get(PreparedWeights(), "one").nbytes * 2
    kept = PreparedWeights(room)
    first, second = get(kept, "first"), get(kept, "second")
    assert get(kept, "first") is first
    get(kept, "third")
    assert kept.nbytes <= room
    assert get(kept, "first") is first
    assert get(kept, "second") is not second


def test_what_is_larger_than_the_cache_is_handed_out_and_not_kept() -> None:
    kept = PreparedWeights(10)
    assert get(kept, "large").nbytes > 10
    assert kept.nbytes == 0


def test_a_forgotten_weight_is_prepared_anew() -> None:
    kept = PreparedWeights()
    before = get(kept, "hall")
    kept.forget("hall")
    assert kept.nbytes == 0
    assert get(kept, "hall") is not before


def test_many_threads_that_ask_at_once_share_one_preparation() -> None:
    kept = PreparedWeights()
    with ThreadPoolExecutor(8) as callers:
        found = set(map(id, callers.map(lambda _: get(kept, "hall"), range(64))))
    assert len(found) == 1


def test_a_failure_to_prepare_reaches_its_caller_and_leaves_nothing() -> None:
    kept = PreparedWeights()
    with pytest.raises(InvalidArgument, match="weight: got shape"):
        kept.get(choice(), np.ones((1, 1, 7), np.float32), None, "wrong")
    assert kept.nbytes == 0
    with pytest.raises(InvalidArgument, match="weight: got shape"):
        kept.get(choice(), np.ones((1, 1, 7), np.float32), None, "wrong")


def is_freed(use: Callable[[], object]) -> bool:
    """Whether what `use` made and returned goes with its last holder, not by garbage collection."""
    # The first time kernels are compiled, which leaves garbage of its own.
    use()
    gc.disable()
    try:
        return weakref.ref(use())() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("name", [each.name for each in algorithms()])
def test_what_nobody_holds_is_freed_at_once(name: str) -> None:
    problem = Problem.of((1, 8, 3000), (16, 8, 300), dtype="float32")
    x, weight, bias = data(problem)

    def used(cost: Cost) -> Runnable:
        made = algorithm(name).prepare(problem, weight, bias, cost.parameters)
        made(x, np.empty(problem.output_shape, np.float32), 1)
        return made

    for cost in algorithm(name).costs(problem, machine.current()):
        assert is_freed(functools.partial(used, cost)), cost.parameters


def test_a_response_that_no_stream_holds_is_freed_at_once() -> None:
    taps = np.ones((1, 1, 3000), np.float32)
    layer = impulse_response(taps[0, 0]).layers[0]
    assert isinstance(layer, Conv)
    scheme = scheme_for(layer, taps.dtype, 64, long=True)
    assert scheme is not None

    def used() -> PartitionedResponse:
        made = PartitionedResponse(taps, None, 1, scheme)
        PartitionedStream(made, 1, 2999, 2999, 64).push(np.ones((1, 1, 100), np.float32))
        return made

    assert is_freed(used)
