"""The cache class of the package: bounded in memory; threads that need the same value share one computation.

Users can limit and clear caches that have a name: `mandeldask.limit_caches`, `mandeldask.clear_caches`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakSet

from mandeldask.cancellation import current
from mandeldask.flights import Flights, Seat
from mandeldask.forking import renewed_in_children

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

V = TypeVar("V")

_named: dict[str, WeakSet[SharedCache[Any]]] = {}
_limits: dict[str, int] = {}


def _one(_: object) -> int:
    return 1


class SharedCache(Generic[V]):
    """The most recently used values, and the running computations of values.

    Parameters
    ----------
    most : int
        Greatest total cost of the kept values. A value that costs more is returned but not kept; 0 keeps none.
    cost : callable
        Returns the cost of a value, such as its bytes; by default 1.
    name : str
        Name by which users limit and clear this cache and all others of that name; "" for none.
    keeps_last : bool
        Whether the last used value is always kept, at any cost, unless `most` is 0.

    Attributes
    ----------
    size : int
        Total cost of the kept values.
    hits, misses, evictions : int
        Numbers of values found, not found, and dropped to make room.
    """

    def __init__(self, most: int, cost: Callable[[V], int] = _one, *, name: str = "", keeps_last: bool = False) -> None:
        self.most = _limits.get(name, most)
        self.hits = self.misses = self.evictions = self.size = 0
        self._cost = cost
        self._keeps_last = keeps_last
        self._values: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._lock = threading.RLock()
        self.flights = Flights(self._lock)
        renewed_in_children(self)
        if name:
            _named.setdefault(name, WeakSet()).add(self)

    def renew(self) -> None:
        """Replace the locks in a forked child, since threads of the parent may hold them; keep the values."""
        self._lock = threading.RLock()
        self.flights.renew(self._lock)

    def get(self, key: Hashable) -> V | None:
        """Return the value of `key`, or None; count a hit or a miss."""
        with self._lock:
            return self._found(key)

    def _found(self, key: Hashable, fits: Callable[[V], bool] = lambda _: True) -> V | None:
        """Return the value of `key` if it fits, or None. The caller must hold the lock."""
        if key in self._values:
            self._values.move_to_end(key)
            value, _ = self._values[key]
            if fits(value):
                self.hits += 1
                return value
        self.misses += 1
        return None

    def put(self, key: Hashable, value: V) -> None:
        """Keep `value` as the most recent one; drop the least recently used ones if needed."""
        cost = self._cost(value)
        with self._lock:
            self.drop(key)
            if cost > self.most and not self._least():
                return
            self._values[key] = value, cost
            self.size += cost
            self._trim()

    def _least(self) -> int:
        """Return the number of values that are kept at any cost."""
        return int(self._keeps_last and self.most > 0)

    def _trim(self) -> None:
        while self.size > self.most and len(self._values) > self._least():
            self.drop(next(iter(self._values)))
            self.evictions += 1

    def drop(self, key: Hashable) -> None:
        """Remove the value of `key`."""
        with self._lock:
            if key in self._values:
                self.size -= self._values.pop(key)[1]

    def clear(self) -> None:
        """Remove all values; running computations continue."""
        with self._lock:
            self._values.clear()
            self.size = 0

    def limit(self, most: int) -> None:
        """Set the greatest total cost to `most`."""
        with self._lock:
            self.most = most
            self._trim()

    def ask(self, key: Hashable, compute: Callable[[], V], *, keep: bool = True) -> V | Seat[V]:
        """Return the value of `key`, or a Seat in the flight that computes it, with one look-up.

        Parameters
        ----------
        key : hashable
            Equal keys mean equal values.
        compute : callable
            Returns the value.
        keep : bool
            Whether to keep a newly computed value.
        """
        with self._lock:
            found = self._found(key)
            if found is not None:
                return found
            return self.flights.join(key, self._kept(key, compute) if keep else compute)

    def read(self, key: Hashable, compute: Callable[[], V]) -> V:
        """Return the value of `key`; if needed, compute it in this thread or wait for the thread that computes it."""
        found = self.ask(key, compute)
        if not isinstance(found, Seat):
            return found
        with found:
            return found.read()

    def extended(self, key: Hashable, fits: Callable[[V], bool], make: Callable[[V | None], V]) -> V:
        """Return the value of `key` if it `fits`; otherwise replace it by `make(value or None)` and return that.

        If the key is being computed, other threads wait, and extend the value if it does not fit them. If the
        computation raises, the next thread computes. A signal handler or finalizer that interrupts the computation in
        the same thread makes its own computation.

        Raises
        ------
        mandeldask.cancellation.Cancelled
            If the caller was cancelled while it waited. Exceptions of its own `make` are raised, too.
        """
        while True:
            with self._lock:
                found = self._found(key, fits)
                if found is not None:
                    return found
                before = self._values[key][0] if key in self._values else None
                seat = self.flights.join(key, self._kept(key, lambda: make(before)))  # noqa: B023  joined at once
            with seat:
                if seat.is_within():
                    return make(before)
                try:
                    value = seat.read()
                except Exception:
                    if seat.computes_here():
                        raise
                    current().check()
                else:
                    if seat.computes_here() or fits(value):
                        return value

    def _kept(self, key: Hashable, compute: Callable[[], V]) -> Callable[[], V]:
        def computed() -> V:
            value = compute()
            self.put(key, value)  # before the flight ends, so that later callers find the flight or the value
            return value

        return computed

    def __contains__(self, key: Hashable) -> bool:
        """Return whether the value of `key` is kept, without counting a hit or a miss."""
        return key in self._values

    def __len__(self) -> int:
        """Return the number of values kept."""
        return len(self._values)


def named(name: str) -> tuple[SharedCache[Any], ...]:
    """Return the existing caches of a name."""
    return tuple(_named.get(name, ()))


def limit_named(name: str, most: int) -> None:
    """Limit the caches of a name, including those that are created later."""
    _limits[name] = most
    for cache in named(name):
        cache.limit(most)
