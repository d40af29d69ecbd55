"""Single flight: concurrent requests for the same value share one computation, in threads and event loops."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from mandeldask.cancellation import Cancellation, Cancelled, cancellable, current
from mandeldask.forking import renewed_in_children

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from concurrent.futures import Executor

T = TypeVar("T")

CHECK_S = 0.02
"""Seconds between two checks of the cancellation flag, in a thread that waits for another."""


class Flight(Generic[T]):
    """One shared computation, run by the first thread that is free for it."""

    __slots__ = ("_compute", "_computing_thread", "_context", "_lock", "_queued", "cancellation", "future", "waiters")

    def __init__(self, compute: Callable[[], T]) -> None:
        self.future: Future[T] = Future()
        self.cancellation = Cancellation()
        self.waiters = 0
        self._compute = compute
        self._context = copy_context()
        self._lock = threading.RLock()
        self._computing_thread: int | None = None
        self._queued: Future[None] | None = None

    def submit(self, pool: Executor, *, refusable: bool = False) -> None:
        """Run it in `pool`, once. If the pool refuses, all waiting callers get its error, unless `refusable`."""
        with self._lock:
            if self._computing_thread is not None or self._queued is not None:
                return
            try:
                self._queued = pool.submit(self.run)
            except RuntimeError as error:
                if not refusable and self._begun():
                    self.future.set_exception(error)

    def cancel(self) -> None:
        """Stop it: remove it from the queue, or stop its kernel."""
        self.cancellation.cancel()
        if self._queued is not None:
            self._queued.cancel()

    def run(self) -> None:
        """Compute in this thread, unless another has started."""
        if not self._begun():
            return
        try:
            result = self._context.run(self._cancellable)
        except Exception as error:  # noqa: BLE001  passed to the waiting callers
            self.future.set_exception(error)
        except BaseException:  # Ctrl-C concerns this thread only
            self.future.set_exception(Cancelled("the thread that computed it was interrupted"))
            raise
        else:
            self.future.set_result(result)

    def _begun(self) -> bool:
        """Return whether this thread is the first to start it."""
        with self._lock:
            first = self._computing_thread is None
            self._computing_thread = threading.get_ident() if first else self._computing_thread
            return first

    def within(self) -> bool:
        """Whether the current thread is computing it, interrupted by a signal handler or finalizer."""
        return self.computed_here() and not self.future.done()

    def computed_here(self) -> bool:
        """Whether the current thread runs or ran it."""
        return self._computing_thread == threading.get_ident()

    def again(self) -> T:
        """Compute it again, for a caller that cannot wait."""
        return self._compute()

    def _cancellable(self) -> T:
        with cancellable(self.cancellation):
            self.cancellation.check()
            return self._compute()


class Seat(Generic[T]):
    """One caller that waits for a flight; the end of its ``with`` block removes the caller.

    If the last caller leaves before the end, the computation is cancelled.
    """

    __slots__ = ("_flight", "_flights", "_key", "_left")

    def __init__(self, flights: Flights, key: Hashable, flight: Flight[T]) -> None:
        self._flights = flights
        self._key = key
        self._flight = flight
        self._left = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Remove this caller. Calling it twice does no harm."""
        self._flights.leave(self)

    def read(self) -> T:
        """Return the value, computed in this thread or by the thread that is already computing it.

        A thread never waits for work that is still queued: it does the work itself, so pools cannot deadlock.

        Raises
        ------
        Cancelled
            If this thread's own computation is cancelled while it waits. Exceptions of the computation are raised, too.
        """
        if self._flight.within():
            return self._flight.again()
        outer = current()
        with outer.calling(self.leave):  # a cancelled caller stops waiting
            self._flight.run()
            while True:
                try:
                    return self._flight.future.result(CHECK_S)
                except TimeoutError:
                    if self._flight.future.done():
                        raise
                outer.check()

    def is_within(self) -> bool:
        """Whether the current thread is computing it: then the caller has interrupted its own computation."""
        return self._flight.within()

    def computes_here(self) -> bool:
        """Whether the current thread computes or computed it."""
        return self._flight.computed_here()

    def offer(self, pool: Executor) -> None:
        """Compute it in a thread of `pool`, if one is free; `read` does not wait for the pool."""
        self._flight.submit(pool, refusable=True)

    async def get(self, pool: Executor) -> T:
        """Return the value, computed in `pool`. Exceptions of the computation and of the pool are raised."""
        self._flight.submit(pool)
        await _done(self._flight.future)
        return self._flight.future.result()


class Flights:
    """The running computations, by key.

    Parameters
    ----------
    lock : threading.RLock, optional
        Held while a caller joins or leaves. A cache with the same lock can look up and join in one step.
    """

    def __init__(self, lock: threading.RLock | None = None) -> None:
        self.renew(lock)
        if lock is None:
            renewed_in_children(self)

    def renew(self, lock: threading.RLock | None = None) -> None:
        """Forget all flights in a forked child: their threads exist in the parent only."""
        self._lock: Any = lock or threading.RLock()
        self._flights: dict[Hashable, Flight[Any]] = {}

    def __len__(self) -> int:
        """Return the number of running computations."""
        return len(self._flights)

    def join(self, key: Hashable, compute: Callable[[], T]) -> Seat[T]:
        """Return a Seat in the flight of `key`; start a flight that runs `compute` if there is none."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = Flight(compute)
            flight.waiters += 1
            return Seat(self, key, flight)

    def read(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the result of `compute`, from this thread or from the thread that is already computing it."""
        with self.join(key, compute) as seat:
            return seat.read()

    async def get(self, key: Hashable, compute: Callable[[], T], pool: Executor) -> T:
        """Return the result of `compute`, computed in `pool`."""
        with self.join(key, compute) as seat:
            return await seat.get(pool)

    def leave(self, seat: Seat[Any]) -> None:
        """Remove a caller; the last one to leave cancels the computation."""
        flight, key = seat._flight, seat._key  # noqa: SLF001  attributes of a class in this module
        with self._lock:
            if seat._left:  # noqa: SLF001
                return
            seat._left = True  # noqa: SLF001
            flight.waiters -= 1
            landed = flight.future.done()
            if (landed or not flight.waiters) and self._flights.get(key) is flight:
                del self._flights[key]  # later callers start a new computation
            if not landed and not flight.waiters:
                flight.cancel()


async def _done(future: Future[Any]) -> None:
    """Wait until `future` is done, without cancelling it when the wait is cancelled."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def wake(_: Future[Any]) -> None:
        try:
            loop.call_soon_threadsafe(_resolve, waiter)
        except RuntimeError:  # the event loop was closed while its task waited
            return

    future.add_done_callback(wake)
    await waiter


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
