"""The pool: tiny work runs where it stands, other work in threads, and cancelling ends both."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from convolved_server import compute
from convolved_server.compute import Pool
from tests.server.harness import PATIENCE


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool("test", 1)
    yield pool
    pool.close()


async def test_tiny_work_runs_on_the_loop_and_other_work_in_a_thread(pool: Pool) -> None:
    assert await pool.run(threading.get_ident, predicted=1e-6) == threading.get_ident()
    assert await pool.run(threading.get_ident, predicted=1e-3) != threading.get_ident()
    assert await pool.run(threading.get_ident) != threading.get_ident()


async def test_tiny_work_that_takes_more_than_its_share_is_sent_to_a_thread(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]

    def pass_time(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(
        compute, "time", SimpleNamespace(monotonic=lambda: now[0], thread_time=lambda: now[0])
    )
    await pool.run(lambda: pass_time(0.02), predicted=1e-6)
    assert await pool.run(threading.get_ident, predicted=1e-6) != threading.get_ident()
    pass_time(0.1)
    assert await pool.run(threading.get_ident, predicted=1e-6) == threading.get_ident()


async def test_errors_come_out_as_they_are(pool: Pool) -> None:
    def fail() -> None:
        raise KeyError("found by the caller")

    for predicted in (1e-6, None):
        with pytest.raises(KeyError, match="found by the caller"):
            await pool.run(fail, predicted=predicted)


async def test_cancelled_work_that_waits_never_begins(pool: Pool) -> None:
    release, begun = threading.Event(), threading.Event()
    first = asyncio.create_task(pool.run(release.wait))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(pool.run(begun.set))
    await asyncio.sleep(0.01)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    release.set()
    await first
    await pool.run(lambda: None)
    assert not begun.is_set()
    assert pool.working == 0


async def test_cancelled_work_that_runs_is_told_and_waited_for(pool: Pool) -> None:
    begun, stop, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert stop.wait(PATIENCE)
        time.sleep(0.02)
        ended.set()

    task = asyncio.create_task(pool.run(work, stop=stop))
    while not begun.is_set():  # noqa: ASYNC110 - a thread tells it
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    assert pool.working == 0
