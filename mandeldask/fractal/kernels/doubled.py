"""The stage for the few pixels that float64 could not decide: double-double orbits, pixel by pixel.

The bound r of `|z_kept - z|` is carried as it is, by ``r' = (2|z| + r) r + eps``: docs/explanation/exactness.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from mandeldask.fractal.kernels import doubledouble as dd
from mandeldask.fractal.kernels.absolute import FINEST
from mandeldask.fractal.kernels.positions import FAR, as_pair, positions
from mandeldask.fractal.kernels.potential import FAR_OUT, WORST, distance, smooth

if TYPE_CHECKING:
    from mandeldask.fractal.kernels.tile import Tile

_STEP_ERROR = 2.0**-95
"""More than a double-double step with |z| <= 2.1 loses, the error of c included."""
_MOST = 2.0**-10
"""A bound past which nothing is decided any more."""
_FEW = 8192
"""Pixels up to which this stage beats a reference orbit: 30 ns an iteration and nothing to set up."""
_LOOK = 1024
"""Iterations between two looks at the cancellation flag."""


def answer_few_doubled(tile: Tile) -> None:
    """Answer the open pixels of `tile` as `answer_doubled`, if so few that a reference orbit would cost more."""
    if tile.open.size <= _FEW:
        answer_doubled(tile)


def answer_doubled(tile: Tile) -> None:
    """Answer the open pixels of `tile` whose counts and fields double-double can prove."""
    if max(abs(as_pair(axis.step)[0]) for axis in (tile.grid.re, tile.grid.im)) < FINEST:
        return
    re, im = positions(tile.grid.re), positions(tile.grid.im)
    proven = np.zeros(tile.open.size, np.bool_)
    none = np.zeros(0, np.float32)
    smooths = none if tile.smooth is None else tile.smooth
    distances = none if tile.distance is None else tile.distance
    _run(re, im, tile.maxiter, tile.open, tile.counts, smooths, distances, proven, tile.cancellation.flag)
    tile.close("double-double", proven)


@numba.njit(nogil=True, cache=True)
def _run(re, im, maxiter, pixels, counts, smooths, distances, proven, flag):
    for i in range(pixels.size):
        pixel = pixels[i]
        row = pixel // re.shape[1]
        col = pixel - row * re.shape[1]
        count, smooth_count, estimate = _follow(re[0, col], re[1, col], im[0, row], im[1, row], maxiter, flag)
        if flag[0]:
            return
        if count < 0 or (count < maxiter and smooths.size and np.isnan(smooth_count)):
            continue
        if count < maxiter and distances.size and np.isnan(estimate):
            continue
        proven[i] = True
        counts[pixel] = count
        if count < maxiter and smooths.size:
            smooths[pixel] = smooth_count
        if count < maxiter and distances.size:
            distances[pixel] = estimate


@numba.njit(nogil=True, cache=True)
def _follow(cx, cx_low, cy, cy_low, maxiter, flag):
    """Return the count or -1, and the smooth count and distance estimate or NaN, of one point."""
    x = x_low = y = y_low = dx = dy = r = q = 0.0
    count, n, m = -1, 0, 0.0
    while n < maxiter or count >= 0:
        modulus = np.sqrt(m)
        slope = np.sqrt(dx * dx + dy * dy)
        q = (2.0 * (modulus + r) * q + 2.0 * r * slope + 2.0**-50 * (modulus * slope + 1.0)) * (1.0 + 2.0**-40)
        dx, dy = (x + x) * dx - (y + y) * dy + 1.0, (x + x) * dy + (y + y) * dx
        r = ((2.0 * modulus + r) * r + _STEP_ERROR * (1.0 + m)) * (1.0 + 2.0**-40)
        x, x_low, y, y_low = dd.iterate(x, x_low, y, y_low, cx, cx_low, cy, cy_low)
        n += 1
        m = x * x + y * y
        if count < 0:
            side = _side(x, x_low, y, y_low, r)
            if side == 0 or (n % _LOOK == 0 and flag[0]):
                return -1, np.nan, np.nan
            if side > 0:
                count = n - 1
        elif m > FAR_OUT * (1.0 + cx * cx + cy * cy):
            break
    if count < 0:
        return maxiter, np.nan, np.nan
    dm = dx * dx + dy * dy
    if not (r * r < WORST * m and cx * cx + cy * cy < FAR):
        return count, np.nan, np.nan
    return count, smooth(n, m), distance(m, dm) if q * q < WORST * dm else np.nan


@numba.njit(nogil=True, cache=True, inline="always")
def _side(x, x_low, y, y_low, r):
    """Return 1 where the exact iterate has |z| > 2, -1 where |z| < 2, 0 where r leaves it open."""
    if not r < _MOST:
        return 0
    xx, xx_low = dd.multiply(x, x_low, x, x_low)
    yy, yy_low = dd.multiply(y, y_low, y, y_low)
    m, m_low = dd.add(xx, xx_low, yy, yy_low)
    gap = (m - 4.0) + m_low
    margin = 4.5 * r + _STEP_ERROR
    return 1 if gap > margin else -1 if gap < -margin else 0
