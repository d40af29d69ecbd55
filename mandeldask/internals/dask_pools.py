"""dask's threaded scheduler, its threads and the locks of dask's expressions, which are not public."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dask
import dask.threaded
from dask._expr import Expr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def pool_threads(thread: threading.Thread) -> set[threading.Thread]:
    """Return the threads that compute for `thread`, the main one, with dask's threaded scheduler."""
    pools = [dask.threaded.default_pool, dask.config.get("pool", None), *dask.threaded.pools.get(thread, {}).values()]
    return {worker for pool in pools for worker in getattr(pool, "_threads", ())}


def wrap_threaded_scheduler(wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replace the function that computes graphs for dask's threaded scheduler, in the caller's thread."""
    dask.threaded.get_async = wrapper(dask.threaded.get_async)  # type: ignore[attr-defined]


def renew_expression_locks() -> None:
    """Free the locks of cached properties of dask's expressions: Python 3.11 has one for all objects of a class."""
    for kind in _with_subclasses(Expr):
        for value in vars(kind).values():
            if isinstance(value, cached_property) and hasattr(value, "lock"):
                value.lock = threading.RLock()


def _with_subclasses(kind: type) -> Iterator[type]:
    yield kind
    subclasses: list[type] = kind.__subclasses__()
    for one in subclasses:
        yield from _with_subclasses(one)
