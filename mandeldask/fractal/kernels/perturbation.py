"""The stage for pixels too close together for float64: perturbation of a reference orbit.

C. Heiland-Allen, "Deep zoom theory and practice" (2021), with rebasing (Zhuoran), and with a bound on every error.
"""

from __future__ import annotations

from fractions import Fraction
from math import ldexp
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.kernels import groups
from mandeldask.fractal.kernels.bilinear import bilinear
from mandeldask.fractal.kernels.delta import bound_for
from mandeldask.fractal.rationals import Point
from mandeldask.fractal.reference import ReferenceOrbit, Scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Axis, Grid
    from mandeldask.fractal.kernels.tile import Tile

_FAR = 2**40
"""An index that no orbit reaches."""


def answer_by_perturbation(tile: Tile) -> None:
    """Answer the open pixels of `tile` around one reference orbit."""
    center, exponent = _lattice_point(tile.grid)
    bits = 140 - exponent + max(tile.grid.shape).bit_length()
    reference = ReferenceOrbit.start(center, bits).extended(tile.maxiter)
    _answer_around(tile, reference, exponent)


def _answer_around(tile: Tile, reference: ReferenceOrbit, exponent: int) -> None:
    rows, cols = np.divmod(tile.open, tile.grid.re.size)
    dc_x = _differences(tile.grid.re, reference.center.re, exponent)[cols]
    dc_y = _differences(tile.grid.im, reference.center.im, exponent)[rows]
    dc_most = float(np.hypot(dc_x, dc_y).max()) * (1 + 2.0**-40)
    orbit = _orbit(reference)
    table = bilinear(orbit.x, orbit.y, np.log2(dc_most) + exponent + 1e-9 if dc_most else -(2.0**50))
    bound = bound_for(tile.maxiter)
    counts, proven = np.zeros(tile.open.size, np.int64), np.zeros(tile.open.size, np.bool_)
    pool, later = groups.pool_of(tile.open.size), groups.pool_of(tile.open.size)
    order = np.lexsort((cols // 32, rows // 16))
    while order.size:
        waiting = 0
        for start in range(0, order.size, groups.GROUP):
            waiting = groups.follow(
                pool,
                order[start : start + groups.GROUP],
                later,
                waiting,
                orbit,
                table,
                dc_x,
                dc_y,
                exponent,
                dc_most,
                bound,
                tile.maxiter,
                counts,
                proven,
                tile.cancellation.flag,
            )
        tile.cancellation.check()
        pool, later = later, pool
        order = np.argsort(pool.exponent[:waiting], kind="stable")
    if tile.wants_orbits:
        proven &= counts == tile.maxiter
    tile.counts[tile.open[proven]] = counts[proven]
    tile.close("perturbation", proven)


def _lattice_point(grid: Grid) -> tuple[Point, int]:
    """Return a point of a lattice that neighbouring tiles share, near `grid`, and an exponent: |dc| < 2^exponent."""
    extent = max(abs(grid.re.step) * grid.re.size, abs(grid.im.step) * grid.im.size)
    exponent = extent.numerator.bit_length() - extent.denominator.bit_length() + 4  # 8 to 32 times the extent
    cell = Fraction(2) ** exponent
    middle = (axis[axis.size // 2] for axis in (grid.re, grid.im))
    return Point(*(round(part / cell) * cell for part in middle)), exponent


def _differences(axis: Axis, origin: Fraction, exponent: int) -> NDArray[np.float64]:
    """Return the positions of `axis` relative to `origin`, in units of 2^exponent, each rounded once."""
    unit = Fraction(2) ** exponent
    start, step = (axis.start - origin) / unit, axis.step / unit
    return np.array([float(start + i * step) for i in range(axis.size)])


def _orbit(reference: ReferenceOrbit) -> groups.Orbit:
    """Return the reference as arrays for the kernels."""
    tiny, edge = reference.tiny, reference.edge
    tiny_exponent = [max(entry.x.exponent, entry.y.exponent) for entry in tiny]
    return groups.Orbit(
        x=reference.x,
        y=reference.y,
        tiny_at=np.array([*(entry.m for entry in tiny), _FAR]),
        tiny_x=np.array([_ldexp(entry.x, -e) for entry, e in zip(tiny, tiny_exponent, strict=True)]),
        tiny_y=np.array([_ldexp(entry.y, -e) for entry, e in zip(tiny, tiny_exponent, strict=True)]),
        tiny_exponent=np.array(tiny_exponent),
        edge_at=np.array([*(entry.m for entry in edge), _FAR]),
        edge_excess=np.array([entry.excess.mantissa for entry in edge], np.float64),
        edge_exponent=np.array([entry.excess.exponent for entry in edge], np.int64),
        edge_error=np.array([entry.error.mantissa for entry in edge], np.float64),
        edge_error_exponent=np.array([entry.error.exponent for entry in edge], np.int64),
        error=reference.error.mantissa,
        error_exponent=reference.error.exponent,
    )


def _ldexp(value: Scaled, exponent: int) -> float:
    """Return ``value * 2**exponent`` as a float, 0 far below the others."""
    return ldexp(value.mantissa, max(value.exponent + exponent, -1000))
