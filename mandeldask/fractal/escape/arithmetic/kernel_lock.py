"""Processes take turns: one compiles a kernel, and the others load what it kept.

What else happens when a kernel is missing, and what a process does while another has its turn, is registered here by
`mandeldask.fractal.escape.first_run`.
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
"""Whether processes see each other's turns."""

_POLL_S = 0.02
"""Seconds between two looks whether a turn has ended."""


class Busy(Exception):  # noqa: N818  no error: the caller does something else
    """Another process compiles this kernel, and the caller does not want to wait."""


class FirstRun(Protocol):
    """What a process does whose kernels are not compiled yet."""

    def note_missing_kernel(self, folder: Path) -> None:
        """Note that a kernel that is kept in `folder` is missing."""

    def do_other_work(self) -> bool:
        """Do something useful while another process compiles; return whether there was anything."""


class KernelLock:
    """The right to compile one kernel, which a process has until it calls `release`, or ends itself."""

    __slots__ = ("_file", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIOWrapper | None = None

    def acquire(self) -> None:
        """Wait until no other process has this turn, and take it. Where there are no locks it returns at once.

        Raises
        ------
        Busy
            If another process has it, and the caller is `without_waiting`.
        mandeldask.cancellation.Cancelled
            If the computation that needs the kernel was cancelled.
        """
        if self._file is not None or fcntl is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a")
        except OSError:  # a folder that cannot be written to: nothing is kept there either
            return
        try:
            while not _is_locked(file):
                self._wait()
        except BaseException:
            file.close()
            raise
        self._file = file

    def release(self) -> None:
        """Let another process have the turn."""
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
    """Register what a process does whose kernels are not compiled yet."""
    _first_runs.append(what)


def note_missing_kernel(folder: Path) -> None:
    """Say that a kernel that is kept in `folder` is missing."""
    for each in _first_runs:
        with suppress(OSError):
            each.note_missing_kernel(folder)


def do_other_work() -> bool:
    """Do something useful while another process compiles; return whether there was anything."""
    return any(each.do_other_work() for each in _first_runs)
