"""Make the levels of images in advance, in separate threads."""

from __future__ import annotations

import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.lazy.progress import reporting
from mandeldask.zarrview.imaged import made_levels
from mandeldask.zarrview.pool import Busy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mandeldask.images.halving import Halvings
    from mandeldask.lazy.progress import Report
    from mandeldask.web.application import Application
    from mandeldask.web.serving import Handle
    from mandeldask.zarrview.nodes import Node

log = logging.getLogger(__name__)

Made = TypeVar("Made")

RETRY_S: Final = 0.5
"""Seconds between two attempts with a cluster without workers."""


@dataclass(frozen=True, slots=True)
class Warmed:
    """The result of a warming."""

    images: int
    """Images with complete levels."""
    failed: tuple[str, ...]
    """Paths of images that could not be read; the log has the reasons."""
    seconds: float
    """Duration."""


class Warming:
    """Makes all levels of images; it can be stopped between two reads.

    Levels are kept as if a client had requested them: in this process up to a size limit, and on disk if the trees have
    a persistent cache. Tiles in a cache are not made again, so a warming that was stopped continues when it is started
    again.

    Parameters
    ----------
    trees : iterable of Node
        Trees of images, as `mandeldask.zarrview.imaged.images_of` makes them.
    progress : callable, bool or None
        Called with (tiles done, tiles in all); True for a bar; None for a bar only in terminals.
    done : callable, optional
        Called with a `Warmed` at the end, unless it was stopped.
    threads : int, optional
        Number of threads; one per CPU by default.
    """

    def __init__(
        self,
        trees: Iterable[Node],
        *,
        progress: Report | bool | None = None,
        done: Callable[[Warmed], object] | None = None,
        threads: int | None = None,
    ) -> None:
        self._trees = tuple(trees)
        self._progress = progress
        self._done = done
        self._threads = threads or os.cpu_count() or 1
        self._cancellation = Cancellation()
        self._thread = threading.Thread(target=self._run_and_log, name="mandeldask-warming", daemon=True)

    def begin(self) -> None:
        """Begin, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the end of all reads. It may be called before the start and after the end."""
        self._cancellation.cancel()
        if self._thread.is_alive():
            self._thread.join()

    @contextmanager
    def stopped_at_the_end(self) -> Iterator[None]:
        """Stop at the end of the block."""
        try:
            yield
        finally:
            self.stop()

    def run(self) -> Warmed:
        """Make the levels in this thread and the pool's threads.

        Raises
        ------
        mandeldask.cancellation.Cancelled
            If it was stopped.
        """
        began = time.perf_counter()
        found = self._with_retries(lambda: [each for tree in self._trees for each in made_levels(tree)])
        total = sum(halvings.count for _, halvings in found)
        failed: list[str] = []
        with reporting("levels", progress=self._progress) as report, ThreadPoolExecutor(self._threads) as pool:
            progress = _Progress(report, total)
            for path, halvings in found:
                try:
                    self._make(halvings, pool, progress)
                except Cancelled:
                    raise
                except Exception:
                    log.warning("the levels of %s cannot be made", path, exc_info=True)
                    failed.append(path)
        return Warmed(len(found) - len(failed), tuple(failed), time.perf_counter() - began)

    def _make(self, halvings: Halvings, pool: ThreadPoolExecutor, progress: _Progress) -> None:
        """Make all levels of one image; each thread takes the next tile when it is free."""
        steps, lock = halvings.steps(), threading.Lock()

        def work() -> None:
            while True:
                self._cancellation.check()
                with lock:
                    step = next(steps, None)
                if step is None:
                    return
                self._with_retries(step)
                progress.one_more()

        threads = 1 if halvings.has_large_blocks else self._threads
        with cancellable(self._cancellation):
            futures = [pool.submit(copy_context().run, work) for _ in range(threads)]
        errors = [future.exception() for future in futures]
        for error in errors:
            if error is not None:
                raise error

    def _with_retries(self, make: Callable[[], Made]) -> Made:
        """Return the result of `make`; call it again while a cluster has no scheduler or no workers."""
        while True:
            self._cancellation.check()
            try:
                return make()
            except Busy:
                time.sleep(RETRY_S)

    def _run_and_log(self) -> None:
        try:
            warmed = self.run()
        except Cancelled:
            return
        except Exception:
            log.exception("the levels of images are not made in advance, because of an error")
            return
        if self._done is not None:
            self._done(warmed)


def check_warm(workers: int, *, pyramid: str = "none", cache_dir: Any = None, **_: Any) -> None:
    """Raise ValueError if a server with these options has no levels to make or if its processes cannot share them."""
    if pyramid == "none":
        msg = "warm makes levels of images, but pyramid='none' turns them off: choose a method"
        raise ValueError(msg)
    if workers > 1 and cache_dir is None:
        msg = f"warm with {workers} workers needs cache_dir, a folder in which they share the levels"
        raise ValueError(msg)


def warming_with(handle: Handle, done: Callable[[Warmed], object] | None = None) -> Handle:
    """Make the levels of a server's images until it is stopped by the handle that is returned."""
    warming = _warming(handle.app, done, progress=False)
    warming.begin()
    return handle.along_with(warming.stop)


@contextmanager
def while_serving(
    make: Callable[[], Application],
    started: Callable[[str], object],
    *,
    workers: int,
    done: Callable[[Warmed], object] | None = None,
) -> Iterator[tuple[Callable[[], Application], Callable[[str], object]]]:
    """Yield two functions for a server that warms up: one makes its application, one is called when it runs.

        This process makes the levels from the start of the server until the end of the block.

    Parameters
    ----------
    make : callable
        Makes the application.
    started : callable
        Called with the server's address when it accepts requests.
    workers : int
        Number of processes of the server; several share the levels through a folder.
    done : callable, optional
        Called with a `Warmed`.
    """
    app = make()
    warming = _warming(app, done)

    def begin(address: str) -> None:
        started(address)
        warming.begin()

    with warming.stopped_at_the_end():
        yield (lambda: app) if workers == 1 else make, begin


def _warming(app: Application, done: Callable[[Warmed], object] | None, *, progress: bool | None = None) -> Warming:
    """Return a Warming for a server's images; with a cluster it has as many threads as the server has for requests."""
    threads = app.settings.threads if app.settings.scheduler else None
    return Warming(app.catalog.images.values(), progress=progress, done=done, threads=threads)


class _Progress:
    """Counts the tiles done; any thread may report one."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._done, self._total = report, 0, total
        self._lock = threading.Lock()

    def one_more(self, *_: Any) -> None:
        with self._lock:
            self._done += 1
            self._report(self._done, self._total)
