"""What a computation may cost: seconds allowed from outside, and told by kernels before they begin.

It lies below every layer and travels in the context, as `cancellation` does and for the same reason: a server must be
able to bound whatever reaches a kernel, through xarray and dask, whichever tree it was asked for.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class TooDear(Exception):  # noqa: N818  as `Cancelled`
    """The computation could take longer than whoever asked for it allows, and was not begun."""


class _Budget:
    """Seconds that are allowed, and those that were spent of them."""

    __slots__ = ("limit", "spent")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.spent = 0.0


_current: ContextVar[_Budget | None] = ContextVar("mandeldask_budget", default=None)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Let the computations inside the block take `seconds` of one core together, by their own estimates."""
    token = _current.set(_Budget(seconds))
    try:
        yield
    finally:
        _current.reset(token)


def spend(seconds: float, what: str) -> None:
    """Tell what a computation may take, before it begins.

    Parameters
    ----------
    seconds : float
        Of one core, at worst.
    what : str
        What will be computed, for the error.

    Raises
    ------
    TooDear
        If that is more than is left of the limit of this context; never where none was set.

    Examples
    --------
    >>> with limited(10):
    ...     spend(8, "a tile")
    ...     spend(3, "its neighbour")
    Traceback (most recent call last):
        ...
    mandeldask.budget.TooDear: its neighbour may take 3 s, more than the 2 s left of 10
    """
    budget = _current.get()
    if budget is None:
        return
    left = budget.limit - budget.spent
    if seconds > left:
        allowed = f"{left:.3g} s left of {budget.limit:.3g}" if budget.spent else f"{left:.3g} s allowed"
        msg = f"{what} may take {seconds:.3g} s, more than the {allowed}"
        raise TooDear(msg)
    budget.spent += seconds
