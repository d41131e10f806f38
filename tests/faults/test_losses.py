"""Servers are killed and wires cut at random moments; no sample is lost, repeated or wrong."""

from __future__ import annotations

import random

import pytest

from .disturbed import Disturbance, disturb
from .fleet import Fleet


@pytest.mark.parametrize(
    ("cuts", "kills", "seed"),
    [
        (4, 1, 1),
        pytest.param(180, 20, 2, marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
)
@pytest.mark.parametrize("swapping", [False, True], ids=["", "with swaps"])
def test_whatever_is_lost_every_sample_comes_once_and_is_the_same(
    cuts: int, kills: int, seed: int, swapping: bool
) -> None:
    disturbance = Disturbance(random.Random(seed))
    with Fleet(2, passed=disturbance.passed) as fleet:
        outcome = disturb(fleet, disturbance, seed, cuts=cuts, kills=kills, swapping=swapping)
    assert outcome.wrong == []
    assert (disturbance.cuts, len(fleet.kills)) == (cuts, kills)
    # Some fall between two calls, or together.
    assert outcome.resumes >= (cuts + kills) // 3
    assert max(outcome.seconds_to_resume) < 30
