"""Time limits of computations: callers allow a number of seconds, and kernels state an estimate before they start.

Like `cancellation`, this module is below every layer and stores its state in a context variable, for the same reason: a
server must be able to limit every call of a kernel, including calls through xarray and dask, for every tree.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from mandeldask.forking import renewed_in_children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMPILE_S = 60.0
"""Tolerance in seconds: the first computation on a machine also compiles its kernels."""

CHECK_S = 0.1
"""Seconds between two checks of running computations."""


class BudgetExceeded(Exception):  # noqa: N818  named like `Cancelled`
    """The estimate exceeds the limit, so the computation was not started; or it took longer and was stopped."""


class Unfinished(BudgetExceeded):
    """The computation was stopped at its limit. Its partial results are kept; the next call continues it."""


class _Budget:
    """The allowed seconds, the sum of the estimates, and the seconds used so far."""

    __slots__ = ("began", "limit", "passed", "spent", "steps", "used")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.began = time.monotonic()
        self.spent = self.used = 0.0
        self.steps = 0
        self.passed = False


_current: ContextVar[_Budget | None] = ContextVar("mandeldask_budget", default=None)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Limit all computations inside the block to `seconds` of one core, by their own estimates."""
    token = _current.set(_Budget(seconds))
    try:
        yield
    finally:
        _current.reset(token)


def spend(seconds: float, what: str) -> None:
    """Declare the estimated time of a computation before it starts.

    Parameters
    ----------
    seconds : float
        Upper estimate, in seconds of one core.
    what : str
        Description of the computation, for the error message.

    Raises
    ------
    BudgetExceeded
        If the estimate is more than the rest of this context's limit. Never without a limit.

    Examples
    --------
    >>> with limited(10):
    ...     spend(8, "a tile")
    ...     spend(3, "its neighbour")
    Traceback (most recent call last):
        ...
    mandeldask.budget.BudgetExceeded: its neighbour may take 3 s, more than the 2 s left of 10
    """
    budget = _current.get()
    if budget is None:
        return
    left = budget.limit - budget.spent
    if seconds > left:
        allowed = f"{left:.3g} s left of {budget.limit:.3g}" if budget.spent else f"{left:.3g} s allowed"
        msg = f"{what} may take {seconds:.3g} s, more than the {allowed}"
        raise BudgetExceeded(msg)
    budget.spent += seconds


def pause(what: str) -> None:
    """Stop a resumable computation between two steps if the limit of this context has passed.

    Raises
    ------
    Unfinished
        If at least one step was done and no time is left for another. Never without a limit.
    """
    budget = _current.get()
    if budget is None:
        return
    if budget.steps and time.monotonic() - budget.began > budget.limit:
        msg = f"{what} takes more than the {budget.limit:.3g} s allowed; partial results are kept: try again"
        raise Unfinished(msg)
    budget.steps += 1


@contextmanager
def metered(what: str, stop: Callable[[], object]) -> Iterator[None]:
    """Apply the limit of this context to the block, by the CPU seconds that this thread really uses.

    Parameters
    ----------
    what : str
        Description of the computation, for the error message.
    stop : callable
        Called from another thread when the limit has passed. The block should then raise an exception soon.

    Raises
    ------
    BudgetExceeded
        If the block was stopped; it replaces the exception of the block.
    """
    budget = _current.get()
    if budget is None or budget.limit == float("inf"):
        yield
        return
    try:
        with _watch.over(budget, stop):
            yield
    except Exception:
        if budget.passed:
            msg = f"{what} took more than the {budget.limit:.3g} s allowed and was stopped"
            raise BudgetExceeded(msg) from None
        raise


class _Meter:
    """A computation that runs in one thread."""

    __slots__ = ("began", "budget", "clock", "stop")

    def __init__(self, budget: _Budget, stop: Callable[[], object]) -> None:
        self.budget, self.stop = budget, stop
        has_clocks = hasattr(time, "pthread_getcpuclockid")
        self.clock = time.pthread_getcpuclockid(threading.get_ident()) if has_clocks else time.CLOCK_MONOTONIC
        self.began = time.clock_gettime(self.clock)

    @property
    def used(self) -> float:
        """CPU seconds used so far; wall-clock seconds if the system does not measure CPU time."""
        return time.clock_gettime(self.clock) - self.began


class _Watch:
    """A thread that checks running computations while there are any."""

    def __init__(self) -> None:
        self.renew()
        renewed_in_children(self)

    def renew(self) -> None:
        """Reset to no computations and no thread, in a forked child."""
        self._changed = threading.Condition()
        self._meters: set[_Meter] = set()
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, budget: _Budget, stop: Callable[[], object]) -> Iterator[None]:
        """Watch the block."""
        meter = _Meter(budget, stop)
        with self._changed:
            self._meters.add(meter)
            if self._thread is None:
                self._thread = threading.Thread(target=self._check_limits, name="mandeldask-budget", daemon=True)
                self._thread.start()
            elif len(self._meters) == 1:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:  # read now: the clock of a thread ends with the thread
                self._meters.discard(meter)
                budget.used += meter.used

    def _check_limits(self) -> None:
        while True:
            with self._changed:
                while not self._meters:
                    self._changed.wait()
                over = [meter for meter in self._meters if self._passed(meter)]
            for meter in over:
                meter.stop()
            time.sleep(CHECK_S)

    def _passed(self, meter: _Meter) -> bool:
        budget = meter.budget
        running = sum(each.used for each in self._meters if each.budget is budget)
        budget.passed = budget.passed or budget.used + running > budget.limit + COMPILE_S
        return budget.passed


_watch = _Watch()
