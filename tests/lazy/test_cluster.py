"""The same code on dask's distributed scheduler, in other processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from zarr.storage import MemoryStore

import mandeldask as md
from mandeldask.lazy.blocks import TASK_ITERATIONS
from positions import slow_kernel

distributed = pytest.importorskip("distributed")

PLACE, WIDTH, SHAPE = "-0.7436438870371587+0.1318259042053119j", "1e-6", (256, 256)


def window(**keywords):
    return md.window(PLACE, WIDTH, SHAPE, maxiter=1500, **keywords)


@pytest.fixture(scope="module")
def expected():
    return window().compute(scheduler="synchronous")


@pytest.fixture(scope="module")
def cluster():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address=":0") as local,
        distributed.Client(local) as client,
    ):
        yield client


def test_results_are_those_of_one_process(cluster, expected):
    xr.testing.assert_identical(window(chunks=64).compute(), expected)


def test_lazily_indexed_windows_go_to_the_workers_too(cluster):
    level = md.open_pyramid()["20"].to_dataset()
    part = level.isel(y=slice(2**38, 2**38 + 100), x=slice(2**38, 2**38 + 100))
    xr.testing.assert_identical(part.chunk(30).compute(), part.compute())


def test_kernels_are_compiled_once_and_cached_on_disk(cluster, expected):
    def compiled():
        """How often this worker compiled a kernel, and what lies on the disk next to them."""
        import gc

        from numba.core.registry import CPUDispatcher

        kernels = [each for each in gc.get_objects() if isinstance(each, CPUDispatcher)]
        ours = [each.stats for each in kernels if each.py_func.__module__.startswith("mandeldask.")]
        files = [file for folder in {each.cache_path for each in ours} for file in Path(folder).glob("*.nbi")]
        return sum(sum(each.cache_misses.values()) for each in ours), bool(files)

    window(chunks=64).compute()
    before = cluster.run(compiled)
    assert all(kept for _, kept in before.values())
    window(chunks=32).compute()
    assert cluster.run(compiled) == before


def test_kernels_use_no_threads_of_their_own(cluster):
    def threads_while_computing():
        import threading

        names = {thread.name for thread in threading.enumerate()}
        window(chunks=64).compute(scheduler="synchronous")
        return [thread.name for thread in threading.enumerate() if thread.name not in names]

    assert not any(cluster.run(threads_while_computing).values())


def test_numba_starts_no_threading_layer(cluster):
    def layer():
        import numba

        window(chunks=64).compute(scheduler="synchronous")
        try:
            return numba.threading_layer()
        except ValueError:
            return None

    assert set(cluster.run(layer).values()) == {None}


def count_steps(pause_s=0.0):
    """Have a worker count the iterations of reference orbits that it computes, with a pause after every piece."""
    from mandeldask.fractal.escape.perturbation import reference_orbit

    walk = reference_orbit._OrbitExtension.iterate
    reference_orbit.walked = 0

    def counted(walker, steps):
        before = walker.m
        walk(walker, steps)
        reference_orbit.walked += walker.m - before
        time.sleep(pause_s)

    reference_orbit._OrbitExtension.iterate = counted


def test_workers_share_long_reference_orbits(cluster):
    def steps_and_neighborhoods():
        from mandeldask.fractal.escape.perturbation import prepared_reference, reference_orbit

        return reference_orbit.walked, len(prepared_reference.references)

    def whole():
        return deep.compute(scheduler="synchronous")

    deep = md.window("1j", "1e-1000", (64, 64), maxiter=40_000, chunks=16)
    cluster.run(count_steps)
    everywhere = [cluster.submit(whole, workers=[address], pure=False) for address in cluster.nthreads()]
    shared, again = cluster.gather(everywhere)
    reported = cluster.run(steps_and_neighborhoods).values()
    assert 40_000 <= sum(steps for steps, _ in reported) < 50_000  # short ones are each worker's own
    assert all(needed for _, needed in reported)
    xr.testing.assert_identical(shared, again)
    xr.testing.assert_identical(shared, deep.compute(scheduler="synchronous"))


def test_tasks_are_short_enough_to_be_waited_for(cluster):
    heavy = md.window("0", "0.1", (256, 256), maxiter=200_000)
    side = heavy.iterations.chunks[0][0]
    assert side**2 * 200_000 <= TASK_ITERATIONS


@pytest.mark.slow  # ending a cluster takes seconds
def test_a_worker_lost_while_it_computes_an_orbit_for_all_is_replaced():
    def steps_and_process():
        from mandeldask.fractal.escape.perturbation import reference_orbit

        return reference_orbit.walked, os.getpid()

    deep = md.window("1j", "1e-1000", (32, 32), maxiter=40_000, chunks=16)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address=":0") as local,
        distributed.Client(local) as client,
    ):
        client.run(count_steps, 0.1)
        running = deep.persist()
        steps, owner = 0, None
        while steps < 5_000:  # 2,500 of them, of which each looks for a nucleus
            steps, owner = max(client.run(steps_and_process).values())
        assert not any(block.done() for block in distributed.futures_of(running))
        os.kill(owner, signal.SIGKILL)
        found = running.compute()
    xr.testing.assert_identical(found, deep.compute(scheduler="synchronous"))


@pytest.mark.slow  # ending a cluster takes seconds
def test_a_killed_worker_loses_nothing():
    level = md.open_pyramid(levels=3, tilesize=16, kernel=slow_kernel)["0"].to_dataset()
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as local,
        distributed.Client(local) as client,
    ):
        first, *_ = client.run(os.getpid).values()
        running = level.persist()
        blocks = distributed.futures_of(running)
        distributed.wait(blocks, return_when="FIRST_COMPLETED")
        assert any(not block.done() for block in blocks)
        os.kill(first, signal.SIGKILL)
        np.testing.assert_array_equal(running.compute().iterations[:, 0], np.arange(128))


def test_an_export_runs_on_the_cluster(cluster, tmp_path):
    tree = md.open_pyramid(levels=3, tilesize=32)
    with pytest.raises(ValueError, match="exists only in this process"):
        md.export(tree, MemoryStore(), executor=cluster.get_executor())
    done = md.export(tree, tmp_path / "out.zarr", executor=cluster.get_executor())
    assert done.written == 64 + 16 + 4 + 6  # with coordinates
    back = xr.open_datatree(tmp_path / "out.zarr", engine="zarr", chunks=None)
    for level in range(3):
        xr.testing.assert_equal(back[str(level)].to_dataset(), tree[str(level)].to_dataset().compute())


@pytest.mark.slow  # starts three interpreters
def test_a_cluster_of_separate_processes_is_reached_by_address(expected, tmp_path):
    dask = str(Path(sys.executable).with_name("dask"))
    scheduler_file = tmp_path / "scheduler.json"
    here = ["--scheduler-file", str(scheduler_file), "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    processes = [subprocess.Popen([dask, "scheduler", *here, "--host", "127.0.0.1", "--port", "0"], **quiet)]
    try:
        worker = [dask, "worker", *here, "--nthreads", "1", "--host", "127.0.0.1"]
        processes += [subprocess.Popen(worker, **quiet) for _ in range(2)]
        address = _address(scheduler_file)
        assert address.startswith("tcp://127.0.0.1:")
        with distributed.Client(address, timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            xr.testing.assert_identical(window(chunks=64).compute(), expected)
            counts = client.run(lambda dask_worker: dask_worker.state.executed_count)
            assert len(counts) == 2
            np.testing.assert_array_less(0, list(counts.values()))
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(60)


def _address(scheduler_file):
    import json

    for _ in range(600):
        if scheduler_file.exists() and scheduler_file.stat().st_size:
            return json.loads(scheduler_file.read_text())["address"]
        time.sleep(0.1)
    raise TimeoutError
