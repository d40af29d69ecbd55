"""Report the progress of long work: a bar in terminals and notebooks, lines of text, or calls of a function."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal, Protocol

from mandeldask.jupyter import in_notebook
from mandeldask.progress import Amount, Work, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress, TaskID

    Report = Callable[[int, int], None]
    """Called with (tiles done, tiles in all)."""

    Watcher = Report | Callable[[Amount], None]
    """Called with the two numbers, or with an Amount if it takes only one argument."""

LINES = "lines"
"""Value of `progress` for a bar in terminals and notebooks, and regular lines elsewhere."""

LINE_S = 10.0
"""Seconds between two lines."""


class Reporter(Protocol):
    """A function that is called after every tile."""

    def __call__(self, done: int, total: int, elements: int = 0, size: int = 0, /) -> None:
        """Report the tiles done, all tiles, and the elements and bytes of the tiles done since the start."""


@contextmanager
def reporting(label: str, *, progress: Watcher | bool | Literal["lines"] | None) -> Iterator[Reporter]:
    """Yield a callable to be called after every tile.

    Parameters
    ----------
    label : str
        Text of the bar.
    progress : callable, bool, "lines" or None
        Function to call with (done, total), or with an `Amount` if it takes one argument only; True for a bar, False
        for no report, None for a bar in a terminal or a notebook only, "lines" for lines on standard error elsewhere.

    Raises
    ------
    ModuleNotFoundError
        If `progress` is True and rich is not installed.
    """
    if callable(progress):
        yield _caller(progress)
    elif progress is True or (progress is not False and _is_seen() and find_spec("rich")):
        with _bar(label) as report:
            yield report
    elif progress == LINES:
        yield _Lines(label)
    else:
        yield lambda *_: None


def _caller(listener: Any) -> Reporter:
    """Return a Reporter that calls `listener` with two numbers, or with an Amount if it takes one argument."""
    try:
        signature(listener).bind(0, 0)
    except TypeError:
        pace = _Pace()
        return lambda done, total, elements=0, size=0, /: listener(pace.amount(done, total, elements, size))
    except ValueError:  # a compiled function without a signature
        pass
    return lambda done, total, *_: listener(done, total)


class _Pace:
    """Measures the work done since the creation of this object."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._before: int | None = None

    def amount(self, done: int, total: int, elements: int, size: int) -> Amount:
        """Return the progress; tiles that were done before the first call count as already present."""
        if self._before is None:
            self._before = max(0, done - 1)
        return Amount(done, total, done - self._before, elements, size, time.perf_counter() - self._began)


class _Lines:
    """Writes a line every LINE_S seconds."""

    def __init__(self, label: str) -> None:
        self._label, self._pace, self._next = label, _Pace(), time.perf_counter() + LINE_S

    def __call__(self, done: int, total: int, elements: int = 0, size: int = 0, /) -> None:
        amount = self._pace.amount(done, total, elements, size)
        if time.perf_counter() < self._next:
            return
        self._next = time.perf_counter() + LINE_S
        left = "" if amount.left is None else f", {timedelta(seconds=round(amount.left))} left"
        sys.stderr.write(f"{self._label}: {done} of {total} tiles, {amount}{left}\n")


def _is_seen() -> bool:
    """Return whether a bar is visible: in a terminal, or in a notebook with widgets, as for `tqdm.auto`."""
    return sys.stderr.isatty() or (in_notebook() and find_spec("ipywidgets") is not None)


@contextmanager
def _bar(label: str) -> Iterator[Reporter]:
    """Show a row for the tiles and one for each running long computation."""
    from rich.console import Console  # noqa: PLC0415  an extra
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=sys.stdout.isatty()) as bar:
        tiles, rows = bar.add_task(label, total=None, rate=""), _Rows(bar)
        with listening(rows.update_work):
            yield partial(rows.update_tiles, tiles)


class _Rows:
    """The rows of a bar; any thread may update them."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._pace = _Pace()
        self._works: dict[Work, tuple[TaskID, float]] = {}

    def update_work(self, work: Work, done: int) -> None:
        """Show the progress of a long computation until it ends."""
        if work not in self._works:
            self._works[work] = self._bar.add_task(work.label, total=work.total, rate=""), time.perf_counter()
        task, began = self._works[work]
        self.update(task, work.unit, done, work.total, began)
        if done >= work.total:
            self._bar.remove_task(task)
            del self._works[work]

    def update_tiles(self, task: TaskID, done: int, total: int, elements: int = 0, size: int = 0, /) -> None:
        """Show the number of tiles done and the speed."""
        amount = self._pace.amount(done, total, elements, size)
        self._bar.update(task, completed=done, total=total, rate=str(amount))

    def update(self, task: TaskID, unit: str, done: int, total: int, began: float) -> None:
        """Show the progress of a long computation and its speed."""
        rate = f"{done / (time.perf_counter() - began):,.1f} {unit}/s" if unit else ""
        self._bar.update(task, completed=done, total=total, rate=rate)
