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
    """What it is counted in, plural."""
    total: int
    """How many there are of them at most."""


Listener = Callable[[Work, int], None]
"""Called with a Work and how much of it is done, from the thread that does it; with all of its total at its end."""

_listener: ContextVar[Listener | None] = ContextVar("mandeldask_progress", default=None)


def announce(work: Work, done: int) -> None:
    """Report to the listener of this context, if there is one, that `done` of `work` is done."""
    listener = _listener.get()
    if listener is not None:
        listener(work, done)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let computations inside the block report their progress to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
