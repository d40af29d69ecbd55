"""Names of dask and distributed that are not public."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask
import dask.threaded

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping


def example_of(array: Any) -> Any:
    """Return dask's ``_meta`` of an array: an empty array of the type of its blocks."""
    return array._meta  # noqa: SLF001


def tasks_left(state: Mapping[str, Any]) -> int:
    """Return the number of tasks in a scheduler's state at its start."""
    return len(state["waiting"]) + len(state["ready"])


def pool_threads(thread: threading.Thread) -> set[threading.Thread]:
    """Return the threads that compute for `thread`, the main one, with dask's threaded scheduler."""
    pools = [dask.threaded.default_pool, dask.config.get("pool", None), *dask.threaded.pools.get(thread, {}).values()]
    return {worker for pool in pools for worker in getattr(pool, "_threads", ())}


def task_of(worker: Any, key: Any) -> Any:
    """Return the task state that a distributed worker has for a key, or None."""
    return worker.state.tasks.get(key)
