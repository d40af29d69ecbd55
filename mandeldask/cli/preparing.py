"""Kernels compiled before a visitor waits for them: what the page's first view needs, then what depth needs."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING

from rich.console import Console

from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.kernels import kernel_of
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.pyramid import auto_maxiter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mandeldask.fractal.pyramid import Pyramid

PAGE_FIELDS = (("smooth",), ("period",))
"""What the page asks of every place, one after the other."""

FIRST_VIEW = (("-0.65", -5, 128), ("-0.75+0.1j", -9, 64))
"""Centre, log2 of the spacing and pixels a side of grids that need the kernels of the page's first view."""

DEPTH = (
    ("1j", -100, 64),
    ("-0.743643887037158704752191506114774+0.131825904205311970493132056385139j", -65, 128),
)
"""The same for views at any depth."""


@contextmanager
def prepared(pyramid: Pyramid) -> Iterator[None]:
    """Compile or load the kernels of a pyramid's coarsest level and of the page's views, and keep them.

    The first run on a machine compiles, which takes tens of seconds. It leaves the kernels of deep views to a process
    of low priority that runs within the block, so that the server need not wait for them.
    """
    from mandeldask.internals.numba_names import install_recorder  # noqa: PLC0415  numba only when it computes

    with (
        Console(stderr=True).status("preparing kernels (compiled in the first run, then kept)"),
        install_recorder("numba:compile") as compiled,
    ):
        _compute_coarsest(pyramid)
        compute(FIRST_VIEW)
        if not compiled.buffer:
            compute(DEPTH)
    if not compiled.buffer:
        yield
        return
    helper = _helper()
    try:
        yield
    finally:
        if helper is not None:
            helper.kill()
            helper.wait()


def _helper() -> subprocess.Popen[bytes] | None:
    """Start the process that compiles the kernels of deep views; None where it cannot start: it only saves time."""
    code = f"import os; getattr(os, 'nice', abs)(10); from {__name__} import DEPTH, compute; compute(DEPTH)"
    nowhere = subprocess.DEVNULL
    try:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", code], stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True
        )
    except OSError:
        return None


def _compute_coarsest(pyramid: Pyramid) -> None:
    coarsest = pyramid.levels - 1
    every = slice(None, None, max(1, pyramid.grid(coarsest).shape[0] // 16))
    kernel_of(pyramid, coarsest)(pyramid.grid(coarsest)[every, every])


def compute(tiles: tuple[tuple[str, int, int], ...]) -> None:
    """Compute grids as the page asks for them."""
    for center, exponent, pixels in tiles:
        spacing = Fraction(2) ** exponent
        for fields in PAGE_FIELDS:
            Mandelbrot(auto_maxiter(spacing), fields)(Grid.window(center, pixels * spacing, (pixels, pixels)))
