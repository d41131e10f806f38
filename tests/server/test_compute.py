"""The pool: tiny work runs where it stands, other work in threads, and cancelling ends both."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from convolved_server.compute import Pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool("test", 1)
    yield pool
    pool.close()


async def test_tiny_work_runs_on_the_loop_and_other_work_in_a_thread(pool: Pool) -> None:
    assert await pool.run(threading.get_ident, predicted=1e-6) == threading.get_ident()
    assert await pool.run(threading.get_ident, predicted=1e-3) != threading.get_ident()
    assert await pool.run(threading.get_ident) != threading.get_ident()


async def test_tiny_work_that_takes_more_than_its_share_is_sent_to_a_thread(pool: Pool) -> None:
    await pool.run(lambda: time.sleep(0.02), predicted=1e-6)
    assert await pool.run(threading.get_ident, predicted=1e-6) != threading.get_ident()
    await asyncio.sleep(0.1)
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
    stop, ended = threading.Event(), threading.Event()

    def work() -> None:
        assert stop.wait(5)
        time.sleep(0.02)
        ended.set()

    task = asyncio.create_task(pool.run(work, stop=stop))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    assert pool.working == 0
