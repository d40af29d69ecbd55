"""Report the progress of long computations to a listener in a context variable, as in `cancellation`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """One long computation. Each is equal only to itself, so that two of the same kind are distinct."""

    label: str
    """Name of the computation."""
    unit: str
    """The unit in which it is counted, as a plural; empty if there is only one unit."""
    total: int
    """Greatest number of units."""


@dataclass(frozen=True, slots=True)
class Amount:
    """The progress of work on many tiles: tiles done, and the amount of work in a period.

    A tile is a chunk, or a shard. `left` is the remaining time, and `str` gives the rates as text.
    """

    done: int
    """Number of tiles done."""
    total: int
    """Number of all tiles."""
    tiles: int
    """Number of tiles done in the period; the others existed before."""
    elements: int
    """Pixels or other elements of these tiles; 0 if not counted."""
    size: int
    """Bytes written in the period."""
    seconds: float
    """Length of the period."""

    @property
    def left(self) -> float | None:
        """Remaining seconds at this speed; None before the first tile."""
        return (self.total - self.done) * self.seconds / self.tiles if self.tiles else None

    def __str__(self) -> str:
        """Return the rates as text.

        Examples
        --------
        >>> str(Amount(30, 90, 20, 20 * 512**2, 4 * 2**20, 10.0))
        '2.0 tiles/s, 0.5 Mpx/s, 4.2 MB'
        """
        per_second = 1 / max(self.seconds, 1e-9)
        parts = [f"{self.tiles * per_second:,.1f} tiles/s"]
        parts += [f"{self.elements * per_second / 1e6:,.1f} Mpx/s"] if self.elements else []
        parts += [f"{self.size / 1e6:,.1f} MB"] if self.size else []
        return ", ".join(parts)


Listener = Callable[[Work, int], None]
"""Called with a Work and the units done, from the computing thread; at the end with its total."""

_listener: ContextVar[Listener | None] = ContextVar("mandeldask_progress", default=None)


def announce(work: Work, done: int) -> None:
    """Report to the listener of this context, if any, that `done` units of `work` are done."""
    listener = _listener.get()
    if listener is not None:
        listener(work, done)


def is_heard() -> bool:
    """Return whether there is a listener in this context."""
    return _listener.get() is not None


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Make computations inside the block report their progress to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
