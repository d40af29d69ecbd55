"""The first run on a machine: a second process compiles too, and both divide the kernels of the first pictures.

The process that finds a kernel missing starts the second one. That compiles the kernels of the first pictures and then
all others, until it is done or the first process ends. A process that waits for a kernel which another one is compiling
compiles a different one in the meantime.
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
"""The program of the second process: it has the import path of the first, so that it imports the same files."""

ALONE = "MANDELDASK_COMPILE_ALONE"
"""Environment variable: if it is set, no second process is started."""

_COUNTS, _SMOOTH = ("iterations",), ("smooth",)

_FIRST_TILE = [(name, _COUNTS) for name in ("double_double", "cycles", "lanes")]
"""The kernels that a first tile of counts needs, as functions of `first_kernels` and their argument.

The process that needs the tile begins with the last one.
"""

_JOBS = {
    False: [*_FIRST_TILE[:-1], ("blocks", _COUNTS), ("quadtree", _COUNTS), _FIRST_TILE[-1]],
    True: [
        *((name, _SMOOTH) for name in ("blocks", "lanes", "exterior", "double_double")),
        *((name, _COUNTS) for name in ("quadtree", "cycles")),
    ],
}
"""The kernels that the first pictures need, in the same form, by whether fields are wanted."""

_REST_S = 0.02
"""Pause between two of them, in seconds, so that other threads can load or compile kernels."""

_with_fields: ContextVar[bool] = ContextVar("mandeldask_with_fields", default=False)


@contextmanager
def computing(fields: Collection[str]) -> Iterator[None]:
    """Declare which fields are computed inside the block: the kernels for these are compiled first."""
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
    """The kernels that are not compiled yet, by whether fields are wanted."""

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
    """Starts the second process, and compiles other kernels while the second process holds a lock."""

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
    """Whether a second process saves time and can be started: needs a second CPU, locks and a Python executable."""
    if os.environ.get(ALONE):
        return False
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cpus > 1 and kernel_lock.CAN_LOCK and Path(sys.executable or "").name.startswith("python")


def command(folder: Path, *, with_fields: bool) -> list[str]:
    """Return the command of the second process; it imports nothing from its working directory."""
    path = json.dumps([str(entry) for entry in sys.path])
    return [sys.executable, "-P", "-c", _PROGRAM, path, str(folder), "fields" if with_fields else "counts"]


def _start(folder: Path, *, with_fields: bool) -> None:
    """Start the second process. It ends when its standard input is closed, so also if this process is killed."""
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
