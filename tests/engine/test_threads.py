"""One pool, small chunks, one setting."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from convolved_engine import threads

COUNTED = "from convolved_engine import threads; print(threads.limit())"


def ask(program: str, **setting: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != threads.SETTING}
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment | setting,
        check=False,
    )


@pytest.mark.parametrize("count", [0, 1, 7, 100])
@pytest.mark.parametrize("used", [1, 2, 5])
@pytest.mark.parametrize("chunk", [1, 3, 200])
def test_every_item_is_computed_exactly_once(count: int, used: int, chunk: int) -> None:
    done: list[int] = []
    threads.for_each_chunk(count, lambda a, b: done.extend(range(a, b)), used, chunk)
    assert sorted(done) == list(range(count))


def test_chunks_run_beside_each_other() -> None:
    meeting = threading.Barrier(2, timeout=30)

    def work(first: int, last: int) -> None:
        del first, last
        meeting.wait()

    threads.for_each_chunk(2, work, 2)


def test_threads_that_take_for_themselves_meet_in_one_call() -> None:
    meeting, met = threading.Barrier(2, timeout=30), []

    def work() -> None:
        met.append(meeting.wait())

    threads.on_threads(work, 2)
    assert sorted(met) == [0, 1]


def test_a_failure_in_any_thread_reaches_the_caller() -> None:
    def work(first: int, last: int) -> None:
        del last
        if first == 5:
            raise RuntimeError("five")

    with pytest.raises(RuntimeError, match="five"):
        threads.for_each_chunk(40, work, 3)


def test_nobody_still_computes_when_a_failure_has_been_reported() -> None:
    running, entered = [0], threading.Event()
    lock = threading.Lock()

    def work(first: int, last: int) -> None:
        del last
        if first == 0:
            entered.wait(10)
            raise RuntimeError("first")
        with lock:
            running[0] += 1
        entered.set()
        threading.Event().wait(0.05)
        with lock:
            running[0] -= 1

    with pytest.raises(RuntimeError, match="first"):
        threads.for_each_chunk(6, work, 2)
    assert running[0] == 0


@pytest.mark.parametrize("used_before", [True, False])
def test_who_outlives_the_main_thread_goes_on_alone(used_before: bool) -> None:
    program = f"""
import atexit, threading
from convolved_engine import threads

def compute(where):
    done = []
    threads.for_each_chunk(9, lambda a, b: done.extend(range(a, b)), 3)
    print(where, sorted(done) == list(range(9)))

def later():
    threading.main_thread().join()
    compute("later")

if {used_before}:
    compute("now")
atexit.register(compute, "last")
threading.Thread(target=later).start()
"""
    answer = ask(program, CONVOLVED_THREADS="3")
    assert answer.stderr == ""
    now = ["now True"] if used_before else []
    assert answer.stdout.splitlines() == [*now, "later True", "last True"]


def test_after_a_failure_nobody_begins_another_chunk() -> None:
    failed, begun = threading.Event(), []

    def work(first: int, last: int) -> None:
        del last
        begun.append(first)
        if threading.current_thread() is threading.main_thread():
            failed.set()
            raise KeyboardInterrupt
        assert failed.wait(30)
        threading.Event().wait(0.1)

    with pytest.raises(KeyboardInterrupt):
        threads.for_each_chunk(1000, work, 3)
    assert len(begun) < 20


@pytest.mark.skipif(threads.available_cores() < 2, reason="a helper needs a core of its own")
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_helpers_keep_off_the_core_of_the_caller_and_may_use_all_others() -> None:
    program = """
import os, threading
from convolved_engine import threads

cores, found = os.sched_getaffinity(0), []
meeting = threading.Barrier(2, timeout=30)

def work():
    meeting.wait()
    if threading.current_thread() is not threading.main_thread():
        found.append(os.sched_getaffinity(0))

for core in sorted(cores) * 2:
    os.sched_setaffinity(0, {core})
    os.sched_setaffinity(0, cores)
    threads.on_threads(work, 2)
later = [frozenset(each) for each in found[1:]]
print(all(len(each) == len(cores) - 1 for each in later), len(set(later)) > 1)
"""
    assert ask(program, CONVOLVED_THREADS="2").stdout.strip() == "True True"


def test_the_setting_says_how_many_threads() -> None:
    assert ask(COUNTED, CONVOLVED_THREADS="3").stdout.strip() == "3"
    assert ask(COUNTED).stdout.strip() == str(threads.available_cores())


@pytest.mark.parametrize("wrong", ["0", "-1", "two", ""])
def test_a_wrong_setting_is_refused_by_name(wrong: str) -> None:
    answer = ask(COUNTED, CONVOLVED_THREADS=wrong)
    assert answer.returncode != 0
    assert f"CONVOLVED_THREADS: got {wrong!r}; want a whole number" in answer.stderr


def test_blas_is_kept_to_one_thread_only_while_we_need_it() -> None:
    from threadpoolctl import threadpool_info

    def counts() -> list[int]:
        return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]

    before = counts()
    with threads.blas_on_one_thread():
        with threads.blas_on_one_thread():
            assert set(counts()) <= {1}
        assert set(counts()) <= {1}
    assert counts() == before


def test_whichever_thread_needs_blas_on_one_thread_has_it_so() -> None:
    from threadpoolctl import threadpool_info

    def counts() -> list[int]:
        return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]

    def hold(entered: threading.Event, left: threading.Event) -> list[int]:
        with threads.blas_on_one_thread():
            entered.set()
            assert left.wait(30)
            return counts()

    before = counts()
    with threads.blas_on_one_thread():
        pass
    first, second, leave_first, leave_second = (threading.Event() for _ in range(4))
    with ThreadPoolExecutor(2) as callers:
        earlier = callers.submit(hold, first, leave_first)
        assert first.wait(30)
        later = callers.submit(hold, second, leave_second)
        assert second.wait(30)
        leave_first.set()
        assert set(earlier.result()) <= {1}
        leave_second.set()
        assert set(later.result()) <= {1}
    assert counts() == before


def test_importing_the_engine_starts_no_thread_and_compiles_nothing() -> None:
    program = (
        "import sys, threading, convolved_engine, convolved_engine.algorithms;"
        "print(threading.active_count(), 'numba' in sys.modules, 'pyfftw' in sys.modules)"
    )
    assert ask(program).stdout.strip() == "1 False False"


def test_work_done_by_oneself_is_dealt_to_nobody() -> None:
    done: list[tuple[int, int, int]] = []

    def work(first: int, last: int) -> None:
        done.append((first, last, threading.get_ident()))

    with threads.by_oneself():
        threads.for_each_chunk(40, work, 4)
        with threads.by_oneself():
            pass
        threads.for_each_chunk(40, work)
    assert done == [(0, 40, threading.get_ident())] * 2
    threads.for_each_chunk(40, work, 4)
    assert len(done) == 42
