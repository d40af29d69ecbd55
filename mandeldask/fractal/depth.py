"""How many iterations a place needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.pyramid import MAX_MAXITER, auto_maxiter, checked_maxiter

if TYPE_CHECKING:
    from mandeldask.fractal.rationals import CenterLike, RationalLike

SAMPLES = 24
"""Pixels along each side of the sample that a suggestion looks at."""

_SETTLED = 0.005
"""Share of pixels that may still escape when the cap is doubled."""


def suggest_maxiter(
    center: CenterLike,
    width: RationalLike,
    shape: tuple[int, int] = (512, 512),
    *,
    most: int = 10_000_000,
    allow_huge: bool = False,
) -> int:
    """Return a `maxiter` that fits a window: nearly every pixel of it that escapes has escaped by then.

    Computes a coarse sample of the window with a growing cap, until doubling it lets no more than 0.5 % of the pixels
    escape; the answer is a quarter more than the 99.5 % quantile of their counts. It costs the reference orbit and a
    few hundred pixels.

    Parameters
    ----------
    center, width, shape
        The window, as for `mandeldask.window`.
    most : int
        The cap is not doubled past this: where pixels go on escaping, `most` is the answer.

    Raises
    ------
    ValueError, TypeError
        If the window is none, or `most` is not from 1 to 2^32-1.

    Examples
    --------
    >>> suggest_maxiter("-0.75+0.1j", "1e-4") < suggest_maxiter("-0.743643887037151+0.13182590420533j", "1e-11")
    True
    """
    checked_maxiter(most)
    grid = _sampled(Grid.window(center, width, shape, allow_huge=allow_huge))
    cap = min(most, auto_maxiter(grid.spacing))
    counts, escaped = _counts(grid, cap)
    while cap < most:
        doubled = min(most, 2 * cap)
        counts, more = _counts(grid, doubled)
        settled, cap, escaped = more - escaped <= _SETTLED and more > 0.0, doubled, more
        if settled:
            break
    if escaped == 0.0:
        return min(most, auto_maxiter(grid.spacing))
    quantile = float(np.quantile(counts[counts < cap], 0.995))
    return max(min(most, 255), min(cap, int(1.25 * quantile) + 16, MAX_MAXITER))


def _sampled(grid: Grid) -> Grid:
    """Return every so manieth pixel of `grid`: at most `SAMPLES` along each side."""
    rows, cols = (slice(None, None, max(1, size // SAMPLES)) for size in grid.shape)
    return grid[rows, cols]


def _counts(grid: Grid, maxiter: int) -> tuple[np.ndarray, float]:
    """Return the counts at `grid`, flat, and the share of its pixels that escape."""
    counts = np.asarray(Mandelbrot(maxiter)(grid)["iterations"]).ravel()
    return counts, float(np.mean(counts < maxiter))
