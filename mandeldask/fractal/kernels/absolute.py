"""The stage for most pixels: float64 orbits in lockstep lanes, each from the iterate where its block's series ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mandeldask.fractal.kernels import lanes, series
from mandeldask.fractal.kernels.compiled import inner, kernel
from mandeldask.fractal.kernels.positions import FAR, as_pair, positions
from mandeldask.fractal.kernels.potential import WORST, distance, smooth
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
    tolerance = series.TOLERANCE if tile.wants_orbits else series.COARSE
    starts = series.start(re, im, (dre, dim), tile.maxiter, wanted, tolerance, flag)
    places = _Places(re[0], im[0], dre, dim, rho, tile.grid.re.size, (above, left))
    proven = np.zeros(tile.open.size, np.bool_)
    none = np.zeros(0, np.float32)
    smooths = none if tile.smooth is None else tile.smooth
    distances = none if tile.distance is None else tile.distance
    _run(starts, places, tile.maxiter, limit, tile.open, tile.counts, smooths, distances, proven, flag)
    tile.close(stage, proven)


@kernel
def _run(starts, places, maxiter, limit, pixels, counts, smooths, distances, proven, flag):
    """Send `pixels` through the lanes."""
    w, leavers, order = lanes.workspace(), lanes.workspace(), lanes.indices()
    derivative = distances.size > 0
    active = alive = following = clock = size = 0
    while not flag[0]:
        if alive <= lanes.LANES * 3 // 4 and following < pixels.size:
            lanes.close(w, active, alive, order, derivative)
            active, following = _enter(
                starts, places, maxiter, pixels, following, clock, w, alive, counts, proven, derivative
            )
            alive = active
        if active == 0:
            _answer_leavers(leavers, size, maxiter, pixels, counts, smooths, distances, proven)
            break
        lanes.advance(w, active, derivative)
        leaving = lanes.look(w, active, limit - clock - lanes.STEPS, order)
        if size + leaving > lanes.LANES:
            _answer_leavers(leavers, size, maxiter, pixels, counts, smooths, distances, proven)
            size = 0
        size = lanes.leave(w, order, leaving, clock, leavers, size, derivative)
        alive -= leaving
        clock += lanes.STEPS
        if 4 * alive <= 3 * active:
            lanes.close(w, active, alive, order, derivative)
            active = alive


@inner
def _answer_leavers(w, size, maxiter, pixels, counts, smooths, distances, proven):
    """Follow lanes that left to their ends and write what is proved of them."""
    if smooths.size or distances.size:
        steps = lanes.fly(w, size, distances.size > 0)
        _measure(w, size, steps, maxiter, pixels, smooths, distances)
    else:
        steps = lanes.follow(w, size)
    _write(w, size, steps, maxiter, pixels, counts, proven)


@inner
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


@inner
def _run_length(pixels, i, most):
    """Return how many pixels from `i` on follow each other in a row, at most `most`."""
    most = min(most, pixels.size - i)
    if pixels[i + most - 1] == pixels[i] + most - 1:  # they ascend
        return most
    run = 1
    while pixels[i + run] == pixels[i] + run:
        run += 1
    return run


@inner
def _measure(w, size, steps, maxiter, pixels, smooths, distances):
    """Write the fields of lanes that got far out; make unsure those whose orbit is not known well enough."""
    for i in range(size):
        if w[lanes.UNSURE + i] > 0.0 or w[lanes.BORN + i] + w[lanes.INSIDE + i] >= maxiter:
            continue
        m = w[lanes.FAR_M + i]
        cc = w[lanes.CX + i] ** 2 + w[lanes.CY + i] ** 2
        good = w[lanes.FAR_STEP + i] > 0.0 and w[lanes.FAR_S + i] < SCALE * WORST * m and cc < FAR
        pixel = pixels[int(w[lanes.PIXEL + i])]
        if smooths.size and good:
            smooths[pixel] = smooth(w[lanes.BORN + i] + w[lanes.FAR_STEP + i], m)
        if distances.size and good:
            good = w[lanes.FAR_Q + i] < WORST * w[lanes.FAR_DM + i]
            if good:
                distances[pixel] = distance(m, w[lanes.FAR_DM + i])
        if not good and w[lanes.INSIDE + i] < steps:
            w[lanes.UNSURE + i] = 1.0


@inner
def _write(w, size, steps, maxiter, pixels, counts, proven):
    """Write the counts that were proved."""
    for i in range(size):
        inside = int(w[lanes.INSIDE + i])
        count = int(w[lanes.BORN + i]) + inside
        if w[lanes.UNSURE + i] == 0.0 and (inside < steps or count >= maxiter):
            j = int(w[lanes.PIXEL + i])
            counts[pixels[j]] = min(count, maxiter)
            proven[j] = True
