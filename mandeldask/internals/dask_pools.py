"""The threads of dask's pools, which are not public."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask
import dask.threaded

if TYPE_CHECKING:
    import threading


def pool_threads(thread: threading.Thread) -> set[threading.Thread]:
    """Return the threads that compute for `thread`, the main one, with dask's threaded scheduler."""
    pools = [dask.threaded.default_pool, dask.config.get("pool", None), *dask.threaded.pools.get(thread, {}).values()]
    return {worker for pool in pools for worker in getattr(pool, "_threads", ())}
