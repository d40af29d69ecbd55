"""One computation for all waiting callers, of every kind; errors and cancellation."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr
import zarr

from mandeldask.cancellation import Cancelled
from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.formats import V3
from mandeldask.zarrview.store import to_store
from mandeldask.zarrview.view import ZarrView
from zarrview.patterns import Counted

DATA = np.arange(64, dtype="u2").reshape(8, 8)


@pytest.fixture
def source():
    return Counted(DATA, seconds=0.1)


@pytest.fixture
def view(source):
    return ZarrView(source.node((4, 4)), V3(compressors=None), workers=2)


def expected(row, col):
    return DATA[4 * row : 4 * row + 4, 4 * col : 4 * col + 4].tobytes()


async def test_twenty_concurrent_gets_compute_once(view, source):
    chunk = view.find("c/0/1")
    results = await asyncio.gather(*(view.get(chunk) for _ in range(20)))
    assert results == [expected(0, 1)] * 20
    assert len(source.windows) == view.cache.computes == 1


async def test_gets_reads_and_loops_share_one_computation(view, source):
    chunk = view.find("c/1/1")
    with ThreadPoolExecutor(8) as threads:
        loop = asyncio.get_running_loop()
        other_loops = [loop.run_in_executor(threads, asyncio.run, view.get(chunk)) for _ in range(4)]
        reads = [loop.run_in_executor(threads, view.read, chunk) for _ in range(4)]
        results = await asyncio.gather(view.get(chunk), *other_loops, *reads)
    assert results == [expected(1, 1)] * 9
    assert len(source.windows) == 1


async def test_the_loop_goes_on_while_a_chunk_is_computed(view, source):
    source.seconds = 0.5
    task = asyncio.create_task(view.get(view.find("c/0/0")))
    beats = 0
    while not task.done():
        await asyncio.sleep(0.005)
        beats += 1
    assert beats >= 5


async def test_computations_are_bounded(source):
    view = ZarrView(source.node((1, 1)), V3(), workers=2)
    running, most = 0, 0
    lock = threading.Lock()
    inner = source.__class__.__call__

    def counting(self, window):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            return inner(self, window)
        finally:
            with lock:
                running -= 1

    source.seconds = 0.01
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Counted, "__call__", counting)
        await asyncio.gather(*(view.get(view.find(f"c/0/{col}")) for col in range(8)))
    assert most == 2


async def test_an_error_reaches_all_who_wait_and_is_not_kept(view, source):
    chunk = view.find("c/0/0")
    source.error = OSError("disk on fire")
    results = await asyncio.gather(*(view.get(chunk) for _ in range(3)), return_exceptions=True)
    assert [str(error) for error in results] == ["disk on fire"] * 3
    with pytest.raises(OSError, match="disk on fire"):
        view.read(chunk)
    source.error = None
    assert await view.get(chunk) == expected(0, 0)


async def test_the_last_waiter_to_go_cancels_the_computation(view, source):
    source.seconds = 30
    chunk = view.find("c/0/0")
    tasks = [asyncio.create_task(view.get(chunk)) for _ in range(2)]
    await asyncio.to_thread(source.started.wait)
    tasks[0].cancel()
    await asyncio.sleep(0.05)
    assert not source.cancelled
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    assert await asyncio.to_thread(source.stopped.wait, 5)
    source.seconds = 0
    assert await view.get(chunk) == expected(0, 0)  # asked for again, it is computed again
    assert len(source.windows) == 2


async def test_a_cancelled_chunk_that_still_runs_does_not_hold_up_the_next_request(view, source):
    source.seconds = 0.5
    chunk = view.find("c/0/0")
    task = asyncio.create_task(view.get(chunk))
    await asyncio.to_thread(source.started.wait)
    task.cancel()
    source.seconds = 0
    assert await view.get(chunk) == expected(0, 0)


async def test_what_was_queued_and_given_up_is_never_read(view, source):
    source.seconds = 0.2
    busy = [asyncio.create_task(view.get(view.find(f"c/0/{col}"))) for col in range(2)]
    await asyncio.to_thread(source.started.wait)
    queued = asyncio.create_task(view.get(view.find("c/1/0")))
    await asyncio.sleep(0.02)
    queued.cancel()
    await asyncio.gather(*busy)
    await asyncio.sleep(0.05)
    assert len(source.windows) == 2


async def test_a_read_goes_on_when_the_gets_beside_it_are_cancelled(view, source):
    chunk = view.find("c/0/0")
    with ThreadPoolExecutor(1) as threads:
        read = threads.submit(view.read, chunk)
        await asyncio.to_thread(source.started.wait)
        task = asyncio.create_task(view.get(chunk))
        await asyncio.sleep(0.01)
        task.cancel()
        assert await asyncio.wrap_future(read) == expected(0, 0)
    assert not source.cancelled


async def test_an_interrupted_thread_leaves_the_others_an_ordinary_error(view, source):
    source.error = KeyboardInterrupt()
    chunk = view.find("c/0/0")
    with ThreadPoolExecutor(1) as threads:
        read = threads.submit(view.read, chunk)
        await asyncio.to_thread(source.started.wait)
        with pytest.raises(Cancelled, match="interrupted"):
            await view.get(chunk)
    assert isinstance(read.exception(), KeyboardInterrupt)


async def test_cancelled_is_raised_by_a_source_that_stops_itself(view, source):
    source.error = Cancelled("stopped")
    with pytest.raises(Cancelled):
        await view.get(view.find("c/0/0"))


async def test_reading_from_within_a_running_loop_works(view):
    assert view.read(view.find("c/1/0")) == expected(1, 0)  # a cell of a notebook


@pytest.mark.timeout(60)
@pytest.mark.parametrize("depth", [1, 3])
def test_stores_over_arrays_over_stores_do_not_deadlock(depth):
    want = np.arange(144, dtype="u2").reshape(12, 12)
    tree = xr.DataTree.from_dict({"/": xr.Dataset({"a": (("y", "x"), want)})}).chunk({"y": 4, "x": 4})
    for _ in range(depth):
        store = to_store(tree, workers=1, cache=TileCache(0))
        tree = xr.open_datatree(store, engine="zarr", chunks={})
    dask = tree["a"].data
    np.testing.assert_array_equal(dask.compute(scheduler="threads"), want)
    store = to_store({"z": zarr.open_group(store, mode="r")["a"], "d": dask}, workers=1)
    group = zarr.open_group(store, mode="r")
    np.testing.assert_array_equal(group["z"][...], want)
    np.testing.assert_array_equal(group["d"][...], want)
