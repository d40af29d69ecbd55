"""Certified escape counts in float64, many pixels in lockstep: the loop over lanes is what the compiler vectorises.

A lane carries z and ``S >= 256 r^2``, r being a bound on its distance from the exact iterate. Lanes advance a block of
steps unchecked, since |z| > 2 cannot be left again; a lane that is not surely inside at the end of a block goes back to
its beginning and is resolved step by step. Bounds: docs/explanation/exactness.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from mandeldask.fractal.kernels import series
from mandeldask.fractal.kernels.positions import as_pair, positions

if TYPE_CHECKING:
    from mandeldask.fractal.kernels.tile import Tile

LANES = 256
"""Pixels in flight: their state fits the first-level cache."""

EARLY = 1024
"""Iterations after which a proof that the pixel never leaves is cheaper than going on."""
FINEST = 2.0**-80
"""Spacing below which double-double centres of blocks tell pixels apart no more."""

# A workspace is one vector, and a row of it begins at a constant: only so does the compiler see that rows are apart,
# and vectorises. Rows are 8 longer than LANES, since rows a power of two apart would share cache lines.
X, Y, S, CX, CY, BORN, PIXEL, OLD_X, OLD_Y, OLD_S, LEAVING = range(0, 11 * (LANES + 8), LANES + 8)
STEPS_INSIDE = OLD_X
SIZE = 11 * (LANES + 8)

SCALE = 256.0
"""S / r^2; also 1 / (4 kappa), kappa = 2^-10 being the loss allowed for bounding a sum of squares."""
GROWTH = 4.0 * (1.0 + 2.0**-10) ** 2 * (1.0 + 2.0**-40)
ROUNDING = SCALE * 1025.0 * (20.0 * 2.0**-53) ** 2
"""256 (1 + 1/kappa) eps^2, where eps = 20 * 2^-53 is more than one step's rounding, that of c included."""


def answer_early(tile: Tile) -> None:
    """Answer the open pixels of `tile` that leave within `EARLY` iterations; the rest may be proved to stay."""
    _answer(tile, "absolute, early", EARLY)


def answer_absolutely(tile: Tile) -> None:
    """Answer the open pixels of `tile` whose counts float64 can prove."""
    if tile.maxiter > EARLY:
        _answer(tile, "absolute", tile.maxiter)


def _answer(tile: Tile, stage: str, limit: int) -> None:
    re, im = positions(tile.grid.re), positions(tile.grid.im)
    dre, dim = as_pair(tile.grid.re.step)[0], as_pair(tile.grid.im.step)[0]
    if max(abs(dre), abs(dim)) < FINEST:
        return
    flag = tile.cancellation.flag
    wanted = series.blocks(tile.open, *tile.grid.shape)
    starts = series.start(re, im, dre, dim, tile.maxiter, wanted, flag)
    proven = np.zeros(tile.open.size, np.bool_)
    _run(
        starts,
        np.append(re[0], np.zeros(series.BLOCK)),
        im[0],
        dre,
        dim,
        tile.maxiter,
        limit or tile.maxiter,
        tile.open,
        tile.counts,
        proven,
        flag,
    )
    tile.close(stage, proven)


@numba.njit(nogil=True, cache=True, inline="always")
def _step(x, y, s, cx, cy):
    """Return z^2 + c and its S. The order of operations is fixed: every machine rounds alike."""
    xx = x * x
    yy = y * y
    s = ((xx + yy) + s) * s * GROWTH + ROUNDING
    return (xx - yy) + cx, (x + x) * y + cy, s


@numba.njit(nogil=True, cache=True, inline="always")
def _surely(x, y, s):
    """Return |z|^2, and whether the exact iterate lies on the same side of |z| = 2."""
    m = x * x + y * y
    return m, (m - 4.0) * (m - 4.0) * 100.0 > (m + 4.0) * s


@numba.njit(nogil=True, cache=True)
def _advance(w, active, steps):
    """Advance lanes by `steps` iterations, unchecked; keep what they were in the OLD rows."""
    for i in range(active):
        x, y, s = w[X + i], w[Y + i], w[S + i]
        w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i] = x, y, s
        w[X + i], w[Y + i], w[S + i] = _step(x, y, s, w[CX + i], w[CY + i])
    for _ in range(steps - 1):
        for i in range(active):
            w[X + i], w[Y + i], w[S + i] = _step(w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i])


@numba.njit(nogil=True, cache=True)
def _look(w, active, last):
    """Mark as LEAVING the lanes not surely inside, and those born too long ago to go on."""
    for i in range(active):
        m, sure = _surely(w[X + i], w[Y + i], w[S + i])
        w[LEAVING + i] = 0.0 if (m < 4.0) & sure & (w[BORN + i] < last) else 1.0


@numba.njit(nogil=True, cache=True)
def _leave(w, active, leavers):
    """Move leaving lanes, as they were before, to `leavers` and close the gaps; return how many stay and left."""
    size = 0
    for i in range(active - 1, -1, -1):
        if w[LEAVING + i] > 0.0:
            active -= 1
            leavers[X + size], leavers[Y + size], leavers[S + size] = w[OLD_X + i], w[OLD_Y + i], w[OLD_S + i]
            w[X + i], w[Y + i], w[S + i] = w[X + active], w[Y + active], w[S + active]
            leavers[CX + size], leavers[CY + size] = w[CX + i], w[CY + i]
            w[CX + i], w[CY + i] = w[CX + active], w[CY + active]
            leavers[BORN + size], leavers[PIXEL + size] = w[BORN + i], w[PIXEL + i]
            w[BORN + i], w[PIXEL + i] = w[BORN + active], w[PIXEL + active]
            size += 1
    return active, size


@numba.njit(nogil=True, cache=True, inline="always")
def _hold(x, y, s, cx, cy, k):
    """Return the next iterate and k + 1, or the same again where the next is not within |z| <= 2."""
    next_x, next_y, next_s = _step(x, y, s, cx, cy)
    inside = next_x * next_x + next_y * next_y < 4.0
    return (
        (next_x if inside else x),
        (next_y if inside else y),
        (next_s if inside else s),
        (k + 1.0 if inside else k),
    )


@numba.njit(nogil=True, cache=True)
def _resolve(w, size, steps):
    """Advance lanes to the last iterate within |z| <= 2 of the next `steps`, and count the steps to it."""
    for i in range(size):
        w[STEPS_INSIDE + i] = 0.0
    for _ in range(steps // 4):
        for i in range(size):
            x, y, s, cx, cy, k = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i], w[STEPS_INSIDE + i]
            x, y, s, k = _hold(x, y, s, cx, cy, k)
            x, y, s, k = _hold(x, y, s, cx, cy, k)
            x, y, s, k = _hold(x, y, s, cx, cy, k)
            x, y, s, k = _hold(x, y, s, cx, cy, k)
            w[X + i], w[Y + i], w[S + i], w[STEPS_INSIDE + i] = x, y, s, k


@numba.njit(nogil=True, cache=True)
def _settle(w, size, clock, maxiter):
    """Turn LEAVING into whether the lane's count is proved: an iterate surely inside, the next one surely outside."""
    for i in range(size):
        x, y, s = w[X + i], w[Y + i], w[S + i]
        m, sure = _surely(x, y, s)
        inside = sure & (m < 4.0)
        x, y, s = _step(x, y, s, w[CX + i], w[CY + i])
        m, sure = _surely(x, y, s)
        done = w[BORN + i] + w[STEPS_INSIDE + i] + clock >= maxiter
        w[LEAVING + i] = 1.0 if inside & (done | (sure & (m > 4.0))) else 0.0


@numba.njit(nogil=True, cache=True)
def _write(w, size, clock, maxiter, pixels, counts, proven):
    for i in range(size):
        n = w[BORN + i] + w[STEPS_INSIDE + i] + clock
        if w[LEAVING + i] > 0.0:
            j = int(w[PIXEL + i])
            counts[pixels[j]] = min(int(n), maxiter)
            proven[j] = True


@numba.njit(nogil=True, cache=True)
def _enter(starts, re, im, dtx, dty, maxiter, pixels, following, clock, w, active, counts, proven):
    """Append the next pixels, at their blocks' iterates; return how many are active, and the next to come."""
    height, width = im.size, re.size - series.BLOCK
    cols = -(-width // series.BLOCK)
    i = following
    while i < pixels.size and active + series.BLOCK <= LANES:
        row = pixels[i] // width
        col = pixels[i] - row * width
        block = row // series.BLOCK * cols + col // series.BLOCK
        run = _run_length(pixels, i, min(series.BLOCK - col % series.BLOCK, width - col))
        if starts.n[block] >= maxiter:
            for j in range(i, i + run):
                counts[pixels[j]] = maxiter
                proven[j] = True
        else:
            row0, col0 = series.center(block, cols, height, width)
            ty, s = (row - row0) * dty, SCALE * starts.error[block] ** 2 * (1.0 + 2.0**-40)
            cy, n = im[row], float(starts.n[block] - clock)
            entry = w[active:]
            for j in range(series.BLOCK):  # those past the run are overwritten by the next
                entry[X + j], entry[Y + j] = series.evaluate(
                    starts.real[block], starts.imag[block], (col + j - col0) * dtx, ty
                )
                entry[S + j] = s
                entry[CX + j] = re[col + j]
                entry[CY + j] = cy
                entry[BORN + j] = n
                entry[PIXEL + j] = i + j
            active += run
        i += run
    return active, i


@numba.njit(nogil=True, cache=True)
def _run_length(pixels, i, most):
    """Return how many pixels from `i` on follow each other in a row, at most `most`."""
    most = min(most, pixels.size - i)
    if pixels[i + most - 1] == pixels[i] + most - 1:  # they ascend
        return most
    run = 1
    while pixels[i + run] == pixels[i] + run:
        run += 1
    return run


@numba.njit(nogil=True, cache=True)
def _workspace():
    """Return an empty workspace that begins at a cache line: vectors across two lines take twice the time."""
    raw = np.zeros(SIZE + 8)
    skip = -(raw.ctypes.data // 8) % 8
    return raw[skip : skip + SIZE]


@numba.njit(nogil=True, cache=True)
def _run(starts, re, im, dre, dim, maxiter, limit, pixels, counts, proven, flag):
    """Send `pixels` through the lanes."""
    rho = series.radius(dre, dim)
    w, leavers = _workspace(), _workspace()
    active = following = clock = 0
    steps = 8
    while not flag[0]:
        if active <= LANES // 2:
            active, following = _enter(
                starts, re, im, dre / rho, dim / rho, maxiter, pixels, following, clock, w, active, counts, proven
            )
        if active == 0:
            break
        _advance(w, active, steps)
        _look(w, active, limit - clock - steps)
        active, size = _leave(w, active, leavers)
        if size:
            _resolve(leavers, size, steps)
            _settle(leavers, size, clock, maxiter)
            _write(leavers, size, clock, maxiter, pixels, counts, proven)
        clock += steps
