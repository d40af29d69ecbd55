"""Make Ctrl-C stop computations: Python handles signals only in the main thread, and not while a kernel runs there.

So another thread watches for Ctrl-C (`interrupt_watch`). Where a program handles Ctrl-C itself, a long computation of
the main thread runs in another thread, and the main thread waits for it. A process that ends by Ctrl-C also stops the
computations of other threads, such as dask's; otherwise Python would wait for them.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401  its hook must be registered before ours: the last one runs first
import os
import sys
import threading
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from mandeldask.cancellation import Cancellation, Cancelled, cancellable, current
from mandeldask.fractal.interrupt_watch import interrupt_watch
from mandeldask.internals.python_names import before_threads_end

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_T = TypeVar("_T")

_LONG_S = 0.4
"""Computations that are estimated to take at least this many seconds can be interrupted."""

_STOP_WAIT_S = 0.05
"""Seconds that Ctrl-C waits for a computation to stop. One that takes longer, such as compiling, ends in its thread."""

_running: dict[Cancellation, threading.Thread] = {}
_ending = threading.Event()


def interruptible(call: Callable[[], _T], seconds: float) -> _T:
    """Return the result of ``call()``, which may take `seconds`; Ctrl-C ends it within milliseconds.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended it, in the main thread.
    """
    if seconds < _LONG_S or threading.current_thread() is not threading.main_thread():
        return call()
    watch, cancellation = interrupt_watch(), Cancellation()
    if watch is None or not watch.begin(cancellation):
        return _in_another_thread(call)
    try:
        with current().calling(cancellation.cancel), cancellable(cancellation):
            return call()
    except Cancelled:
        if not watch.has_stopped(cancellation):
            raise
    finally:
        watch.end()
    return interruptible(call, seconds)  # it was a Ctrl-C before, which the watch has noticed too late


def _in_another_thread(call: Callable[[], _T]) -> _T:
    """Return the result of `call` in another thread, while this one can handle signals."""
    cancellation, outcome = Cancellation(), _Outcome(call)
    with current().calling(cancellation.cancel):
        try:
            _calls().put(partial(copy_context().run, outcome.find, cancellation))
            outcome.known.wait()
        except BaseException:
            cancellation.cancel()
            if not outcome.known.wait(_STOP_WAIT_S):
                _calls().put(None)  # ends the thread after its call
                _forget_calls()
            raise
    if outcome.error is not None:
        raise outcome.error
    return outcome.value  # type: ignore[no-any-return]


def _calls() -> SimpleQueue[Callable[[], None] | None]:
    """Return the queue of the second thread, which runs one call after the other and keeps its scratch memory."""
    global _queue  # noqa: PLW0603  used by the main thread only
    if _queue is None:
        _queue = SimpleQueue()
        threading.Thread(target=_serve, args=(_queue,), name="mandeldask", daemon=True).start()
    return _queue


def _forget_calls() -> None:
    """Use a new thread for the next computation: the old one is busy, or does not exist in a forked process."""
    global _queue  # noqa: PLW0603
    _queue = None


def _serve(queue: SimpleQueue[Callable[[], None] | None]) -> None:
    while call := queue.get():
        call()


_queue: SimpleQueue[Callable[[], None] | None] | None = None

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_calls)


@contextmanager
def stopped_at_the_end(cancellation: Cancellation) -> Iterator[None]:
    """Cancel `cancellation` if the process ends by Ctrl-C inside the block."""
    _running[cancellation] = threading.current_thread()
    try:
        if _ending.is_set():
            cancellation.cancel()
        yield
    finally:
        _running.pop(cancellation, None)


def stop_in(threads: Collection[threading.Thread]) -> None:
    """Cancel all computations that run in some threads."""
    for cancellation, thread in _running.copy().items():
        if thread in threads:
            cancellation.cancel()


class _Outcome:
    """The result or the exception of a call in another thread."""

    __slots__ = ("call", "error", "known", "value")

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.value: Any = None
        self.error: BaseException | None = None
        self.known = threading.Event()

    def find(self, cancellation: Cancellation) -> None:
        """Run the call with `cancellation`."""
        try:
            with cancellable(cancellation):
                self.value = self.call()
        except BaseException as error:  # noqa: BLE001  passed to the main thread
            self.error = error
        finally:
            self.known.set()


def _stop_what_runs() -> None:
    """Cancel all computations if Ctrl-C ends this process; otherwise Python would wait for them."""
    kind = getattr(sys, "last_type", None)
    if isinstance(kind, type) and issubclass(kind, KeyboardInterrupt):
        _ending.set()
        for cancellation in tuple(_running):
            cancellation.cancel()


before_threads_end(_stop_what_runs)
