"""Prepared weights are kept for the next call, within their bytes, whoever asks for them."""

from __future__ import annotations

from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from convolved_engine.planner import Choice, plan
from convolved_engine.prepared import PreparedWeights
from convolved_engine.problem import Problem
from convolved_engine.registry import Runnable
from convolved_vocabulary.errors import InvalidArgument

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
