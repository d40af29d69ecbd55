"""Memory that a thread keeps for its next computation: lent to one at a time."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Scratch(Generic[T]):
    """One value a thread, so that fresh memory need not be had again: that costs milliseconds, page by page.

    A computation that begins while another of its thread has the value, in a signal handler or a finalizer, gets one of
    its own.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    @contextmanager
    def lent(self, fits: Callable[[T], bool], make: Callable[[], T]) -> Iterator[T]:
        """Give the block the value that this thread kept, if it `fits`, or one that `make` makes; then keep that."""
        kept = vars(self._local).pop("value", None)  # taken away: that is the mark
        value = make() if kept is None or not fits(kept) else kept
        try:
            yield value
        finally:
            self._local.value = value
