"""Stop a computation from outside: a flag in a context variable, which kernels check.

This module is below every layer: the end of a request (`web`) must reach the kernel (`fractal`) through xarray and
dask, which cannot pass on our arguments. `contextvars.copy_context().run` passes the flag on to a thread.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray


class Cancelled(Exception):  # noqa: N818  named as in asyncio and concurrent.futures
    """The computation was stopped, because no caller waits for it any more."""


class Cancellation:
    """A flag that one thread sets and that running kernels see within milliseconds.

    Attributes
    ----------
    flag : ndarray of uint8, shape (1,)
        0, or 1 after cancellation; kernels read it without the GIL.
    """

    __slots__ = ("_callbacks", "flag")

    def __init__(self) -> None:
        self.flag: NDArray[np.uint8] = np.zeros(1, np.uint8)
        self._callbacks: list[Callable[[], object]] = []

    def cancel(self) -> None:
        """Stop the computations that check this flag."""
        self.flag[0] = 1
        for callback in tuple(self._callbacks):
            callback()

    @contextmanager
    def calling(self, callback: Callable[[], object]) -> Iterator[None]:
        """Call `callback` if `cancel` is called inside the block, to stop work that has a flag of its own."""
        self._callbacks.append(callback)
        try:
            if self.cancelled:
                callback()
            yield
        finally:
            self._callbacks.remove(callback)

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return bool(self.flag[0])

    def check(self) -> None:
        """Raise `Cancelled` if `cancel` was called."""
        if self.cancelled:
            msg = "the computation was cancelled"
            raise Cancelled(msg)


_current: ContextVar[Cancellation | None] = ContextVar("mandeldask_cancellation", default=None)


def current() -> Cancellation:
    """Return the Cancellation of this context; by default one that is never cancelled."""
    return _current.get() or Cancellation()


@contextmanager
def cancellable(cancellation: Cancellation) -> Iterator[Cancellation]:
    """Make computations inside the block check `cancellation`."""
    token = _current.set(cancellation)
    try:
        yield cancellation
    finally:
        _current.reset(token)
