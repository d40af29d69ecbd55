"""Threads that compute chunks, and a bound on how many chunks may wait for one."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


P = ParamSpec("P")
T = TypeVar("T")


class Busy(RuntimeError):  # noqa: N818  what a server says with 503
    """As many chunks wait as may wait; nothing was begun."""


def _step_back(niceness: int) -> None:
    """Lower this thread's priority: on Linux niceness belongs to a thread, not to its process."""
    if niceness and sys.platform == "linux":
        with suppress(OSError):  # a sandbox may forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


SIDE_THREADS = 4
"""Threads for what is short: opening sources, writing documents, looks at the shelf."""


class Pool(ThreadPoolExecutor):
    """A thread pool that refuses work rather than let it queue without end.

    It is not `asyncio.to_thread`'s, which zarr uses too: nested reads there deadlock.

    Parameters
    ----------
    workers : int, optional
        Threads; the number of CPUs by default, at least 2.
    queue : int, optional
        Calls that may wait for a thread; any number by default.
    niceness : int
        How far the threads step back behind others, an event loop's above all, from 0 to 19 (Linux only).

    Attributes
    ----------
    side : ThreadPoolExecutor
        A few threads more, for what must not wait behind kernels.
    """

    def __init__(self, workers: int | None = None, queue: int | None = None, *, niceness: int = 0) -> None:
        self.workers = workers or max(2, os.cpu_count() or 1)
        self.queue = queue
        self._pending = 0
        self._count_lock = threading.Lock()
        super().__init__(self.workers, "zarrview", _step_back, (niceness,))
        self.side = ThreadPoolExecutor(SIDE_THREADS, "zarrview-side", _step_back, (niceness,))

    @property
    def running(self) -> int:
        """Calls that have a thread."""
        return min(self._pending, self.workers)

    @property
    def waiting(self) -> int:
        """Calls that wait for a thread."""
        return max(0, self._pending - self.workers)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `fn` in a thread. Cancelling the Future frees its place in the queue at once.

        Raises
        ------
        Busy
            If the queue is full.
        """
        with self._count_lock:
            if self.queue is not None and self._pending >= self.workers + self.queue:
                msg = f"{self.queue} chunks wait already for {self.workers} threads"
                raise Busy(msg)
            self._pending += 1
        try:
            future = super().submit(fn, *args, **kwargs)
        except BaseException:
            self._left()
            raise
        future.add_done_callback(self._left)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  inherited
        """End the threads."""
        self.side.shutdown(wait, cancel_futures=cancel_futures)
        super().shutdown(wait, cancel_futures=cancel_futures)

    def _left(self, _: Future[Any] | None = None) -> None:
        with self._count_lock:
            self._pending -= 1
