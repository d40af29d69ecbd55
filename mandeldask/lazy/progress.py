"""Progress of long work: a bar in terminals and notebooks, or a callable of the caller."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mandeldask.jupyter import in_notebook
from mandeldask.progress import Work, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress, TaskID

    Report = Callable[[int, int], None]


@contextmanager
def reporting(label: str, *, progress: Report | bool | None) -> Iterator[Report]:
    """Yield a callable to be called with (done, total) after every tile.

    Parameters
    ----------
    label : str
        What the bar says is being done.
    progress : callable, bool or None
        What to call; True for a bar, False for nothing, None for a bar in a terminal or a notebook.

    Raises
    ------
    ModuleNotFoundError
        If a bar is asked for and rich is not installed.
    """
    if callable(progress):
        yield progress
    elif progress or (progress is None and _is_seen() and find_spec("rich")):
        with _bar(label) as report:
            yield report
    else:
        yield lambda _done, _total: None


def _is_seen() -> bool:
    """Return whether somebody sees a bar: in a terminal, or in a notebook that has widgets, as for `tqdm.auto`."""
    return sys.stderr.isatty() or (in_notebook() and find_spec("ipywidgets") is not None)


@contextmanager
def _bar(label: str) -> Iterator[Report]:
    """Show a row for the tiles, and one for every long computation below them while it lasts."""
    from rich.console import Console  # noqa: PLC0415  an extra
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tiles, rows = bar.add_task(label, total=None, rate=""), _Rows(bar)
        with listening(rows.update_work):
            yield lambda done, total: rows.update(tiles, "tiles", done, total)


class _Rows:
    """The rows of a bar; any thread may update them."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._began = time.perf_counter()
        self._works: dict[Work, tuple[TaskID, float]] = {}

    def update_work(self, work: Work, done: int) -> None:
        """Show how far a long computation is, until it ends."""
        if work not in self._works:
            self._works[work] = self._bar.add_task(work.label, total=work.total, rate=""), time.perf_counter()
        task, began = self._works[work]
        self.update(task, work.unit, done, work.total, began)
        if done >= work.total:
            self._bar.remove_task(task)
            del self._works[work]

    def update(self, task: TaskID, unit: str, done: int, total: int, began: float | None = None) -> None:
        """Show how far a row is, and how fast it went so far."""
        rate = done / (time.perf_counter() - (self._began if began is None else began))
        self._bar.update(task, completed=done, total=total, rate=f"{rate:,.1f} {unit}/s")
