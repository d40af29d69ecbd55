"""Compute chunks on a dask.distributed cluster: its workers read the same tree."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from mandeldask.cancellation import Cancellation, cancellable, current
from mandeldask.internals.dask_names import task_of
from mandeldask.web.urgency import USUAL, urgency
from mandeldask.zarrview.nodes import with_reads
from mandeldask.zarrview.pool import Busy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.zarrview.nodes import Node, Read

CONNECT_S = 3
"""Timeout, in seconds, of connecting to the scheduler."""

RETRY_S = 1
"""Seconds between attempts to connect; between them, requests get status 503 at once."""

POLL_S = 0.02
"""Interval, in seconds, at which a waiting thread checks whether its client has disconnected."""

log = logging.getLogger(__name__)

PACKAGE = "mandeldask"
"""Package that workers must have in this server's version: they unpickle its objects."""

_EMPTY = "the cluster does not answer or has no workers; try again later"

LOST = (OSError, TimeoutError, asyncio.CancelledError, concurrent.futures.CancelledError)
"""Exceptions of distributed for lost connections and for the futures lost with them."""


class SchedulerAway(Busy):
    """The cluster cannot compute now; the chunk is not the cause."""


class Cluster:
    """A connection to a scheduler that is restored when the scheduler returns.

    Parameters
    ----------
    address : str
        Such as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    ModuleNotFoundError
        If dask.distributed is not installed.
    """

    def __init__(self, address: str) -> None:
        if find_spec("distributed") is None:
            msg = "a scheduler needs dask.distributed: pip install 'mandeldask[cluster]'"
            raise ModuleNotFoundError(msg, name="distributed")
        self.address = address
        self._lock = threading.Lock()
        self._client: Any = None
        self._next_try = 0.0
        self._there: list[str] = []
        self._next_check = 0.0
        self._faults: dict[str, str] = {}  # the fault of each worker, by its address; "" if it has none

    def over(self, node: Node) -> Node:
        """Return `node` with arrays that the cluster's workers read."""
        return with_reads(node, partial(_Remote, cluster=self))

    @property
    def ready(self) -> bool:
        """Whether the scheduler answers and has workers; connects if needed."""
        try:
            return bool(self.only(self.client()))
        except SchedulerAway:
            return False

    def client(self) -> Any:
        """Return a connected client.

        Raises
        ------
        SchedulerAway
            If the scheduler does not answer.
        """
        with self._lock:
            client = self._client
            if client is not None and client.status == "running":
                return client
            if time.monotonic() < self._next_try:
                raise SchedulerAway(self._fault_message)
            self._close()
            try:
                self._client = self._connected()
            except SchedulerAway:
                self._next_try = time.monotonic() + RETRY_S  # threads that waited for the lock fail at once, too
                raise
            return self._client

    def only(self, client: Any) -> list[str]:
        """Return the addresses of the workers with this version of the package.

        Workers are asked once in `RETRY_S`. Each worker with another version is logged once. A new worker gets no tasks
        until it has been asked.

        Raises
        ------
        SchedulerAway
            If the scheduler does not answer, or no worker has this version of the package.
        """
        with self._lock:
            if time.monotonic() > self._next_check:
                there = _workers(client)
                self._ask(client, [address for address in there if address not in self._faults])
                self._there, self._next_check = there, time.monotonic() + RETRY_S
            there, fitting = self._there, [address for address in self._there if not self._faults[address]]
        if not there:
            raise SchedulerAway(_EMPTY)
        if not fitting:
            wrong = self._faults[there[0]]
            msg = f"no worker of the cluster has {PACKAGE} {version(PACKAGE)}; the one at {there[0]} has {wrong}"
            raise SchedulerAway(msg)
        return fitting

    def _ask(self, client: Any, workers: list[str]) -> None:
        for address, wrong in _faults_of(client, workers).items():
            self._faults[address] = wrong
            if wrong:
                log.warning("the worker at %s gets no tasks: it has %s", address, wrong)

    def _connected(self) -> Any:
        from distributed import Client  # noqa: PLC0415  an extra, and slow to import (1 s)

        try:
            return Client(self.address, timeout=CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError) as error:
            raise SchedulerAway(self._fault_message) from error

    @property
    def _fault_message(self) -> str:
        return f"the scheduler at {self.address} does not answer"

    def close(self) -> None:
        """Disconnect."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._client is not None:
            with suppress(Exception):  # it may be half closed already
                self._client.close(timeout=CONNECT_S)
            self._client = None


@dataclass(frozen=True, slots=True)
class _Remote:
    """Reads windows on the cluster; the calling thread waits."""

    read: Read
    cluster: Cluster = field(repr=False)

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`.

        Raises
        ------
        Cancelled
            If no client waits for the result any more; the worker then stops.
        SchedulerAway
            If the scheduler or all workers disappear before the computation ends.
        """
        from distributed.client import ClosedClientError  # noqa: PLC0415  an extra, and slow to import (1 s)

        client, key = self.cluster.client(), f"chunk-{uuid4().hex}"
        workers = self.cluster.only(client)
        try:
            future = client.submit(
                computed,
                self.read,
                window,
                key,
                key=key,
                pure=False,
                priority=USUAL - urgency.get(),
                retries=2,
                workers=workers,
            )
            return _result_of(future, client, workers)
        except (*LOST, ClosedClientError) as error:
            raise SchedulerAway(str(error) or "the scheduler went away") from error


def _result_of(future: Any, client: Any, workers: list[str]) -> NDArray[Any]:
    """Return the result of `future`; stop if all clients disconnect or the cluster disappears."""
    done, cancellation, look = threading.Event(), current(), time.monotonic()
    future.add_done_callback(lambda _: done.set())
    try:
        while not done.wait(POLL_S):
            cancellation.check()
            if time.monotonic() > look:
                look = time.monotonic() + RETRY_S
                _check(client, workers)
        return cast("NDArray[Any]", future.result(timeout=CONNECT_S))
    finally:
        if not done.is_set() and client.status == "running":
            future.cancel()


def _check(client: Any, workers: list[str]) -> None:
    """Raise SchedulerAway unless the scheduler answers and has one of the workers."""
    if client.status != "running" or not set(workers) & set(_workers(client)):
        raise SchedulerAway(_EMPTY)


def _workers(client: Any) -> list[str]:
    """Return the addresses of the workers."""
    try:
        return list(client.ncores())
    except LOST as error:
        raise SchedulerAway(str(error)) from error


def _faults_of(client: Any, workers: list[str]) -> dict[str, str]:
    """Return the fault of the package on each worker; "" if it has none.

    The function that is sent is in the standard library: workers without the package could not unpickle one of this
    module.
    """
    if not workers:
        return {}
    try:
        found = client.run(version, PACKAGE, workers=workers, on_error="return")
    except LOST as error:
        raise SchedulerAway(str(error)) from error
    return {address: _wrong(found.get(address)) for address in workers}


def _wrong(found: object) -> str:
    """Return the fault of the version that a worker reported, or the error that it raised instead."""
    if found == version(PACKAGE):
        return ""
    if isinstance(found, PackageNotFoundError):
        return f"no {PACKAGE}"
    return f"{PACKAGE} {found}, but this server has {version(PACKAGE)}" if isinstance(found, str) else ""


def computed(read: Read, window: tuple[slice, ...], key: str) -> NDArray[Any]:
    """Return the elements of `window`, on a worker; stop when the scheduler cancels the task."""
    from distributed import get_worker  # noqa: PLC0415  workers have distributed

    cancellation, finished = Cancellation(), threading.Event()
    watching = threading.Thread(target=_watch, args=(get_worker(), key, cancellation, finished), daemon=True)
    watching.start()
    try:
        with cancellable(cancellation):
            return read(window)
    finally:
        finished.set()


def _watch(worker: Any, key: str, cancellation: Cancellation, finished: threading.Event) -> None:
    """Cancel a running task when the worker no longer needs it; distributed itself cannot stop one."""
    while not finished.wait(POLL_S):
        task = task_of(worker, key)
        if task is None or task.state == "cancelled":
            cancellation.cancel()
            return
