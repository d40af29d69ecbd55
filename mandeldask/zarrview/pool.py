"""Threads that compute chunks, the order of the chunks, and a bound on the number of waiting chunks."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import OrderedDict
from concurrent.futures import Executor, Future
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import finalize

from mandeldask.forking import renewed_in_children

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

P = ParamSpec("P")
T = TypeVar("T")

client: ContextVar[Hashable] = ContextVar("mandeldask_asker", default=None)
"""The client for which calls are submitted; calls of different clients take turns."""

SIDE_THREADS = 4
"""Threads for short work: opening sources, writing documents, reading the persistent cache."""

_REMEMBERED = 0.9
"""Weight of the old mean duration of calls when a new one is added."""


class Busy(RuntimeError):  # noqa: N818  a state, not an error
    """The maximum number of chunks is waiting; nothing was started."""

    def __init__(self, message: str, wait_s: float = 1.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s
        """Seconds after which there may be room."""


class Queue(Executor):
    """Calls that wait for a limited number of threads; a full queue refuses calls.

    Attributes
    ----------
    side : Executor
        A few more threads, for work that must not wait for kernels.
    """

    def __init__(self, threads: _Threads, most: int, queue: int | None, side: Executor | None = None) -> None:
        self._threads = threads
        self._lane = threads.lane(most, queue)
        self.side = side or self

    @property
    def workers(self) -> int:
        """Number of threads that calls of this queue may use at a time."""
        return self._lane.most

    @property
    def running(self) -> int:
        """Number of calls that are running."""
        return self._lane.running

    @property
    def waiting(self) -> int:
        """Number of calls that wait for a thread."""
        return self._lane.waiting

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `fn` in a thread. Cancelling the Future frees its place in the queue at once.

        Raises
        ------
        Busy
            If the queue is full.
        """
        return self._threads.submit(self._lane, partial(fn, *args, **kwargs))


class Pool(Queue):
    """Threads, and a queue of calls for them.

    It is not the pool of `asyncio.to_thread`, which zarr uses too: nested reads in that pool deadlock. Its threads do
    not keep the process alive: a call that cannot be cancelled must not prevent a server from ending.

    Parameters
    ----------
    workers : int, optional
        Threads; the number of CPUs by default, at least 2.
    queue : int, optional
        Calls that may wait for a thread; any number by default.
    niceness : int
        How much lower the priority of these threads is than that of others, such as an event loop: 0 to 19 (Linux
        only).
    charge : callable, optional
        Called after each call with the client that it was for (`client`) and its seconds of CPU.
    """

    def __init__(
        self,
        workers: int | None = None,
        queue: int | None = None,
        *,
        niceness: int = 0,
        charge: Callable[[Hashable, float], object] | None = None,
    ) -> None:
        threads = _Threads(workers or max(2, os.cpu_count() or 1), niceness, charge)
        self._aside = _Threads(SIDE_THREADS, niceness, None)
        super().__init__(threads, threads.most, queue, Queue(self._aside, SIDE_THREADS, None))
        for each in (threads, self._aside):
            finalize(self, each.shutdown, wait=False, cancel_futures=False)

    def sibling(self, workers: int, queue: int | None = None) -> Queue:
        """Return another queue for the same threads, whose calls may use at most `workers` of them at a time.

        The calls of both queues take turns. At least one thread is never used by calls of the new queue. The threads
        end with this pool.
        """
        self._threads.most = max(self._threads.most, workers + 1)
        return Queue(self._threads, workers, queue, self.side)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  Executor's
        """Accept no more calls for any queue, and let the threads end."""
        for threads in (self._threads, self._aside):
            threads.shutdown(wait=wait, cancel_futures=cancel_futures)


class _Lane:
    """Waiting calls, in order for each client, and the number that may run at a time."""

    def __init__(self, most: int, queue: int | None) -> None:
        self.most, self.queue = most, queue
        self.running = self.waiting = 0
        self._calls: OrderedDict[Hashable, dict[Future[Any], Callable[[], Any]]] = OrderedDict()

    def put(self, who: Hashable, future: Future[Any], call: Callable[[], Any]) -> None:
        self._calls.setdefault(who, {})[future] = call
        self.waiting += 1

    def drop(self, who: Hashable, future: Future[Any]) -> bool:
        """Forget a call; return whether it waited."""
        calls = self._calls.get(who, {})
        found = calls.pop(future, None) is not None
        if not calls:
            self._calls.pop(who, None)
        self.waiting -= found
        return found

    def take(self) -> tuple[Hashable, Future[Any], Callable[[], Any]]:
        """Return the first call of the client whose turn it is."""
        who, calls = next(iter(self._calls.items()))
        future = next(iter(calls))
        call = calls[future]
        self.drop(who, future)
        if who in self._calls:
            self._calls.move_to_end(who)
        return who, future, call


class _Threads:
    """Threads that serve lanes in turn."""

    def __init__(self, most: int, niceness: int, charge: Callable[[Hashable, float], object] | None) -> None:
        self.most, self.niceness, self.charge = most, niceness, charge
        self.lanes: list[_Lane] = []
        self.mean_s = 0.0
        self.renew()
        renewed_in_children(self)

    def renew(self) -> None:
        """Start without threads and calls: a forked child does not have those of its parent."""
        self.changed = threading.Condition()
        self.threads: set[threading.Thread] = set()
        self.idle = 0
        self.ended = False
        self.lanes[:] = [_renewed(lane) for lane in self.lanes]

    def lane(self, most: int, queue: int | None) -> _Lane:
        with self.changed:
            self.lanes.append(_Lane(most, queue))
            return self.lanes[-1]

    def submit(self, lane: _Lane, call: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self.changed:
            if self.ended:
                msg = "the pool was shut down"
                raise RuntimeError(msg)
            if lane.queue is not None and lane.running + lane.waiting >= lane.most + lane.queue:
                msg = f"{lane.queue} chunks are already waiting for {lane.most} threads; try again later"
                raise Busy(msg, self.mean_s * (lane.queue + 1) / lane.most)
            who = client.get()
            lane.put(who, future, call)
            if sum(each.waiting for each in self.lanes) > self.idle and len(self.threads) < self.most:
                self._start()
            self.changed.notify()
        future.add_done_callback(partial(self._dropped, lane, who))
        return future

    def _start(self) -> None:
        thread = threading.Thread(target=self._serve, name=f"zarrview-{len(self.threads)}", daemon=True)
        self.threads.add(thread)
        thread.start()

    def _dropped(self, lane: _Lane, who: Hashable, future: Future[Any]) -> None:
        if future.cancelled():
            with self.changed:
                lane.drop(who, future)

    def _serve(self) -> None:
        _lower_priority(self.niceness)
        while True:
            with self.changed:
                while (lane := self._next()) is None:
                    if self.ended:
                        return
                    self.idle += 1
                    self.changed.wait()
                    self.idle -= 1
                who, future, call = lane.take()
                lane.running += 1
            try:
                self._run(who, future, call)
            finally:
                del future, call  # release the references before waiting for the next call
                with self.changed:
                    lane.running -= 1
                    self.changed.notify()

    def _next(self) -> _Lane | None:
        """Return the lane whose turn it is, and move it behind the others."""
        for lane in self.lanes:
            if lane.waiting and lane.running < lane.most:
                self.lanes.remove(lane)
                self.lanes.append(lane)
                return lane
        return None

    def _run(self, who: Hashable, future: Future[Any], call: Callable[[], Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        began, began_cpu = time.monotonic(), time.thread_time()
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  passed to the waiting callers
            future.set_exception(error)
        else:
            future.set_result(result)
        self.mean_s += (1 - _REMEMBERED) * (time.monotonic() - began - self.mean_s)
        if self.charge is not None:
            self.charge(who, time.thread_time() - began_cpu)

    def shutdown(self, *, wait: bool, cancel_futures: bool) -> None:
        with self.changed:
            self.ended = True
            waiting = [lane.take()[1] for lane in self.lanes for _ in range(lane.waiting)] if cancel_futures else []
            threads = list(self.threads)
            self.changed.notify_all()
        for future in waiting:
            future.cancel()
        for thread in threads if wait else ():
            thread.join()


def _renewed(lane: _Lane) -> _Lane:
    lane.__init__(lane.most, lane.queue)  # type: ignore[misc]  # held by pools
    return lane


def _lower_priority(niceness: int) -> None:
    """Lower this thread's priority: on Linux niceness belongs to a thread, not to its process."""
    if niceness and sys.platform == "linux":
        with suppress(OSError):  # a sandbox may forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
