"""Threads for dask that run tasks in the caller's context, with its cancellation and its progress listeners.

Ctrl-C ends dask's `compute` in the main thread, but not the tasks in its threads: importing this module stops these.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import dask
import dask.threaded
from dask.callbacks import Callback

from mandeldask.cancellation import Cancellation, cancellable, current
from mandeldask.forking import renewed_in_children
from mandeldask.fractal.interruption import stop_in
from mandeldask.internals.dask_names import tasks_left
from mandeldask.internals.dask_pools import pool_threads, renew_expression_locks, wrap_threaded_scheduler
from mandeldask.lazy.tile_threads import ContextThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mandeldask.lazy.progress import Report


@contextmanager
def stoppable_threads(report: Report) -> Iterator[None]:
    """Let dask compute in threads that stop within milliseconds if an exception (such as Ctrl-C) ends the block.

    Parameters
    ----------
    report : callable
        Called with (done, total) after every task.
    """
    counted = _Counted(report)
    with (
        cancellable(Cancellation()) as cancellation,
        ContextThreads(os.cpu_count()) as pool,
        dask.config.set(scheduler="threads", pool=pool),
        Callback(start_state=counted.start, posttask=counted.one_more),  # type: ignore[no-untyped-call]
    ):
        try:
            yield
        except BaseException:
            cancellation.cancel()
            raise


class _Counted:
    """Counts the finished tasks of a graph."""

    def __init__(self, report: Report) -> None:
        self._report, self._done, self._total = report, 0, 0

    def start(self, _graph: Any, state: Any) -> None:
        self._done, self._total = 0, tasks_left(state)

    def one_more(self, *_: Any) -> None:
        self._done += 1
        self._report(self._done, self._total)


class _DaskPools:
    """dask's own thread pools and locks. A forked child lacks the threads that would work or free them."""

    @staticmethod
    def renew() -> None:
        """Drop the pools; dask creates new ones when it needs them. Free the locks."""
        dask.threaded.default_pool = None
        dask.threaded.pools.clear()
        dask.threaded.pools_lock = threading.Lock()
        renew_expression_locks()


_dask_pools = _DaskPools()
renewed_in_children(_dask_pools)


def _stopping_tasks(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Return dask's `compute`, which also stops its tasks at Ctrl-C, also tasks that have not reached a kernel.

    dask's own pools run tasks in the caller's context, so tasks have a `Cancellation` of their computation. In a pool
    of another kind, only kernels that already run stop. A callback of dask would not do: it is lost where two threads
    compute at once.
    """

    @wraps(compute)
    def stoppable(*args: Any, **options: Any) -> Any:
        outer = current()
        with cancellable(Cancellation()) as cancellation, outer.calling(cancellation.cancel):
            try:
                return compute(*args, **options)
            except KeyboardInterrupt:
                cancellation.cancel()
                stop_in(pool_threads(threading.current_thread()))
                raise

    return stoppable


wrap_threaded_scheduler(_stopping_tasks)  # for every computation of this process
