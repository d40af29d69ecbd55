"""A cache bounded in memory that computes each value once, however many threads and event loops ask for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from mandeldask.cancellation import current
from mandeldask.flights import Flights, Seat
from mandeldask.forking import renewed_in_children

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

V = TypeVar("V")


class SharedCache(Generic[V]):
    """The most recently used values, and the flights of those that are being computed.

    Parameters
    ----------
    most : int
        Cost of the values kept at most. A value that costs more is returned and not kept; 0 keeps none.
    cost : callable
        What a value costs, such as its bytes; 1 for each by default.
    keeps_last : bool
        Whether the value used last is kept whatever it costs, unless `most` is 0.

    Attributes
    ----------
    size : int
        Cost of the values kept now.
    hits, misses, evictions : int
        Values found, not found, and dropped to make room.
    """

    def __init__(self, most: int, cost: Callable[[V], int] = lambda _: 1, *, keeps_last: bool = False) -> None:
        self.most = most
        self._least = 1 if keeps_last and most else 0
        self.hits = self.misses = self.evictions = self.size = 0
        self._cost = cost
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = threading.RLock()
        self.flights = Flights(self._lock)
        renewed_in_children(self)

    def renew(self) -> None:
        """Let go of what threads hold that a forked child does not have; the values stay."""
        self._lock = threading.RLock()
        self.flights.renew(self._lock)

    def get(self, key: Hashable) -> V | None:
        """Return the value of `key`, or None; counts a hit or a miss."""
        with self._lock:
            if key not in self._values:
                self.misses += 1
                return None
            self.hits += 1
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: Hashable, value: V) -> None:
        """Keep `value` as the most recent one; the least recently used ones are dropped."""
        cost = self._cost(value)
        with self._lock:
            self.drop(key)
            if cost > self.most and not self._least:
                return
            self._values[key] = value
            self.size += cost
            while self.size > self.most and len(self._values) > self._least:
                self.drop(next(iter(self._values)))
                self.evictions += 1

    def drop(self, key: Hashable) -> None:
        """Forget the value of `key`."""
        with self._lock:
            if key in self._values:
                self.size -= self._cost(self._values.pop(key))

    def ask(self, key: Hashable, compute: Callable[[], V], *, keep: bool = True) -> V | Seat[V]:
        """Return the value of `key`, or a place in the flight that computes it. It is looked for once.

        Parameters
        ----------
        key : hashable
            Equal keys mean equal values.
        compute : callable
            Returns the value.
        keep : bool
            Whether a value that had to be computed is kept.
        """
        with self._lock:
            if key in self._values:
                self.hits += 1
                self._values.move_to_end(key)
                return self._values[key]
            self.misses += 1
            return self.flights.join(key, self._kept(key, compute) if keep else compute)

    def read(self, key: Hashable, compute: Callable[[], V]) -> V:
        """Return the value of `key`, computed in this thread or by the one that computes it already."""
        found = self.ask(key, compute)
        if not isinstance(found, Seat):
            return found
        with found:
            return found.read()

    def _kept(self, key: Hashable, compute: Callable[[], V]) -> Callable[[], V]:
        def computed() -> V:
            value = compute()
            self.put(key, value)  # before the flight ends, so that no later caller misses both
            return value

        return computed

    def __contains__(self, key: Hashable) -> bool:
        """Return whether the value of `key` is kept; counts nothing."""
        return key in self._values

    def __len__(self) -> int:
        """Return the number of values kept."""
        return len(self._values)


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

    A signal handler or finalizer may ask within a computation of its own thread: it then computes for itself.

    Parameters
    ----------
    max_bytes : int
        Bytes kept at most, but for the value used last.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self.renew()
        renewed_in_children(self)

    def renew(self) -> None:
        """Let go of the locks of threads that a forked child does not have; the values stay."""
        self._in_work: dict[Hashable, tuple[RLock, int]] = {}
        self._lock = RLock()

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        with self._lock:
            return sum(value.nbytes for value in list(self._values.values()))

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
            turn, users = self._in_work.get(key, (RLock(), 0))
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
            held = sum(kept.nbytes for kept in list(self._values.values()))
            while held > self.max_bytes and len(self._values) > 1:
                _, dropped = self._values.popitem(last=False)
                held -= dropped.nbytes


@contextmanager
def _held(lock: RLock) -> Iterator[None]:
    """Hold `lock` in the block; a thread that waits for it looks at the cancellation flag."""
    cancellation = current()
    while not lock.acquire(timeout=_LOOK_S):
        cancellation.check()
    try:
        yield
    finally:
        lock.release()
