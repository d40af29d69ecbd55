"""The stage for the few pixels that float64 could not decide: double-double orbits in lockstep lanes.

The bound r of `|z_kept - z|` is carried as it is, by ``r' = (2|z| + r) r + eps``: docs/explanation/exactness.md.
As in `lanes`, a block of steps runs unchecked; a lane not surely inside after it is followed from before it, alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from mandeldask.fractal.kernels import doubledouble as dd
from mandeldask.fractal.kernels import lanes
from mandeldask.fractal.kernels.absolute import FINEST
from mandeldask.fractal.kernels.positions import FAR, as_pair, positions
from mandeldask.fractal.kernels.potential import FAR_OUT, WORST, distance, smooth

if TYPE_CHECKING:
    from mandeldask.fractal.kernels.tile import Tile

_STEP_ERROR = 2.0**-95
"""More than a double-double step with |z| <= 2.1 loses, the error of c included."""
_MOST = 2.0**-10
"""A bound past which nothing is decided any more."""
_FEW = 24576
"""Pixels up to which this stage beats a reference orbit: 6 ns an iteration and nothing to set up."""
LANES = 64
"""Pixels in flight."""
STEPS = 16
"""Iterations of a block."""

# Rows of a workspace, as in `lanes`. The first eight are what a step changes, the next eight what they were before.
_ROW = LANES + 8
X, X_LOW, Y, Y_LOW, R, DX, DY, Q = range(0, 8 * _ROW, _ROW)
_OLD = 8 * _ROW
CX, CX_LOW, CY, CY_LOW, BORN, PIXEL, INSIDE = range(2 * _OLD, 2 * _OLD + 7 * _ROW, _ROW)
_SIZE = 2 * _OLD + 7 * _ROW


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
    """Send `pixels` through the lanes."""
    w = lanes.workspace(_SIZE)
    derivative = distances.size > 0
    active = following = clock = 0
    while not flag[0]:
        if active <= LANES // 2:
            active, following = _enter(re, im, pixels, following, clock, w, active)
        if active == 0:
            break
        w[_OLD : 2 * _OLD] = w[:_OLD]
        _advance(w, active, derivative)
        clock += STEPS
        _look(w, active, clock + STEPS - maxiter)
        for i in range(active - 1, -1, -1):
            if w[INSIDE + i] == 0.0:
                j = int(w[PIXEL + i])
                answer = _follow(w, i, clock - STEPS - w[BORN + i], maxiter, smooths.size > 0 or derivative)
                proven[j] = _write(answer, pixels[j], maxiter, counts, smooths, distances)
                active -= 1
                w[i:_SIZE:_ROW] = w[active:_SIZE:_ROW]


@numba.njit(nogil=True, cache=True)
def _enter(re, im, pixels, following, clock, w, active):
    """Append the next pixels, at z_0 = 0; return how many are active, and the next to come."""
    while following < pixels.size and active < LANES:
        row = pixels[following] // re.shape[1]
        col = pixels[following] - row * re.shape[1]
        w[active:_OLD:_ROW] = 0.0
        w[CX + active], w[CX_LOW + active] = re[0, col], re[1, col]
        w[CY + active], w[CY_LOW + active] = im[0, row], im[1, row]
        w[BORN + active], w[PIXEL + active] = clock, following
        active += 1
        following += 1
    return active, following


@numba.njit(nogil=True, cache=True)
def _advance(w, active, derivative):
    """Advance lanes by STEPS iterations, unchecked."""
    for _ in range(STEPS):
        if derivative:
            for i in range(active):
                w[DX + i], w[DY + i], w[Q + i] = _differentiate(
                    w[X + i], w[Y + i], w[R + i], w[DX + i], w[DY + i], w[Q + i]
                )
        for i in range(active):
            w[X + i], w[X_LOW + i], w[Y + i], w[Y_LOW + i], w[R + i] = _iterate(
                w[X + i], w[X_LOW + i], w[Y + i], w[Y_LOW + i], w[R + i],
                w[CX + i], w[CX_LOW + i], w[CY + i], w[CY_LOW + i],
            )  # fmt: skip


@numba.njit(nogil=True, cache=True)
def _look(w, active, first):
    """Mark as INSIDE the lanes surely inside, and born too late to be done in the next block."""
    for i in range(active):
        gap, margin = _gap(w[X + i], w[X_LOW + i], w[Y + i], w[Y_LOW + i], w[R + i])
        w[INSIDE + i] = 1.0 if (gap < -margin) & (w[BORN + i] >= first) else 0.0


@numba.njit(nogil=True, cache=True)
def _follow(w, i, n, maxiter, fields):
    """Follow lane `i` from before its last block; return its count or -1, smooth count and distance estimate or NaN."""
    old = w[_OLD + i : 2 * _OLD : _ROW]
    x, x_low, y, y_low, r, dx, dy, q = old[0], old[1], old[2], old[3], old[4], old[5], old[6], old[7]
    cx, cx_low, cy, cy_low = w[CX + i], w[CX_LOW + i], w[CY + i], w[CY_LOW + i]
    count, m = -1, 0.0
    while count < 0 or (fields and not m > FAR_OUT * (1.0 + cx * cx + cy * cy)):
        if count < 0 and n >= maxiter:
            return maxiter, np.nan, np.nan
        dx, dy, q = _differentiate(x, y, r, dx, dy, q)
        x, x_low, y, y_low, r = _iterate(x, x_low, y, y_low, r, cx, cx_low, cy, cy_low)
        n += 1
        m = x * x + y * y
        if count < 0:
            gap, margin = _gap(x, x_low, y, y_low, r)
            if gap > margin:
                count = int(n) - 1
            elif not gap < -margin:
                return -1, np.nan, np.nan
    dm = dx * dx + dy * dy
    if not (r * r < WORST * m and cx * cx + cy * cy < FAR):
        return count, np.nan, np.nan
    return count, smooth(n, m), distance(m, dm) if q * q < WORST * dm else np.nan


@numba.njit(nogil=True, cache=True)
def _write(answer, pixel, maxiter, counts, smooths, distances):
    """Write an answer of `_follow` if it is one, with every field that was asked for; return whether it is."""
    count, smooth_count, estimate = answer
    escapes = count < maxiter
    if count < 0 or (escapes and smooths.size and np.isnan(smooth_count)):
        return False
    if escapes and distances.size and np.isnan(estimate):
        return False
    counts[pixel] = count
    if escapes and smooths.size:
        smooths[pixel] = smooth_count
    if escapes and distances.size:
        distances[pixel] = estimate
    return True


@numba.njit(nogil=True, cache=True, inline="always")
def _iterate(x, x_low, y, y_low, r, cx, cx_low, cy, cy_low):
    """Return the next iterate and the next r."""
    m = x * x + y * y
    r = ((2.0 * np.sqrt(m) + r) * r + _STEP_ERROR * (1.0 + m)) * (1.0 + 2.0**-40)
    x, x_low, y, y_low = dd.iterate(x, x_low, y, y_low, cx, cx_low, cy, cy_low)
    return x, x_low, y, y_low, r


@numba.njit(nogil=True, cache=True, inline="always")
def _differentiate(x, y, r, dx, dy, q):
    """Return the next dz/dc, in float64, and the bound q on its distance from the exact one."""
    modulus = np.sqrt(x * x + y * y)
    slope = np.sqrt(dx * dx + dy * dy)
    q = (2.0 * (modulus + r) * q + 2.0 * r * slope + 2.0**-50 * (modulus * slope + 1.0)) * (1.0 + 2.0**-40)
    return (x + x) * dx - (y + y) * dy + 1.0, (x + x) * dy + (y + y) * dx, q


@numba.njit(nogil=True, cache=True, inline="always")
def _gap(x, x_low, y, y_low, r):
    """Return |z|^2 - 4, and how large it must be to tell the side of the exact iterate."""
    xx, xx_low = dd.multiply(x, x_low, x, x_low)
    yy, yy_low = dd.multiply(y, y_low, y, y_low)
    m, m_low = dd.add(xx, xx_low, yy, yy_low)
    return (m - 4.0) + m_low, 4.5 * r + _STEP_ERROR if r < _MOST else np.inf
