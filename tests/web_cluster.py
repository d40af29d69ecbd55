"""A dask scheduler and its workers in separate processes, and a tree for them to compute."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mandeldask.cancellation import current
from mandeldask.zarrview.nodes import Array, Group

HERE = Path(__file__).parent


class Logged:
    """Writes a line into a folder when a chunk begins, and when it ends: workers are other processes."""

    def __init__(self, folder, seconds):
        self.folder, self.seconds = Path(folder), seconds

    def __call__(self, window):
        row = window[0].start
        name = f"{time.time_ns()}-{row}-{os.getpid()}"
        (self.folder / f"began-{name}").touch()
        stop = time.monotonic() + self.seconds
        while time.monotonic() < stop:
            current().check()
            time.sleep(0.005)
        (self.folder / f"ended-{name}").touch()
        return np.full((1, 4), row % 250, "u1")

    def tree(self):
        array = Array((1000, 4), np.dtype("u1"), self, (1, 4), dims=("y", "x"), fingerprint=str(self.folder))
        return {"demo": Group({"rows": array})}

    def count(self, what):
        return len(list(self.folder.glob(f"{what}-*")))

    def rows(self, what):
        """Rows in the order in which they began or ended."""
        return [int(path.name.split("-")[2]) for path in sorted(self.folder.glob(f"{what}-*"))]


@dataclass(frozen=True)
class Scan:
    """Reads a picture, and leaves a mark for every window: its place, and the process that read it."""

    folder: Path

    def __call__(self, window):
        rows, columns = window
        (self.folder / f"{rows.start}-{columns.start}-{os.getpid()}-{time.time_ns()}").touch()
        return np.add.outer(np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop)).astype("u2")

    def tree(self):
        array = Array((2048, 1536), np.dtype("u2"), self, (512, 512), dims=("y", "x"), fingerprint=str(self.folder))
        return {"demo": Group({"scan": array})}


class Dask:
    """A scheduler at a port that stays the same when it is started again."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.scheduler = None
        self.workers = []

    def start_scheduler(self):
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard", "--no-show"]
        self.scheduler = self._run("scheduler", *options)

    def start_worker(self, first=""):
        """Start a worker; it imports modules from the folder `first` before all others."""
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
        self.workers.append(self._run("worker", self.address, *options, first=first))

    def _run(self, *command, first=""):
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, [first, str(HERE), os.environ.get("PYTHONPATH")]))
        }
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([sys.executable, "-m", "dask", *command], env=environment, **quiet)

    def kill(self, process):
        process.kill()
        process.wait()

    def stop(self):
        for process in [self.scheduler, *self.workers]:
            self.kill(process)


@contextlib.contextmanager
def dask(workers=1):
    """A running cluster."""
    cluster = Dask()
    cluster.start_scheduler()
    for _ in range(workers):
        cluster.start_worker()
    try:
        yield cluster
    finally:
        cluster.stop()
