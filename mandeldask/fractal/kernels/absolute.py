"""The stage for most pixels: float64 orbits in lockstep lanes, each from the iterate where its block's series ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

from mandeldask.fractal.kernels import lanes, series
from mandeldask.fractal.kernels.positions import FAR, as_pair, positions
from mandeldask.fractal.kernels.potential import FAR_OUT, WORST, distance, smooth
from mandeldask.fractal.kernels.recurrence import ROUNDING, SCALE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.kernels.tile import Tile

EARLY = 1024
"""Iterations after which a proof that the pixel never leaves is cheaper than going on."""
FINEST = 2.0**-80
"""Spacing below which double-double centres of blocks tell pixels apart no more."""


class _Places(NamedTuple):
    """Where pixels are, as the kernels need it."""

    re: NDArray[np.float64]
    """Positions of the columns of whole blocks."""
    im: NDArray[np.float64]
    """Positions of their rows."""
    dre: float
    dim: float
    rho: float
    """Radius of a block."""
    width: int
    """Columns of the tile."""
    before: tuple[int, int]
    """Rows and columns of the blocks before the tile's first."""


def answer_early(tile: Tile) -> None:
    """Answer the open pixels of `tile` that leave within `EARLY` iterations; the rest may be proved to stay."""
    _answer(tile, "absolute, early", min(EARLY, tile.maxiter))


def answer_absolutely(tile: Tile) -> None:
    """Answer the open pixels of `tile` whose counts float64 can prove."""
    if tile.maxiter > EARLY:
        _answer(tile, "absolute", tile.maxiter)


def _answer(tile: Tile, stage: str, limit: int) -> None:
    dre, dim = as_pair(tile.grid.re.step)[0], as_pair(tile.grid.im.step)[0]
    if max(abs(dre), abs(dim)) < FINEST:
        return
    frame, above, left = series.frame(tile.grid)
    re, im, rho = positions(frame.re), positions(frame.im), series.radius(dre, dim)
    flag = tile.cancellation.flag
    wanted = series.blocks(tile.open, tile.grid.re.size, (above, left), *(n // series.BLOCK for n in frame.shape))
    starts = series.start(re, im, rho, tile.maxiter, wanted, flag)
    places = _Places(re[0], im[0], dre, dim, rho, tile.grid.re.size, (above, left))
    proven = np.zeros(tile.open.size, np.bool_)
    none = np.zeros(0, np.float32)
    smooths = none if tile.smooth is None else tile.smooth
    distances = none if tile.distance is None else tile.distance
    _run(starts, places, tile.maxiter, limit, tile.open, tile.counts, smooths, distances, proven, flag)
    tile.close(stage, proven)


@numba.njit(nogil=True, cache=True)
def _run(starts, places, maxiter, limit, pixels, counts, smooths, distances, proven, flag):
    """Send `pixels` through the lanes."""
    w, leavers = lanes.workspace(), lanes.workspace()
    derivative = distances.size > 0
    active = following = clock = 0
    while not flag[0]:
        if active <= lanes.LANES // 2:
            active, following = _enter(
                starts, places, maxiter, pixels, following, clock, w, active, counts, proven, derivative
            )
        if active == 0:
            break
        lanes.advance(w, active, derivative)
        lanes.look(w, active, limit - clock - lanes.STEPS)
        active, size = lanes.leave(w, active, leavers, derivative)
        if size:
            lanes.follow(leavers, size, derivative)
            lanes.judge(leavers, size, clock, maxiter)
            if smooths.size or distances.size:
                lanes.fly(leavers, size, derivative)
                _measure(leavers, size, clock, maxiter, pixels, smooths, distances)
            _write(leavers, size, pixels, counts, proven)
        clock += lanes.STEPS


@numba.njit(nogil=True, cache=True)
def _enter(starts, places, maxiter, pixels, following, clock, w, active, counts, proven, derivative):
    """Append the next pixels, at their blocks' iterates; return how many are active, and the next to come."""
    re, im, width, rho = places.re, places.im, places.width, places.rho
    above, left = places.before
    dtx, dty = places.dre / rho, places.dim / rho
    i = following
    while i < pixels.size and active + series.BLOCK <= lanes.LANES:
        row = pixels[i] // width
        col = pixels[i] - row * width
        along = (col + left) % series.BLOCK
        run = _run_length(pixels, i, min(series.BLOCK - along, width - col))
        row, col = row + above, col + left
        block = row // series.BLOCK * (re.size // series.BLOCK) + col // series.BLOCK
        if starts.n[block] >= maxiter:
            for j in range(i, i + run):
                counts[pixels[j]] = maxiter
                proven[j] = True
        else:
            ty = (row % series.BLOCK - series.BLOCK // 2) * dty
            s = max(SCALE * starts.error[block] ** 2 * (1.0 + 2.0**-40), ROUNDING)
            cy, n = im[row], float(starts.n[block] - clock)
            real, imag = starts.real[block], starts.imag[block]
            entry, cxs = w[active:], re[col - along :]
            for j in range(series.BLOCK):  # those past the run are overwritten by the next
                entry[lanes.S + j] = s
                entry[lanes.CY + j] = cy
                entry[lanes.BORN + j] = n
                entry[lanes.PIXEL + j] = i + j
            for j in range(run):
                tx = (along + j - series.BLOCK // 2) * dtx
                entry[lanes.X + j], entry[lanes.Y + j] = series.evaluate(real, imag, tx, ty)
                entry[lanes.CX + j] = cxs[along + j]
            if derivative:
                q = (8.0 * starts.error[block] / rho) ** 2
                for j in range(run):
                    dx, dy = series.slope(real, imag, (along + j - series.BLOCK // 2) * dtx, ty)
                    entry[lanes.DX + j], entry[lanes.DY + j], entry[lanes.Q + j] = dx / rho, dy / rho, q
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
def _measure(w, size, clock, maxiter, pixels, smooths, distances):
    """Write the fields of lanes far out; take back the proof of those whose orbit is not known well enough."""
    for i in range(size):
        n = w[lanes.LEAVING + i]
        if n < 0.0 or n >= maxiter:
            continue
        m = w[lanes.X + i] ** 2 + w[lanes.Y + i] ** 2
        cc = w[lanes.CX + i] ** 2 + w[lanes.CY + i] ** 2
        good = m > FAR_OUT * (1.0 + cc) and w[lanes.S + i] < SCALE * WORST * m and cc < FAR
        pixel = pixels[int(w[lanes.PIXEL + i])]
        if smooths.size and good:
            smooths[pixel] = smooth(w[lanes.BORN + i] + w[lanes.FOLLOWED + i] + clock, m)
        if distances.size and good:
            dm = w[lanes.DX + i] ** 2 + w[lanes.DY + i] ** 2
            good = w[lanes.Q + i] < WORST * dm
            if good:
                distances[pixel] = distance(m, dm)
        if not good:
            w[lanes.LEAVING + i] = -1.0


@numba.njit(nogil=True, cache=True)
def _write(w, size, pixels, counts, proven):
    """Write the counts that were proved."""
    for i in range(size):
        n = w[lanes.LEAVING + i]
        if n >= 0.0:
            j = int(w[lanes.PIXEL + i])
            counts[pixels[j]] = int(n)
            proven[j] = True
