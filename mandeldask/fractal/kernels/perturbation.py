"""The stage for pixels too close together for float64: perturbation of reference orbits.

After C. Heiland-Allen, "Deep zoom theory and practice" (2021), and Zhuoran's rebasing, with a bound on every error, so
that a pixel is answered only where its count is proven, whatever the reference.
"""

from __future__ import annotations

from fractions import Fraction
from math import ldexp
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.kernels.absolute import FINEST
from mandeldask.fractal.kernels.delta import bound_for
from mandeldask.fractal.kernels.groups import GROUP, follow
from mandeldask.fractal.kernels.neighborhood import Neighborhood, neighborhood_of, reference_point
from mandeldask.fractal.kernels.pixels import Answers, Place, pixels_at_start
from mandeldask.fractal.kernels.refined import DoubledOrbit, DoubledPlace, follow_refined
from mandeldask.fractal.rationals import exponent_of
from mandeldask.fractal.units import in_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Axis, Grid
    from mandeldask.fractal.kernels.tile import Tile
    from mandeldask.fractal.rationals import Point

_MOST_REFERENCES = 12
"""Further references tried for the pixels that outlive the first."""

_WORTHWHILE = 8
"""Open pixels for which a further reference costs less than answering them one by one."""


def answer_by_perturbation(tile: Tile) -> None:
    """Answer the open pixels of `tile`, around a shared reference and then around pixels that outlived it."""
    if tile.open.size < _WORTHWHILE and max(abs(tile.grid.re.step), abs(tile.grid.im.step)) > FINEST:
        return  # a few pixels that double-double can reach need no reference
    finest = exponent_of(min(abs(tile.grid.re.step), abs(tile.grid.im.step))) - 1
    center, reach = reference_point(tile.grid, finest - 8, tile.maxiter)
    near = neighborhood_of(center, reach, finest - 8, tile.maxiter)
    lived = _answer_around(tile, near)
    for _ in range(_MOST_REFERENCES):
        before = tile.open.size
        if before < _WORTHWHILE:
            break
        center = _survivor(tile, lived)
        near = neighborhood_of(center, reach, finest - 8, tile.maxiter)
        lived = _answer_around(tile, near)
        if tile.open.size > 0.9 * before:
            break
    if tile.open.size:
        _refine(tile, near)


def _survivor(tile: Tile, lived: NDArray[np.int64]) -> Point:
    """Return the open pixel amid those that lived longest: references that outlive pixels serve them best."""
    rows, cols = np.divmod(tile.open, tile.grid.re.size)
    oldest = lived >= np.quantile(lived, 0.9)
    row, col = np.median(rows[oldest]), np.median(cols[oldest])
    nearest = np.argmin(np.where(oldest, np.hypot(rows - row, cols - col), np.inf))
    return tile.grid.point(int(rows[nearest]), int(cols[nearest]))


def _answer_around(tile: Tile, near: Neighborhood) -> NDArray[np.int64]:
    """Answer what can be proven around one reference; return the iterations that each pixel still open was followed."""
    place, order = _place(tile, near)
    answers = _blank_answers(tile)
    bound = bound_for(tile.maxiter)
    pool, later = pixels_at_start(tile.open.size), pixels_at_start(tile.open.size)
    while order.size:
        waiting = 0
        for start in range(0, order.size, GROUP):
            some = order[start : start + GROUP]
            waiting = follow(
                pool,
                some,
                later,
                waiting,
                near.orbit,
                near.table,
                place,
                bound,
                tile.maxiter,
                answers,
                tile.cancellation.flag,
            )
        tile.cancellation.check()
        pool, later = later, pool
        order = np.argsort(pool.whole[0, :waiting], kind="stable")
    return _close(tile, "perturbation", answers)


def _place(tile: Tile, near: Neighborhood) -> tuple[Place, NDArray[np.int64]]:
    """Return where the open pixels are, and an order in which neighbours go together."""
    grid, origin = tile.grid, near.reference.center
    rows, cols = np.divmod(tile.open, grid.re.size)
    dc_x = _differences(grid.re, origin.re, near.exponent)[cols]
    dc_y = _differences(grid.im, origin.im, near.exponent)[rows]
    most = float(np.hypot(dc_x, dc_y).max()) * (1 + 2.0**-40)
    place = Place(dc_x, dc_y, near.exponent, most, _spacing(grid, near))
    return place, np.lexsort((cols // 32, rows // 16))


def _spacing(grid: Grid, near: Neighborhood) -> float:
    """Return how far pixels are from each other, in the units of `near`."""
    return float(abs(grid.spacing) / Fraction(2) ** near.exponent)


def _blank_answers(tile: Tile) -> Answers:
    size = tile.open.size
    return Answers(np.zeros((2, size), np.int64), np.full((2, size if tile.wants_orbits else 0), np.nan))


def _close(tile: Tile, stage: str, answers: Answers) -> NDArray[np.int64]:
    """Write what is proven into `tile`; return how long each of the other pixels was followed."""
    counts, proven = answers.whole[0], answers.whole[1] != 0
    pixels = tile.open[proven]
    tile.counts[pixels] = counts[proven]
    if tile.smooth is not None:
        tile.smooth[pixels] = answers.fields[0, proven]
    if tile.distance is not None:
        unit = 1.0 if in_pixels(tile.grid.spacing) else float(abs(tile.grid.spacing))
        tile.distance[pixels] = np.minimum(answers.fields[1, proven] * unit, np.finfo(np.float32).max)
    tile.close(stage, proven)
    lived: NDArray[np.int64] = counts[~proven]
    return lived


def _refine(tile: Tile, near: Neighborhood) -> None:
    """Answer what double-double can prove around the same reference."""
    rows, cols = np.divmod(tile.open, tile.grid.re.size)
    reference, exponent = near.reference, near.exponent
    place = DoubledPlace(
        _doubled_differences(tile.grid.re, reference.center.re, exponent, cols),
        _doubled_differences(tile.grid.im, reference.center.im, exponent, rows),
        exponent,
        _spacing(tile.grid, near),
    )
    error = ldexp(reference.error.mantissa, max(reference.error.exponent, -1000))
    orbit = DoubledOrbit(reference.x, reference.y, reference.x_low, reference.y_low, error)
    answers = _blank_answers(tile)
    follow_refined(orbit, place, tile.maxiter, answers, tile.cancellation.flag)
    _close(tile, "refined perturbation", answers)


def _doubled_differences(axis: Axis, origin: Fraction, exponent: int, pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the positions of `pixels` relative to `origin`, in units of 2^exponent: rows high and low."""
    unit = Fraction(2) ** exponent
    exact = {i: (axis[i] - origin) / unit for i in set(pixels.tolist())}
    high = {i: float(value) for i, value in exact.items()}
    low = {i: float(value - Fraction(high[i])) for i, value in exact.items()}
    return np.array([[table[i] for i in pixels.tolist()] for table in (high, low)])


def _differences(axis: Axis, origin: Fraction, exponent: int) -> NDArray[np.float64]:
    """Return the positions of `axis` relative to `origin`, in units of 2^exponent, each rounded once."""
    unit = Fraction(2) ** exponent
    start, step = (axis.start - origin) / unit, axis.step / unit
    return np.array([float(start + i * step) for i in range(axis.size)])
