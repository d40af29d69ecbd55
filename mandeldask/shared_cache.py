"""What is dear to compute and used by many tiles: kept by key, computed once however many threads ask, bounded."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from mandeldask.cancellation import current

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

_LOOK_S = 0.005
"""Seconds between two looks of a thread that waits at the cancellation flag."""


class Sized(Protocol):
    """A value that knows how many bytes it holds."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        ...


Value = TypeVar("Value", bound=Sized)


class Shared(Generic[Value]):
    """Values by key, the least recently used dropped first.

    Parameters
    ----------
    max_bytes : int
        Bytes kept at most, but for the value used last.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._in_work: dict[Hashable, tuple[Lock, int]] = {}
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        with self._lock:
            return sum(value.nbytes for value in self._values.values())

    def get(self, key: Hashable, fits: Callable[[Value], bool], make: Callable[[Value | None], Value]) -> Value:
        """Return the value kept under `key` if it `fits`, else what `make` makes of it (or of None), and keep that.

        Threads that ask for a key in work wait for it; where its computation raises, the next of them computes.

        Raises
        ------
        mandeldask.cancellation.Cancelled
            If the computation was cancelled while it waited.
        """
        with self._turn(key):
            value = self._kept(key)
            if value is None or not fits(value):
                value = make(value)
                self._keep(key, value)
            return value

    @contextmanager
    def _turn(self, key: Hashable) -> Iterator[None]:
        """Let one thread at a time work at `key`."""
        with self._lock:
            turn, users = self._in_work.get(key, (Lock(), 0))
            self._in_work[key] = turn, users + 1
        try:
            with _held(turn):
                yield
        finally:
            with self._lock:
                turn, users = self._in_work.pop(key)
                if users > 1:
                    self._in_work[key] = turn, users - 1

    def _kept(self, key: Hashable) -> Value | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def _keep(self, key: Hashable, value: Value) -> None:
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            held = sum(kept.nbytes for kept in self._values.values())
            while held > self.max_bytes and len(self._values) > 1:
                _, dropped = self._values.popitem(last=False)
                held -= dropped.nbytes


@contextmanager
def _held(lock: Lock) -> Iterator[None]:
    """Hold `lock` in the block; a thread that waits for it looks at the cancellation flag."""
    cancellation = current()
    while not lock.acquire(timeout=_LOOK_S):
        cancellation.check()
    try:
        yield
    finally:
        lock.release()
