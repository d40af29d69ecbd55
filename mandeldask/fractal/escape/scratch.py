"""Memory that a thread keeps for its next computation, lent to one computation at a time."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Scratch(Generic[T]):
    """One value for each thread, which saves allocating fresh memory: that costs milliseconds.

    A computation that starts while another of its thread uses the value, in a signal handler or a finalizer, gets a new
    one.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    @contextmanager
    def lent(self, fits: Callable[[T], bool], make: Callable[[], T]) -> Iterator[T]:
        """Lend the block the value that this thread kept, if it `fits`, or a new one from `make`; then keep it."""
        kept = vars(self._local).pop("value", None)  # taken away: that is the mark
        value = make() if kept is None or not fits(kept) else kept
        try:
            yield value
        finally:
            self._local.value = value
