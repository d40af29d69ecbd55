"""The stage for most pixels: float64 orbits in lockstep lanes, each from the iterate where its block's series ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mandeldask.fractal.escape.arithmetic import taylor_model
from mandeldask.fractal.escape.arithmetic.float64_step import DERIVATIVE_SHARE, ROUNDING, SCALE, STEPS
from mandeldask.fractal.escape.arithmetic.jit import inner, kernel
from mandeldask.fractal.escape.arithmetic.positions import FAR
from mandeldask.fractal.escape.direct import block_counts, block_series, escape_radius, lanes
from mandeldask.fractal.escape.direct.prepared_tile import prepared
from mandeldask.fractal.escape.fields import distance, smooth, tolerated
from mandeldask.fractal.escape.limits import EARLY_ITERATIONS
from mandeldask.fractal.escape.tile import unmarked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.arithmetic.array_types import Counts, Flag, Floats, Floats32, Ints, Verdicts
    from mandeldask.fractal.escape.direct.prepared_tile import PreparedTile
    from mandeldask.fractal.escape.tile import Tile

_ESCAPE_SHARE = 2.0**-4
"""Share of the allowed relative error that may be used up at the escape radius; the last steps add the rest."""
_DISTANCE = lanes.WATCHED.renamed(DX="DISTANCE")["DISTANCE"]
"""For lanes that are far out, the row of the derivative holds the distance."""
_PROVEN, _NEEDS_MORE_ITERATIONS, _NEEDS_MORE_PRECISION = range(3)
"""Verdicts on a pixel; _NEEDS_MORE_ITERATIONS: it has not escaped yet."""
_LONG_BATCHES = 4
"""Batches of unchecked steps between two checks of long orbits; with fewer, checks would take longer than steps."""
_REFILL_SIZE = 64
"""Lanes are refilled when this many are free: fewer would cost more for each pixel, more would leave lanes idle."""


class _Positions(NamedTuple):
    """Positions of pixels as the kernels need them."""

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


def answer_early_in_float64(tile: Tile) -> None:
    """Answer the open pixels of `tile` that escape within `EARLY_ITERATIONS`."""
    verdicts = _verdicts(tile, tile.open, min(EARLY_ITERATIONS, tile.maxiter))
    tile.needs_more_precision = tile.open[verdicts == _NEEDS_MORE_PRECISION]
    tile.close(verdicts == _PROVEN)


def answer_in_float64(tile: Tile) -> None:
    """Answer the open pixels of `tile` whose orbits were too long for `answer_early_in_float64`."""
    longer = ~np.isin(tile.open, tile.needs_more_precision, assume_unique=True)
    proven = np.zeros(tile.open.size, np.bool_)
    proven[longer] = _verdicts(tile, tile.open[longer], tile.maxiter) == _PROVEN
    tile.close(proven)


def _verdicts(tile: Tile, pixels: NDArray[np.int64], limit: int) -> NDArray[np.int8]:
    """Iterate `pixels` up to `limit` times, write the proven results, and return a verdict for each pixel."""
    frame = prepared(tile)
    rest = pixels if frame.starts is not None else _start_series(tile, frame, pixels)
    positions = _Positions(
        frame.re[0], frame.im[0], *frame.steps, block_series.radius(*frame.steps), tile.grid.re.size, frame.before
    )
    verdicts, fields = np.zeros(tile.counts.size, np.int8), (tile.smooth, tile.distance)
    frame.starts = frame.starts or frame.no_series()
    orbits = lanes.new_buffers(), frame.starts, positions, tile.maxiter, limit, rest
    _run(*orbits, tile.counts, *fields, tile.worst, verdicts, tile.cancellation.flag)
    return verdicts if pixels.size == verdicts.size else verdicts[pixels]


def _start_series(tile: Tile, frame: PreparedTile, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Compute the series of the blocks of `pixels`, if their kernel is compiled; return the pixels not answered."""
    tolerance = (
        block_series.TOLERANCE_FOR_SHORT_ORBITS
        if tile.maxiter <= EARLY_ITERATIONS
        else block_series.TOLERANCE_FOR_COUNTS
    )
    if tile.wants_orbits:
        tolerance = block_series.TOLERANCE
    known = np.zeros(0 if tile.wants_orbits else tile.counts.size, np.bool_)
    answers = block_counts.Answers(tile.counts, known, tile.grid.shape, frame.before)
    with tile.without_missing_kernels():
        frame.starts = frame.series(tile, frame.blocks(tile, pixels), tolerance, answers)
    if not known.size:
        return pixels
    return unmarked(pixels, known if pixels.size == known.size else known[pixels], tile.buffers.rest)


@kernel
def _run(
    buffers: lanes.Buffers, starts: block_series.Series, positions: _Positions, maxiter: int, limit: int, pixels: Ints,
    counts: Counts, smooths: Floats | None, distances: Floats32 | None, worst: tuple[float, float], verdicts: Verdicts,
    flag: Flag,
) -> None:  # fmt: skip
    """Iterate `pixels` in lanes: new ones, and lanes that are not certainly inside, are watched for a batch."""
    w, watched, free_slots, order, done, flags = buffers
    batches = 1 if limit <= EARLY_ITERATIONS else _LONG_BATCHES
    active = alive = following = clock = size = 0
    while not flag[0]:
        if alive <= lanes.LANES - _REFILL_SIZE:
            while following < pixels.size and alive + size + block_series.BLOCK <= lanes.LANES:
                run, block = _append_run(starts, positions, pixels, following, watched, size, distances)
                following += run
                if starts.n[block] >= maxiter:
                    continue  # the whole block stays inside, as every tile assumes at first
                if starts.escaping[block]:
                    size += run
                else:
                    for k in range(run):
                        order[k] = size + k
                    end = lanes.move_to_free_slots(w, order, run, clock, watched, free_slots, alive, distances)
                    active, alive = max(active, end), alive + run
            if alive + size == 0:
                break
            if smooths is None and distances is None:
                lanes.watch(watched, size)
            else:
                escape_radius.watch_to_escape_radius(watched, size, distances)
            going = lanes.split_watched(watched, size, limit, order, flags, done)
            end = lanes.move_to_free_slots(w, order, going, clock - STEPS, watched, free_slots, alive, distances)
            if smooths is not None or distances is not None:
                lanes.move_to_front(watched, done, size - going, distances)
                _compute_fields(watched, size - going, maxiter, smooths, distances, worst)
            _write(watched, done, size - going, maxiter, counts, verdicts)
            active, alive, size = max(active, end), alive + going, 0
        lanes.advance(w, active, batches, distances)
        leaving = lanes.find_leaving(w, active, limit - clock - batches * STEPS, order, flags)
        lanes.move_to_watched(w, order, leaving, clock, watched, size, free_slots, alive, distances)
        alive, size = alive - leaving, size + leaving
        clock += batches * STEPS
        if following == pixels.size and 4 * alive <= 3 * active:
            lanes.close_gaps(w, active, order, free_slots, alive, distances)
            active = alive


@inner
def _append_run(
    starts: block_series.Series, positions: _Positions, pixels: Ints, i: int, w: Floats, size: int,
    derivative: Floats32 | None,
) -> tuple[int, int]:  # fmt: skip
    """Append pixel `i` and the pixels after it in its row and block, where the block's series ends.

    Returns their number, and the block.
    """
    re, im, width, rho = positions.re, positions.im, positions.width, positions.rho
    above, left = positions.before
    row = pixels[i] // width
    col = pixels[i] - row * width
    along = (col + left) % block_series.BLOCK
    run = _run_length(pixels, i, min(block_series.BLOCK - along, width - col))
    row, col = row + above, col + left
    block = row // block_series.BLOCK * (re.size // block_series.BLOCK) + col // block_series.BLOCK
    entry, cxs, b = w[size:], re[col : col + run], taylor_model.coefficients(starts.real[block], starts.imag[block])
    dtx, tx = positions.dre / rho, float(along - block_series.BLOCK // 2)
    ty = (row % block_series.BLOCK - block_series.BLOCK // 2) * (positions.dim / rho)
    s = 4.0 * SCALE * starts.error[block] ** 2 * (1.0 + 2.0**-40) + ROUNDING
    cy, n, pixel = 2.0 * im[row], float(starts.n[block]), float(pixels[i])
    for j in range(block_series.BLOCK):  # the next run overwrites entries past this one
        x, y = taylor_model.evaluate(b, (tx + j) * dtx, ty)
        entry[lanes.X + j], entry[lanes.Y + j] = 2.0 * x, 2.0 * y
        entry[lanes.S + j], entry[lanes.CY + j] = s, cy
        entry[lanes.START + j], entry[lanes.PIXEL + j] = n, pixel + j
    for j in range(run):
        entry[lanes.CX + j] = 2.0 * cxs[j]
    if derivative is not None:
        q = (8.0 * starts.error[block] / rho) ** 2 / DERIVATIVE_SHARE
        for j in range(block_series.BLOCK):
            dx, dy = taylor_model.slope(b, (tx + j) * dtx, ty)
            entry[lanes.DX + j], entry[lanes.DY + j], entry[lanes.Q + j] = dx / rho, dy / rho, q
    return run, block


@inner
def _run_length(pixels: Ints, i: int, most: int) -> int:
    """Return how many pixels from `i` on follow each other in a row, at most `most`."""
    most = min(most, pixels.size - i)
    if pixels[i + most - 1] == pixels[i] + most - 1:  # they ascend
        return most
    run = 1
    while pixels[i + run] == pixels[i] + run:
        run += 1
    return run


@inner
def _compute_fields(
    w: Floats, size: int, maxiter: int, smooths: Floats | None, distances: Floats32 | None, worst: tuple[float, float]
) -> None:
    """Iterate lanes until far out and write their fields; mark as UNDECIDED those with too large an error."""
    escape_radius.to_escape_radius(w, size, distances)
    for i in range(size):
        m = w[lanes.X + i] ** 2 + w[lanes.Y + i] ** 2
        limit = worst[0]
        if distances is None:
            limit = max(limit, tolerated(w[lanes.START + i] + w[lanes.ESCAPE_STEPS + i]))
        known = (m > escape_radius.ESCAPE_SQUARE) & (max(abs(w[lanes.CX + i]), abs(w[lanes.CY + i])) < FAR)
        known &= w[lanes.S + i] < SCALE * _ESCAPE_SHARE * limit * m
        if distances is not None:
            dm = w[lanes.DX + i] ** 2 + w[lanes.DY + i] ** 2
            known &= (dm >= 1.0) & (DERIVATIVE_SHARE * w[lanes.Q + i] < worst[1] * dm)
        w[lanes.KNOWN + i] = 1.0 if known else 0.0
    escape_radius.to_far_out(w, size, distances)
    if distances is not None:
        for i in range(size):
            m, dm = w[lanes.X + i] ** 2 + w[lanes.Y + i] ** 2, w[lanes.DX + i] ** 2 + w[lanes.DY + i] ** 2
            w[_DISTANCE + i] = distance(0.25 * m, dm)
    if smooths is not None:
        for i in range(size):
            n = w[lanes.START + i] + w[lanes.ESCAPE_STEPS + i] + escape_radius.REMAINING
            w[lanes.SMOOTH + i] = smooth(n, 0.25 * (w[lanes.X + i] ** 2 + w[lanes.Y + i] ** 2))
    for i in range(size):
        escapes = w[lanes.INSIDE + i] < STEPS and w[lanes.START + i] + w[lanes.INSIDE + i] < maxiter
        if not escapes or w[lanes.UNDECIDED + i] > 0.0:
            continue
        if w[lanes.KNOWN + i] == 0.0:
            w[lanes.UNDECIDED + i] = 1.0
            continue
        pixel = lanes.index(w[lanes.PIXEL + i])
        if smooths is not None:
            smooths[pixel] = w[lanes.SMOOTH + i]
        if distances is not None:
            distances[pixel] = w[_DISTANCE + i]


@inner
def _write(w: Floats, order: Ints, size: int, maxiter: int, counts: Counts, verdicts: Verdicts) -> None:
    """Write the proven counts of the lanes listed in `order`, and the verdicts on the others."""
    for k in range(size):
        i = lanes.index(order[k])
        pixel, inside = lanes.index(w[lanes.PIXEL + i]), w[lanes.INSIDE + i]
        count = min(int(w[lanes.START + i] + inside), maxiter)
        ends = (inside < STEPS) | (count == maxiter)
        if ends & (w[lanes.UNDECIDED + i] == 0.0):
            counts[pixel] = count
        else:
            verdicts[pixel] = _NEEDS_MORE_PRECISION if ends else _NEEDS_MORE_ITERATIONS
