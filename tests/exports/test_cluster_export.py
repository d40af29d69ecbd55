"""Exports on a dask cluster that loses workers, or its scheduler: nothing is lost, and nothing is written twice."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import dask
import numpy as np
import pytest
import zarr

import mandeldask as md
from positions import slow_kernel

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.slow  # starting and ending clusters takes seconds

TREE = md.open_pyramid(levels=3, tilesize=16, kernel=slow_kernel)
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def assert_complete(target):
    written = zarr.open_group(target, mode="r")["0/iterations"][...]
    np.testing.assert_array_equal(written, np.broadcast_to(np.arange(128)[:, None], (128, 128)))
    assert md.verify(target, TREE, sample=None).ok


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(tmp_path):
    target, killed = tmp_path / "out.zarr", []
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as local,
        distributed.Client(local) as client,
    ):
        first, *_ = client.run(os.getpid).values()

        def kill(done, total):
            if not killed and 8 < done < total - 8:
                os.kill(first, signal.SIGKILL)
                killed.append(done)

        done = md.export(TREE, target, levels=[0], executor=client.get_executor(), progress=kill)
    assert killed
    assert done.complete
    assert_complete(target)


def test_a_scheduler_that_is_killed_ends_the_export_and_another_goes_on(tmp_path):
    target, port = tmp_path / "out.zarr", free_port()
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "5s"}),  # as long as the client looks for it again
        cluster(port, tmp_path) as scheduler,
        distributed.Client(f"tcp://127.0.0.1:{port}", timeout=60) as client,
    ):

        def kill(done, total):
            if 8 < done < total - 8 and scheduler.poll() is None:
                scheduler.kill()
                scheduler.wait()

        with pytest.raises(Exception, match=r"."):
            md.export(TREE, target, levels=[0], executor=client.get_executor(), progress=kill)
    before = {path: path.stat().st_mtime_ns for path in target.rglob("c/*/*") if path.suffix != ".part"}
    assert before
    assert not (target / "zarr.json").exists()
    with cluster(port, tmp_path), distributed.Client(f"tcp://127.0.0.1:{port}", timeout=60) as client:
        done = md.export(TREE, target, levels=[0], executor=client.get_executor())
    assert done.complete
    assert done.written <= done.chunks - len(before)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert_complete(target)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def cluster(port, folder):
    """A scheduler and two workers, in processes of their own."""
    dask = str(Path(sys.executable).with_name("dask"))
    here = {"cwd": folder, "env": os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, **QUIET}
    address = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    scheduler = subprocess.Popen([dask, "scheduler", *address], **here)
    worker = [dask, "worker", f"tcp://127.0.0.1:{port}", "--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard"]
    worker += ["--death-timeout", "60", "--no-nanny"]
    workers = [subprocess.Popen(worker, **here) for _ in range(2)]
    try:
        yield scheduler
    finally:
        for process in (scheduler, *workers):
            process.kill()
            process.wait()
