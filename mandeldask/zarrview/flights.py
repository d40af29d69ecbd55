"""Single flight: whoever asks for a chunk that is being computed waits for it, in threads and loops alike."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from mandeldask.cancellation import Cancellation, Cancelled, cancellable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from concurrent.futures import Executor


class Flight:
    """One computation, run once by whichever thread comes first, and those who wait for it."""

    __slots__ = ("_compute", "_context", "_lock", "_queued", "_started", "cancellation", "future", "waiters")

    def __init__(self, compute: Callable[[], bytes]) -> None:
        self.future: Future[bytes] = Future()
        self.cancellation = Cancellation()
        self.waiters = 0
        self._compute = compute
        self._context = copy_context()
        self._lock = threading.Lock()
        self._started = False
        self._queued: Future[None] | None = None

    def board(self, pool: Executor) -> None:
        """Have `pool` run it; a refusal by the pool belongs to all who wait."""
        try:
            self._queued = pool.submit(self.run)
        except RuntimeError as error:
            with self._lock:
                refused, self._started = not self._started, True
            if refused:
                self.future.set_exception(error)

    def cancel(self) -> None:
        """Stop it: leave the queue, or have the kernel stop."""
        self.cancellation.cancel()
        if self._queued is not None:
            self._queued.cancel()

    def run(self) -> None:
        """Compute in this thread, unless another has begun to."""
        with self._lock:
            if self._started:
                return
            self._started = True
        try:
            result = self._context.run(self._cancellable)
        except Exception as error:  # noqa: BLE001  belongs to those who wait
            self.future.set_exception(error)
        except BaseException:  # Ctrl-C is this thread's own
            self.future.set_exception(Cancelled("the thread that computed it was interrupted"))
            raise
        else:
            self.future.set_result(result)

    def _cancellable(self) -> bytes:
        with cancellable(self.cancellation):
            self.cancellation.check()
            return self._compute()


class Flights:
    """Computations under way, by key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, Flight] = {}

    def read(self, key: Hashable, compute: Callable[[], bytes]) -> bytes:
        """Return what `compute` returns, computed in this thread, or by whoever computes it already.

        A thread never waits for work that is still queued: it does the work itself, so pools cannot deadlock.
        """
        flight, _ = self._join(key, compute)
        try:
            flight.run()
            return flight.future.result()
        finally:
            self._leave(key, flight)

    async def get(self, key: Hashable, compute: Callable[[], bytes], pool: Executor) -> bytes:
        """Return what `compute` returns, computed in `pool`. Cancelling the last waiter cancels the computation.

        Raises whatever `compute` and the pool raise.
        """
        flight, new = self._join(key, compute)
        try:
            if new:
                flight.board(pool)
            await _done(flight.future)
            return flight.future.result()
        finally:
            self._leave(key, flight)

    def _join(self, key: Hashable, compute: Callable[[], bytes]) -> tuple[Flight, bool]:
        with self._lock:
            flight = self._flights.get(key)
            new = flight is None
            if flight is None:
                flight = self._flights[key] = Flight(compute)
            flight.waiters += 1
            return flight, new

    def _leave(self, key: Hashable, flight: Flight) -> None:
        with self._lock:
            flight.waiters -= 1
            landed = flight.future.done()
            if (landed or not flight.waiters) and self._flights.get(key) is flight:
                del self._flights[key]  # whoever comes later starts afresh
            if not landed and not flight.waiters:
                flight.cancel()


async def _done(future: Future[Any]) -> None:
    """Wait until `future` is done, without cancelling it when the wait is cancelled."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def wake(_: Future[Any]) -> None:
        try:
            loop.call_soon_threadsafe(_resolve, waiter)
        except RuntimeError:  # the loop was closed while its task waited
            return

    future.add_done_callback(wake)
    await waiter


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
