"""The first run on a machine: a second process compiles too, and both share out the kernels of the first pictures.

The process that finds a kernel missing starts the other one, which compiles these kernels and then all others, until it
is done or the first one ends. A process that needs a kernel which another is compiling compiles one of the others
meanwhile.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from mandeldask.fractal.escape.arithmetic import kernel_lock
from mandeldask.jupyter import in_notebook
from mandeldask.progress import is_heard

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from mandeldask.fractal.compiling import main; main(*sys.argv[1:])"
)
"""What the second process runs: with the import path of the first, so that the same files are imported."""

ALONE = "MANDELDASK_COMPILE_ALONE"
"""In the environment: no second process is started."""

_COUNTS, _SMOOTH = ("iterations",), ("smooth",)

_FIRST_TILE = [(name, _COUNTS) for name in ("double_double", "cycles", "lanes")]
"""What a first tile of counts waits for, as functions of `first_kernels` and their argument.

The process that needs the tile begins with the last one.
"""

_JOBS = {
    False: [*_FIRST_TILE[:-1], ("blocks", _COUNTS), ("quadtree", _COUNTS), _FIRST_TILE[-1]],
    True: [
        *((name, _SMOOTH) for name in ("blocks", "lanes", "exterior", "double_double")),
        *((name, _COUNTS) for name in ("quadtree", "cycles")),
    ],
}
"""By whether fields are wanted: what the first pictures need, likewise."""

_REST_S = 0.02
"""Pause, in seconds, between two of them, in which other threads may load or compile what they wait for."""

_with_fields: ContextVar[bool] = ContextVar("mandeldask_with_fields", default=False)


@contextmanager
def computing(fields: Collection[str]) -> Iterator[None]:
    """Say which fields are computed inside the block: what is compiled there is what they need."""
    token = _with_fields.set(not {"smooth", "distance"}.isdisjoint(fields))
    try:
        yield
    finally:
        _with_fields.reset(token)


def compile_first(*, with_fields: bool) -> None:
    """Compile the kernels of the first pictures that no other process is compiling."""
    jobs = KernelJobs(_JOBS)
    while jobs.do_other_work(with_fields=with_fields):
        time.sleep(_REST_S)


class KernelJobs:
    """What is left to compile of some jobs, by whether fields are wanted."""

    def __init__(self, jobs: Mapping[bool, Sequence[tuple[str, tuple[str, ...]]]]) -> None:
        self._left = {with_fields: list(those) for with_fields, those in jobs.items()}

    def do_other_work(self, *, with_fields: bool) -> bool:
        """Compile, or load, the first kernel that no other process is compiling; return whether there was one."""
        left = self._left[with_fields]
        kernels = import_module("mandeldask.fractal.escape.first_kernels")
        for job in tuple(left):
            name, fields = job
            try:
                with kernel_lock.without_waiting():
                    getattr(kernels, name)(fields)
            except kernel_lock.Busy:
                continue
            left.remove(job)
            return True
        return False


class _Sharing:
    """Starts the second process, and does its share while the other has its turn."""

    def __init__(self) -> None:
        self._jobs = KernelJobs({**_JOBS, False: _FIRST_TILE})
        self._begun = not _may_start()

    def note_missing_kernel(self, folder: Path) -> None:
        """Start the second process if this is the first kernel that is missing."""
        if self._begun:
            return
        self._begun = True
        if not is_heard() and (in_notebook() or sys.stderr.isatty()):
            sys.stderr.write("mandeldask compiles its kernels, once on this machine: some ten seconds\n")
        _start(folder, with_fields=_with_fields.get())

    def do_other_work(self) -> bool:
        """Compile a kernel that the other process is not compiling; return whether there was one."""
        return self._jobs.do_other_work(with_fields=_with_fields.get())


def _may_start() -> bool:
    """Whether a second process pays and can be started: another CPU, locks, and a Python that starts as such."""
    if os.environ.get(ALONE):
        return False
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cpus > 1 and kernel_lock.CAN_LOCK and Path(sys.executable or "").name.startswith("python")


def command(folder: Path, *, with_fields: bool) -> list[str]:
    """Return the command of the second process; it imports nothing from the folder in which it happens to start."""
    path = json.dumps([str(entry) for entry in sys.path])
    return [sys.executable, "-P", "-c", _PROGRAM, path, str(folder), "fields" if with_fields else "counts"]


def _start(folder: Path, *, with_fields: bool) -> None:
    """Start the second process, which ends when its standard input does: with this process, however that ends."""
    process = subprocess.Popen(  # noqa: S603
        command(folder, with_fields=with_fields),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, ALONE: "1"},
        start_new_session=True,
    )
    threading.Thread(target=process.wait, name="mandeldask-second-process", daemon=True).start()  # leaves no zombie
    atexit.register(_stop, process, os.getpid())


def _stop(process: subprocess.Popen[bytes], owner: int) -> None:
    """End the second process; in a forked child of its owner, leave it alone."""
    if os.getpid() == owner:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


kernel_lock.on_first_run(_Sharing())
