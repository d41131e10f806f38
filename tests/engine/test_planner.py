"""The planner chooses by predicted time, says why, and keeps to the limits it is given."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest

from convolved_engine import machine, registry
from convolved_engine.planner import default_rigor, plan
from convolved_engine.problem import Problem
from convolved_vocabulary.errors import InvalidArgument, ResourceExhausted

SHORT = Problem.of((1, 1, 480_000), (1, 1, 15), dtype="float32")
LONG = Problem.of((1, 1, 480_000), (1, 1, 8191), dtype="float32")


def test_short_kernels_go_directly_and_long_ones_by_transform() -> None:
    assert plan(SHORT).chosen.algorithm == "direct"
    assert plan(LONG).chosen.algorithm == "overlap_save"


def test_every_algorithm_is_a_candidate_and_says_why_it_lost() -> None:
    for problem in (SHORT, LONG, dataclasses.replace(LONG, dtype=np.dtype("int64"))):
        choice = plan(problem)
        names = [choice.chosen.algorithm, *(each.algorithm for each in choice.rejected)]
        assert sorted(names) == sorted(each.name for each in registry.algorithms())
        assert all(each.reason for each in (choice.chosen, *choice.rejected))
        able = [each for each in choice.rejected if each.predicted_seconds is not None]
        times = [choice.chosen.predicted_seconds, *(each.predicted_seconds for each in able)]
        assert times == sorted(times)  # type: ignore[type-var]  # all of these have one


def test_the_one_asked_for_is_taken_whatever_it_costs() -> None:
    choice = plan(SHORT, algorithm="overlap_save")
    assert choice.chosen.algorithm == "overlap_save"
    assert choice.chosen.reason == "asked for"
    assert {each.reason for each in choice.rejected} == {"overlap_save was asked for"}


def test_an_unknown_algorithm_is_refused_naming_the_known_ones() -> None:
    with pytest.raises(InvalidArgument, match=r"algorithm: got 'fastest'; want one of 'direct'"):
        plan(SHORT, algorithm="fastest")


def test_an_algorithm_that_cannot_do_it_is_refused_with_the_reason() -> None:
    strict = dataclasses.replace(LONG, accuracy="strict")
    with pytest.raises(InvalidArgument, match="strict"):
        plan(strict, algorithm="overlap_save")
    assert plan(strict).chosen.algorithm != "overlap_save"


def test_a_memory_limit_is_kept_by_smaller_tiles() -> None:
    choice = plan(LONG)
    needed = choice.chosen.workspace_bytes
    smaller = plan(LONG, memory_limit=needed - 1)
    assert smaller.chosen.algorithm == choice.chosen.algorithm == "overlap_save"
    assert smaller.chosen.workspace_bytes < needed
    assert smaller.chosen.parameters != choice.chosen.parameters


def test_what_no_tile_makes_small_enough_is_turned_down_saying_so() -> None:
    limit = plan(LONG, algorithm="direct").chosen.workspace_bytes
    choice = plan(LONG, memory_limit=limit)
    assert choice.chosen.algorithm == "direct"
    (lost,) = (each for each in choice.rejected if each.algorithm == "overlap_save")
    assert lost.reason == f"its workspace exceeds the limit of {limit} bytes"
    assert lost.workspace_bytes > limit


def test_a_limit_below_them_all_names_the_least_that_would_do() -> None:
    with pytest.raises(ResourceExhausted, match=r"memory_limit: got 100 .* want at least \d+"):
        plan(LONG, memory_limit=100)
    with pytest.raises(ResourceExhausted) as refused:
        plan(LONG, memory_limit=100)
    least = int(str(refused.value).rsplit(" ", 1)[1])
    assert plan(LONG, memory_limit=least).chosen.workspace_bytes == least


def test_streams_get_an_algorithm_whose_bits_do_not_depend_on_cuts() -> None:
    choice = plan(LONG, cuts="any")
    assert choice.algorithm.cut_invariant
    assert any("cut" in each.reason for each in choice.rejected)


def test_whole_signals_in_pieces_get_one_that_has_a_grid_where_that_is_fastest() -> None:
    long = Problem.of((1, 1, 4_000_000), (1, 1, 1_572_864), dtype="float32")
    choice = plan(long, cuts="grid")
    assert choice.algorithm.has_grid
    assert choice.cost.seconds < 0.1 * plan(long, cuts="any").cost.seconds


def test_replicas_with_equal_constants_choose_alike() -> None:
    program = (
        "import pickle, sys; from convolved_engine.planner import plan;"
        "problems, machine = pickle.load(sys.stdin.buffer);"
        "print([str(plan(p, machine=machine).chosen) for p in problems])"
    )
    given = pickle.dumps(([SHORT, LONG], machine.current()))
    answer = subprocess.run(
        [sys.executable, "-c", program], input=given, capture_output=True, check=True
    )
    here = [str(plan(problem, machine=machine.current()).chosen) for problem in (SHORT, LONG)]
    assert answer.stdout.decode().strip() == str(here)


def test_a_new_problem_is_planned_within_milliseconds_and_a_known_one_at_once() -> None:
    def seconds(problem: Problem) -> float:
        begin = time.perf_counter()
        plan(problem)
        return time.perf_counter() - begin

    new = [Problem.of((1, 1, n), (1, 1, 63), dtype="float32") for n in range(5000, 5020)]
    assert min(map(seconds, new)) < 5e-3
    assert min(seconds(new[0]) for _ in range(100)) < 20e-6


def test_a_weight_that_is_used_once_is_sooner_prepared() -> None:
    layer = Problem.of((1, 16, 3000), (16, 16, 900), dtype="float32")
    often, once = (
        plan(layer, algorithm="overlap_save"),
        plan(layer, algorithm="overlap_save", once=True),
    )
    assert once.cost.preparing_seconds <= often.cost.preparing_seconds
    seconds = [each.cost.seconds + each.cost.preparing_seconds for each in (once, often)]
    assert once.chosen.predicted_seconds == seconds[0] <= seconds[1]


def test_rigor_is_asked_for_by_a_setting_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting, expected in (("", "estimate"), ("measure", "measure")):
        default_rigor.cache_clear()
        monkeypatch.setenv("CONVOLVED_RIGOR", setting)
        assert default_rigor() == expected
    default_rigor.cache_clear()
    monkeypatch.setenv("CONVOLVED_RIGOR", "patient")
    with pytest.raises(InvalidArgument, match="CONVOLVED_RIGOR: got 'patient'; want 'estimate'"):
        plan(SHORT)
    default_rigor.cache_clear()


def test_a_kernel_longer_than_the_padded_signal_is_refused_in_numbers() -> None:
    with pytest.raises(InvalidArgument, match=r"size: got 5 samples and padding \(1, 1\)"):
        Problem.of((1, 1, 5), (1, 1, 8), dtype="float32", pads=((1, 1),))


def test_a_problem_counts_exactly_where_fixed_integers_would_overflow() -> None:
    vast = Problem.of((1, 2**31, 2**31), (2**31, 2**31, 7), dtype="float32", pads=((3, 3),))
    assert vast.multiply_adds == 2**31 * 2**31 * 2**31 * 7
    assert plan(vast).chosen.algorithm
