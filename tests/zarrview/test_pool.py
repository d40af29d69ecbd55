"""Threads that compute chunks: turns, bounds, and an end that does not wait."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time

import pytest

from mandeldask.zarrview.pool import Busy, Pool, client


def until(condition, seconds=60):
    stop = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < stop:
        time.sleep(0.002)
    return met


@pytest.fixture
def held():
    """A pool of one thread that waits for an event."""
    pool, event = Pool(1), threading.Event()
    waiting = pool.submit(event.wait, 10)
    assert until(waiting.running)
    yield pool, event
    event.set()
    pool.shutdown(wait=True)


def as_asker(who, call):
    token = client.set(who)
    try:
        return call()
    finally:
        client.reset(token)


def test_as_many_run_at_a_time_as_there_are_threads():
    pool, together = Pool(4), threading.Barrier(4)
    futures = [pool.submit(together.wait, 10) for _ in range(4)]
    assert sorted(future.result(60) for future in futures) == [0, 1, 2, 3]
    pool.shutdown()


def test_askers_take_turns(held):
    pool, event = held
    order = []
    for who in "aaabbc":
        as_asker(who, lambda who=who: pool.submit(order.append, who))
    event.set()
    assert until(lambda: len(order) == 6)
    assert "".join(order) == "abcaba"


def test_queues_take_turns_and_one_sibling_never_has_all_threads():
    pool, event = Pool(2), threading.Event()
    sibling = pool.sibling(1)
    futures = [sibling.submit(event.wait, 10) for _ in range(5)]
    assert until(futures[0].running)
    assert pool.submit(lambda: 7).result(60) == 7
    assert (sibling.running, sibling.waiting) == (1, 4)
    event.set()
    for future in futures:
        future.result(60)
    pool.shutdown()


def test_a_full_queue_is_busy_and_tells_how_long():
    pool, event = Pool(1, queue=1), threading.Event()
    pool.submit(time.sleep, 0.2).result()
    futures = [pool.submit(event.wait, 10) for _ in range(2)]
    with pytest.raises(Busy, match="1 chunks are already waiting for 1 threads") as caught:
        pool.submit(int)
    assert 0.01 < caught.value.wait_s < 1
    event.set()
    assert [future.result(60) for future in futures] == [True, True]
    assert pool.submit(lambda: 7).result(60) == 7
    pool.shutdown()


def test_a_cancelled_call_leaves_the_queue_at_once(held):
    pool, event = held
    futures = [pool.submit(int) for _ in range(1000)]
    assert all(future.cancel() for future in futures)
    assert pool.waiting == 0
    event.set()
    assert pool.submit(lambda: 7).result(60) == 7


def test_an_error_belongs_to_its_future():
    pool = Pool(1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result(60)
    with pytest.raises(SystemExit):
        pool.submit(sys.exit, 3).result(60)
    assert pool.submit(lambda: 7).result(60) == 7
    pool.shutdown()


def test_seconds_of_cpu_are_charged_to_the_client_that_asked():
    charged = []
    pool = Pool(1, charge=lambda who, seconds: charged.append((who, seconds)))
    as_asker("a", lambda: pool.submit(sum, range(3_000_000))).result(60)
    as_asker("b", lambda: pool.submit(time.sleep, 0.1)).result(60)
    assert until(lambda: len(charged) == 2)
    assert [who for who, _ in charged] == ["a", "b"]
    assert charged[0][1] > charged[1][1] >= 0
    pool.shutdown()


def test_after_its_end_it_takes_no_calls(held):
    pool, _ = held
    waiting = pool.submit(int)
    pool.shutdown(wait=False, cancel_futures=True)
    assert waiting.cancelled()
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(int)


def test_threads_end_with_their_pool():
    pool = Pool(2)
    pool.submit(int).result(60)
    (thread,) = pool._threads.threads
    sibling = pool.sibling(1)
    del pool
    gc.collect()
    thread.join(60)
    assert not thread.is_alive()
    with pytest.raises(RuntimeError, match="shut down"):
        sibling.submit(int)


def test_a_call_that_never_ends_does_not_keep_the_process():
    code = """
import time
from mandeldask.zarrview.pool import Pool
pool = Pool(1)
pool.submit(time.sleep, 1000)
time.sleep(0.1)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
