"""Compute a grid tile by tile in threads, without dask."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.cancellation import Cancellation, cancellable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.kernel import Kernel
    from mandeldask.lazy.progress import Report


class ContextThreads(ThreadPoolExecutor):
    """A thread pool that runs each task in the context of its submitter."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a call, which runs in a copy of the current context."""
        return super().submit(copy_context().run, fn, *args, **kwargs)


def compute_tiles(kernel: Kernel, grid: Grid, side: int, report: Report) -> Mapping[str, NDArray[Any]]:
    """Return what `kernel` computes on `grid`, in tiles of at most `side` x `side` pixels, one thread for each CPU.

    `report` is called with (done, total) after every tile. If an exception (such as Ctrl-C) ends the computation, its
    threads stop within milliseconds.
    """
    out = {field: np.empty(grid.shape, dtype) for field, dtype in kernel.dtypes.items()}
    rows, cols = ([slice(start, start + side) for start in range(0, size, side)] for size in grid.shape)

    def fill(row: slice, col: slice) -> None:
        for field, pixels in kernel(grid[row, col]).items():
            out[field][row, col] = pixels

    with cancellable(Cancellation()) as cancellation, ContextThreads(os.cpu_count()) as pool:
        tasks = [pool.submit(fill, row, col) for row in rows for col in cols]
        try:
            for done, task in enumerate(as_completed(tasks), 1):
                task.result()
                report(done, len(tasks))
        except BaseException:
            cancellation.cancel()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return out
