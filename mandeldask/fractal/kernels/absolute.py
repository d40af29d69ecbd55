"""The stage for most pixels: float64 orbits in lockstep lanes, each from the iterate where its block's series ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mandeldask.fractal.kernels import lanes, series
from mandeldask.fractal.kernels.compiled import inner, kernel
from mandeldask.fractal.kernels.positions import FAR, as_pair, positions
from mandeldask.fractal.kernels.potential import WORST, distance, smooth, tolerated
from mandeldask.fractal.kernels.recurrence import ROUNDING, SCALE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.kernels.tile import Tile

EARLY = 1024
"""Iterations after which a proof that the pixel never leaves is cheaper than going on."""
_SMOOTH, _DISTANCE = lanes.OLD_DX, lanes.OLD_DY
"""Rows for the fields of lanes that have been followed to their ends."""
_PROVEN, _UNSURE = 1, 2
"""Verdicts on a pixel; 0 means that it takes more iterations."""
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
    verdicts = _verdicts(tile, tile.open, min(EARLY, tile.maxiter))
    tile.undecidable = tile.open[verdicts == _UNSURE]
    tile.close("absolute, early", verdicts == _PROVEN)


def answer_absolutely(tile: Tile) -> None:
    """Answer the open pixels of `tile` that `answer_early` was too short for."""
    if tile.maxiter > EARLY:
        longer = ~np.isin(tile.open, tile.undecidable, assume_unique=True)
        proven = np.zeros(tile.open.size, np.bool_)
        proven[longer] = _verdicts(tile, tile.open[longer], tile.maxiter) == _PROVEN
        tile.close("absolute", proven)


def _verdicts(tile: Tile, pixels: NDArray[np.int64], limit: int) -> NDArray[np.int8]:
    """Follow `pixels` for `limit` iterations, write the answers that are proved, and tell which pixels they are of."""
    verdicts = np.zeros(pixels.size, np.int8)
    dre, dim = as_pair(tile.grid.re.step)[0], as_pair(tile.grid.im.step)[0]
    if max(abs(dre), abs(dim)) < FINEST:
        return verdicts
    frame, above, left = series.frame(tile.grid)
    re, im, rho = positions(frame.re), positions(frame.im), series.radius(dre, dim)
    flag = tile.cancellation.flag
    wanted = series.blocks(pixels, tile.grid.re.size, (above, left), *(n // series.BLOCK for n in frame.shape))
    tolerance = series.TOLERANCE if tile.wants_orbits else series.COARSE
    starts = series.start(re, im, (dre, dim), tile.maxiter, wanted, tolerance, flag)
    places = _Places(re[0], im[0], dre, dim, rho, tile.grid.re.size, (above, left))
    none = np.zeros(0, np.float32)
    smooths = none if tile.smooth is None else tile.smooth
    distances = none if tile.distance is None else tile.distance
    _run(starts, places, tile.maxiter, limit, pixels, tile.counts, smooths, distances, verdicts, flag)
    return verdicts


@kernel
def _run(starts, places, maxiter, limit, pixels, counts, smooths, distances, verdicts, flag):
    """Send `pixels` through the lanes."""
    w, leavers, order = lanes.workspace(), lanes.workspace(), lanes.indices()
    derivative = distances.size > 0
    active = alive = following = clock = size = 0
    while not flag[0]:
        if alive <= lanes.LANES * 3 // 4 and following < pixels.size:
            lanes.close(w, active, alive, order, derivative)
            active, following = _enter(
                starts, places, maxiter, pixels, following, clock, w, alive, counts, verdicts, derivative
            )
            alive = active
        if active == 0:
            _answer_leavers(leavers, size, maxiter, pixels, counts, smooths, distances, verdicts)
            break
        lanes.advance(w, active, derivative)
        leaving = lanes.look(w, active, limit - clock - lanes.STEPS, order)
        if size + leaving > lanes.LANES:
            _answer_leavers(leavers, size, maxiter, pixels, counts, smooths, distances, verdicts)
            size = 0
        size = lanes.leave(w, order, leaving, clock, leavers, size, derivative)
        alive -= leaving
        clock += lanes.STEPS
        if 4 * alive <= 3 * active:
            lanes.close(w, active, alive, order, derivative)
            active = alive


@inner
def _answer_leavers(w, size, maxiter, pixels, counts, smooths, distances, verdicts):
    """Follow lanes that left to their ends and write what is proved of them."""
    if smooths.size or distances.size:
        lanes.fly(w, size, distances.size > 0)
        _measure(w, size, maxiter, pixels, smooths, distances)
    else:
        lanes.follow(w, size)
    _write(w, size, maxiter, pixels, counts, verdicts)


@inner
def _enter(starts, places, maxiter, pixels, following, clock, w, active, counts, verdicts, derivative):
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
                verdicts[j] = _PROVEN
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
def _measure(w, size, maxiter, pixels, smooths, distances):
    """Write the fields of lanes that got far out; make unsure those whose orbit is not known well enough."""
    for i in range(size):
        m, n = w[lanes.X + i] ** 2 + w[lanes.Y + i] ** 2, w[lanes.BORN + i] + w[lanes.FLOWN + i]
        far = (m > w[lanes.FAR + i]) & (max(abs(w[lanes.CX + i]), abs(w[lanes.CY + i])) < FAR / 2)
        worst = WORST if distances.size else tolerated(n)
        good = far & (w[lanes.S + i] < SCALE * worst * m)
        w[_SMOOTH + i] = smooth(n, m) if good else np.nan
    if distances.size:
        for i in range(size):
            m, dm = w[lanes.X + i] ** 2 + w[lanes.Y + i] ** 2, w[lanes.DX + i] ** 2 + w[lanes.DY + i] ** 2
            w[_DISTANCE + i] = distance(m, dm) if w[lanes.Q + i] < WORST * dm else np.nan
    for i in range(size):
        escapes = w[lanes.INSIDE + i] < lanes.STEPS and w[lanes.BORN + i] + w[lanes.INSIDE + i] < maxiter
        if not escapes or w[lanes.UNSURE + i] > 0.0:
            continue
        if np.isnan(w[_SMOOTH + i]) or (distances.size and np.isnan(w[_DISTANCE + i])):
            w[lanes.UNSURE + i] = 1.0
            continue
        pixel = pixels[int(w[lanes.PIXEL + i])]
        if smooths.size:
            smooths[pixel] = w[_SMOOTH + i]
        if distances.size:
            distances[pixel] = w[_DISTANCE + i]


@inner
def _write(w, size, maxiter, pixels, counts, verdicts):
    """Write the counts that were proved, and the verdicts."""
    for i in range(size):
        inside = int(w[lanes.INSIDE + i])
        count = int(w[lanes.BORN + i]) + inside
        j = int(w[lanes.PIXEL + i])
        if w[lanes.UNSURE + i] > 0.0:
            verdicts[j] = _UNSURE
        elif inside < lanes.STEPS or count >= maxiter:
            counts[pixels[j]] = min(count, maxiter)
            verdicts[j] = _PROVEN
