"""Compile or load kernels while a server starts: first those of the first pictures, then those of deep views."""

from __future__ import annotations

import sys
import threading
from contextlib import closing, contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.fractal.compiling import DEPTH, FIRST_VIEW, compute
from mandeldask.fractal.escape.first_run import compile_first
from mandeldask.fractal.kernels import kernel_of
from mandeldask.progress import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mandeldask.fractal.pyramid import Pyramid
    from mandeldask.progress import Work

QUIET_S = 3.0
"""Seconds between the two: the first visitor's requests have priority."""


@contextmanager
def prepared(pyramid: Pyramid) -> Iterator[None]:
    """Compile or load the kernels of a pyramid's coarsest level and of the page's views, in a thread within the block.

    The first run on a machine compiles, which takes some ten seconds; a bar shows the kernel. Its second process
    (`mandeldask.fractal.escape.first_run`) compiles the kernels of deep views too.
    """
    cancellation, ended = Cancellation(), threading.Event()
    with closing(_Shown()) as shown:

        def prepare() -> None:
            try:
                with cancellable(cancellation), listening(shown.update):
                    _compute_coarsest(pyramid)
                    compile_first(with_fields=True)
                    compute(FIRST_VIEW)
                    shown.close()
                    if not shown.compiled and not ended.wait(QUIET_S):
                        compute(DEPTH)
            except Cancelled:
                pass
            finally:
                shown.close()

        threading.Thread(target=copy_context().run, args=(prepare,), name="mandeldask-kernels", daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            cancellation.cancel()


class _Shown:
    """Shows what is being compiled: a bar in a terminal, otherwise one line; nothing if nothing is compiled."""

    def __init__(self) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        console = Console(stderr=True)
        self._bar = Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty())
        self._row = self._bar.add_task("", total=None)
        self._lock = threading.Lock()
        self._closed = False
        self.compiled = False

    def update(self, work: Work, done: int) -> None:
        """Show the kernel that is being compiled; `mandeldask.progress` calls this."""
        with self._lock:
            if self._closed or done:
                return
            if not self.compiled:
                self.compiled = True
                if self._bar.console.is_terminal:
                    self._bar.start()
                else:
                    sys.stderr.write(
                        "mandeldask is compiling its kernels, once on this machine; the first pictures wait for this\n"
                    )
            self._bar.update(self._row, description=work.label)

    def close(self) -> None:
        """End the display."""
        with self._lock:
            if self._bar.live.is_started:
                self._bar.stop()
            self._closed = True


def _compute_coarsest(pyramid: Pyramid) -> None:
    """Compute a tile of the coarsest level, which compiles its kernels."""
    coarsest, side = pyramid.levels - 1, slice(0, pyramid.tilesize)
    kernel_of(pyramid, coarsest)(pyramid.grid(coarsest)[side, side])
