"""The one cache of the package: bounded in memory; threads that need the same value share one computation.

Caches with a name are bounded and cleared by users: `mandeldask.limit_caches`, `mandeldask.clear_caches`.
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
    """The most recently used values, and the flights of those that are being computed.

    Parameters
    ----------
    most : int
        Cost of the values kept at most. A value that costs more is returned and not kept; 0 keeps none.
    cost : callable
        What a value costs, such as its bytes; 1 for each by default.
    name : str
        The name by which users bound and clear it, with all others of that name; "" for none.
    keeps_last : bool
        Whether the value used last is always kept, at any cost, unless `most` is 0.

    Attributes
    ----------
    size : int
        Cost of the values kept now.
    hits, misses, evictions : int
        Values found, not found, and dropped to make room.
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
        """Release the locks of threads that a forked child does not have; the values stay."""
        self._lock = threading.RLock()
        self.flights.renew(self._lock)

    def get(self, key: Hashable) -> V | None:
        """Return the value of `key`, or None; counts a hit or a miss."""
        with self._lock:
            return self._found(key)

    def _found(self, key: Hashable, fits: Callable[[V], bool] = lambda _: True) -> V | None:
        """Return the value of `key` if it fits, or None; the caller holds the lock."""
        if key in self._values:
            self._values.move_to_end(key)
            value, _ = self._values[key]
            if fits(value):
                self.hits += 1
                return value
        self.misses += 1
        return None

    def put(self, key: Hashable, value: V) -> None:
        """Keep `value` as the most recent one; the least recently used ones are dropped."""
        cost = self._cost(value)
        with self._lock:
            self.drop(key)
            if cost > self.most and not self._least():
                return
            self._values[key] = value, cost
            self.size += cost
            self._trim()

    def _least(self) -> int:
        """Return how many values are kept at any cost."""
        return int(self._keeps_last and self.most > 0)

    def _trim(self) -> None:
        while self.size > self.most and len(self._values) > self._least():
            self.drop(next(iter(self._values)))
            self.evictions += 1

    def drop(self, key: Hashable) -> None:
        """Forget the value of `key`."""
        with self._lock:
            if key in self._values:
                self.size -= self._values.pop(key)[1]

    def clear(self) -> None:
        """Forget all values; computations under way go on."""
        with self._lock:
            self._values.clear()
            self.size = 0

    def limit(self, most: int) -> None:
        """Keep values that cost `most` in all from now on."""
        with self._lock:
            self.most = most
            self._trim()

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
            found = self._found(key)
            if found is not None:
                return found
            return self.flights.join(key, self._kept(key, compute) if keep else compute)

    def read(self, key: Hashable, compute: Callable[[], V]) -> V:
        """Return the value of `key`, computed in this thread or by the one that computes it already."""
        found = self.ask(key, compute)
        if not isinstance(found, Seat):
            return found
        with found:
            return found.read()

    def extended(self, key: Hashable, fits: Callable[[V], bool], make: Callable[[V | None], V]) -> V:
        """Return the value of `key` if it `fits`, otherwise what `make` returns for it (or for None), and keep that.

        Threads that need a key that is being computed wait, and extend the value if it does not fit them. If its
        computation raises, the next of them computes it. A signal handler or finalizer that interrupts the computation
        in its own thread computes for itself.

        Raises
        ------
        mandeldask.cancellation.Cancelled
            If the caller was cancelled while it waited. Otherwise what its own `make` raises.
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
                    if seat.is_pilot():
                        raise
                    current().check()
                else:
                    if seat.is_pilot() or fits(value):
                        return value

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


def named(name: str) -> tuple[SharedCache[Any], ...]:
    """Return the caches of a name that this process has now."""
    return tuple(_named.get(name, ()))


def limit_named(name: str, most: int) -> None:
    """Bound the caches of a name, those that are made later too."""
    _limits[name] = most
    for cache in named(name):
        cache.limit(most)
