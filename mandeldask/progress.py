"""Progress of long computations, reported to a listener that the context carries, as it carries a `cancellation`."""

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
    """One long computation; equal to itself only, so that two of the same kind stay distinct."""

    label: str
    """What is being computed."""
    unit: str
    """What it is counted in, plural; empty where there is one."""
    total: int
    """How many there are of them at most."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How far work on many tiles is, and what was done in a time.

    A tile is a chunk, or a shard. `left` is the time left, and `str` gives the rates in words.
    """

    done: int
    """Tiles that are done."""
    total: int
    """Tiles in all."""
    tiles: int
    """Tiles that were done in that time; others were there before."""
    elements: int
    """Their pixels, or other elements; 0 where they are not counted."""
    size: int
    """Bytes that were written."""
    seconds: float
    """The time."""

    @property
    def left(self) -> float | None:
        """Seconds that the rest takes at this pace; None before the first tile."""
        return (self.total - self.done) * self.seconds / self.tiles if self.tiles else None

    def __str__(self) -> str:
        """Return the rates, in words.

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
"""Called with a Work and how much of it is done, from the thread that does it; with all of its total at its end."""

_listener: ContextVar[Listener | None] = ContextVar("mandeldask_progress", default=None)


def announce(work: Work, done: int) -> None:
    """Report to the listener of this context, if there is one, that `done` of `work` is done."""
    listener = _listener.get()
    if listener is not None:
        listener(work, done)


def is_heard() -> bool:
    """Return whether there is a listener in this context."""
    return _listener.get() is not None


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let computations inside the block report their progress to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
