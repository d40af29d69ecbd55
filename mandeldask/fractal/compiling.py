"""Compile all kernels: those of the first pictures, then those of the page's first view, then those of deep views.

    python -m mandeldask.fractal.compiling FOLDER counts

is the second process of a first run (`mandeldask.fractal.escape.first_run`). It ends when its standard input is
closed, or immediately if another process already compiles for the cache in FOLDER.
"""

from __future__ import annotations

import os
import sys
import threading
from fractions import Fraction
from pathlib import Path

from mandeldask.fractal.escape.arithmetic.kernel_lock import Busy, KernelLock, without_waiting
from mandeldask.fractal.escape.first_run import compile_first
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.pyramid import auto_maxiter

PAGE_FIELDS = (("smooth",), ("period",))
"""The fields that the page requests at every place, one request after the other."""

FIRST_VIEW = (("-0.65", -5, 128), ("-0.75+0.1j", -9, 64))
"""Centre, log2 of the spacing, and pixels per side of grids that need the kernels of the page's first view."""

DEPTH = (
    ("1j", -100, 64),
    ("-0.743643887037158704752191506114774+0.131825904205311970493132056385139j", -65, 128),
)
"""The same for views at any depth."""

_LOW_PRIORITY = 10


def compute(tiles: tuple[tuple[str, int, int], ...]) -> None:
    """Compute grids with the fields that the page requests."""
    for center, exponent, pixels in tiles:
        spacing = Fraction(2) ** exponent
        for fields in PAGE_FIELDS:
            Mandelbrot(auto_maxiter(spacing), fields)(Grid.window(center, pixels * spacing, (pixels, pixels)))


def main(folder: str, what: str) -> None:
    """Compile all kernels, those that are needed first before the others."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        with without_waiting():
            KernelLock(Path(folder) / "second-process.lock").acquire()
    except Busy:
        return
    for with_fields in (what == "fields", what != "fields"):
        compile_first(with_fields=with_fields)
    if hasattr(os, "nice"):
        os.nice(_LOW_PRIORITY)
    compute(FIRST_VIEW)
    compute(DEPTH)


def _end_with_input() -> None:
    """End this process, whatever it is doing, when the other end of its standard input is closed."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
