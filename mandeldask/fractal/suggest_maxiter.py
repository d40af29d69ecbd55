"""Suggest the number of iterations for a place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.fractal.geometry import Grid, positive_int
from mandeldask.fractal.kernels import kernel_for
from mandeldask.fractal.pyramid import MAX_MAXITER, as_julia, auto_maxiter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.rationals import CenterLike, Point, RationalLike

SAMPLES = 24
"""Pixels along each side of the sample that is computed."""

_GROWTH = 4
"""Factor between two caps that are tried: pixels that never escape need all iterations of each."""

_SETTLED = 0.005
"""Share of the pixels that may still escape when the cap is doubled."""


def suggest_maxiter(  # noqa: PLR0913  the parameters of a window
    center: CenterLike,
    width: RationalLike,
    shape: tuple[int, int] = (512, 512),
    *,
    most: int = 10_000_000,
    julia: CenterLike | None = None,
    allow_huge: bool = False,
) -> int:
    """Return a `maxiter` that fits a window: nearly all its escaping pixels escape within this number of iterations.

    A coarse sample of the window is computed with a growing cap, until all pixels escape, or until at most 0.5 % of
    them escape in the second half of the cap. The result is 1.25 times the 99.5 % quantile of their counts. The cost is
    that of the reference orbit and of a few hundred pixels.

    Parameters
    ----------
    center, width, shape
        The window, as for `mandeldask.window`.
    most : int
        Greatest cap: if pixels still escape there, the result is `most`.
    julia : str, complex or (re, im), optional
        The c of a Julia set, as for `mandeldask.window`.

    Raises
    ------
    ValueError, TypeError
        If the window is not valid, or `most` is not from 1 to 2^32-1.

    Examples
    --------
    >>> suggest_maxiter("-0.75+0.1j", "1e-4") < suggest_maxiter("-0.743643887037151+0.13182590420533j", "1e-11")
    True
    """
    most = positive_int(most, "most", MAX_MAXITER)
    c = as_julia(julia, (), allow_huge=allow_huge)
    grid = _sampled(Grid.window(center, width, shape, allow_huge=allow_huge))
    usual = min(most, auto_maxiter(grid.spacing))
    cap = min(most, 2 * usual)
    counts = _counts(grid, cap, c)
    while cap < most and not _is_settled(counts, cap):
        cap = min(most, _GROWTH * cap)
        counts = _counts(grid, cap, c)
    escaped = counts[counts < cap]
    if not escaped.size:
        return usual
    if not _is_settled(counts, cap):
        return most
    return max(min(most, 255), min(most, int(1.25 * float(np.quantile(escaped, 0.995))) + 16))


def _sampled(grid: Grid) -> Grid:
    """Return `grid` subsampled to at most `SAMPLES` pixels per side."""
    rows, cols = (slice(None, None, max(1, size // SAMPLES)) for size in grid.shape)
    return grid[rows, cols]


def _counts(grid: Grid, maxiter: int, julia: Point | None) -> NDArray[Any]:
    """Return the counts at `grid`, flat."""
    return kernel_for(julia, maxiter, ("iterations",))(grid)["iterations"].ravel()


def _is_settled(counts: NDArray[Any], cap: int) -> bool:
    """Whether all pixels have escaped, or only few did in the second half of `cap`."""
    half, whole = (float(np.mean(counts < end)) for end in (cap // 2, cap))
    return whole == 1.0 or (whole > 0.0 and whole - half <= _SETTLED)
