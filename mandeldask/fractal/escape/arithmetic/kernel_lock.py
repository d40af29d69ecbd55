"""Locks between processes: one process compiles a kernel, and the others load the result from the cache.

`mandeldask.fractal.escape.first_run` registers here what else happens when a kernel is missing, and what a process does
while another one compiles.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from mandeldask.cancellation import current

try:
    import fcntl
except ImportError:  # pragma: no cover  no POSIX: processes may compile the same kernel
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import TextIOWrapper
    from pathlib import Path

CAN_LOCK = fcntl is not None
"""Whether processes can exclude each other."""

_POLL_S = 0.02
"""Seconds between two attempts to take a lock."""


class Busy(Exception):  # noqa: N818  no error: the caller does something else
    """Another process compiles this kernel, and the caller does not wait."""


class FirstRun(Protocol):
    """The work of a process whose kernels are not compiled yet."""

    def note_missing_kernel(self, folder: Path) -> None:
        """Handle that a kernel is missing in the cache in `folder`."""

    def do_other_work(self) -> bool:
        """Do something useful while another process compiles; return whether there was anything."""


class KernelLock:
    """The right to compile one kernel. A process has it until it calls `release`, or until the process ends."""

    __slots__ = ("_file", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIOWrapper | None = None

    def acquire(self) -> None:
        """Wait until no other process holds this lock, and take it. On systems without locks it returns at once.

        Raises
        ------
        Busy
            If another process holds it, and the caller is inside `without_waiting`.
        mandeldask.cancellation.Cancelled
            If the computation that needs the kernel was cancelled.
        """
        if self._file is not None or fcntl is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a")
        except OSError:  # the folder is not writable, so nothing is cached there
            return
        try:
            while not _is_locked(file):
                self._wait()
        except BaseException:
            file.close()
            raise
        self._file = file

    def release(self) -> None:
        """Let another process take the lock."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _wait(self) -> None:
        if _without_waiting.get():
            raise Busy(self._path)
        current().check()
        if not do_other_work():
            time.sleep(_POLL_S)


def _is_locked(file: TextIOWrapper) -> bool:
    """Try to lock a file; on file systems without locks, this counts as locked."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


_without_waiting: ContextVar[bool] = ContextVar("mandeldask_without_waiting", default=False)
_first_runs: list[FirstRun] = []


@contextmanager
def without_waiting() -> Iterator[None]:
    """Raise `Busy` inside the block instead of waiting."""
    token = _without_waiting.set(True)
    try:
        yield
    finally:
        _without_waiting.reset(token)


def may_not_wait() -> bool:
    """Return whether the caller raises `Busy` instead of waiting."""
    return _without_waiting.get()


def on_first_run(what: FirstRun) -> None:
    """Register the work of a process whose kernels are not compiled yet."""
    _first_runs.append(what)


def note_missing_kernel(folder: Path) -> None:
    """Report that a kernel is missing in the cache in `folder`."""
    for each in _first_runs:
        with suppress(OSError):
            each.note_missing_kernel(folder)


def do_other_work() -> bool:
    """Do something useful while another process compiles; return whether there was anything."""
    return any(each.do_other_work() for each in _first_runs)
