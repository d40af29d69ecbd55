"""What long work tells about how far it is: a bar where someone looks at it, or a callable of the caller's."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Report = Callable[[int, int], None]


@contextmanager
def reporting(label: str, *, progress: Report | bool | None) -> Iterator[Report]:
    """Give a callable that is told (done, total) after every tile.

    Parameters
    ----------
    label : str
        What the bar says is being done.
    progress : callable, bool or None
        What to call; True for a bar, False for nothing, None for a bar where standard error is a terminal.

    Raises
    ------
    ModuleNotFoundError
        If a bar is asked for and rich is not installed.
    """
    if callable(progress):
        yield progress
    elif progress or (progress is None and sys.stderr.isatty() and find_spec("rich")):
        with _bar(label) as report:
            yield report
    else:
        yield lambda _done, _total: None


@contextmanager
def _bar(label: str) -> Iterator[Report]:
    from rich.console import Console  # noqa: PLC0415  an extra
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f} tiles/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None, rate=0.0)
        yield lambda done, total: bar.update(task, completed=done, total=total, rate=bar.tasks[0].speed or 0.0)
