"""Forks wait until no thread compiles: otherwise the locks of numba and LLVM would stay locked in the child forever.

If a thread compiles for longer than `WAIT_S`, the process forks anyway, and kernels in the child raise an error.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mandeldask.forking import cannot_compute
from mandeldask.internals.numba_names import compiler_locks

if TYPE_CHECKING:
    import threading

WAIT_S = 120.0
"""Longest time, in seconds, that a fork waits for compilers; the largest kernel takes a minute on a slow machine."""

_held_locks: list[threading.RLock] = []


def _acquire_locks() -> None:
    for lock in compiler_locks():
        if not lock.acquire(timeout=WAIT_S):
            return
        _held_locks.append(lock)


def _release_locks() -> None:
    while _held_locks:
        _held_locks.pop().release()


def _start_child() -> None:
    if len(_held_locks) < len(compiler_locks()):
        cannot_compute("this process was forked while kernels were compiled, so it cannot compute; start it by spawn")
    _release_locks()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_acquire_locks, after_in_parent=_release_locks, after_in_child=_start_child)
