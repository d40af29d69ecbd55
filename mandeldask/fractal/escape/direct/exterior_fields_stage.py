"""The stage for fields well outside the set: the pixels of a block that escape together are iterated together.

There a block's series is valid until its pixels escape, all within a few iterations. So one error bound serves for the
whole block: a step takes five operations, nine with the derivative, and no branch depends on a single pixel. Bounds:
Lemma 16.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic import taylor_model
from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.float64_step import differentiate, iterate
from mandeldask.fractal.escape.arithmetic.jit import inner, kernel
from mandeldask.fractal.escape.arithmetic.layout import Layout, workspace
from mandeldask.fractal.escape.direct import block_counts, block_series
from mandeldask.fractal.escape.direct.prepared_tile import prepared
from mandeldask.fractal.escape.fields import FAR_OUT, ROUNDING, distance, smooth, tolerated
from mandeldask.fractal.escape.limits import FARTHEST_EXTERIOR

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Flag, Floats, Floats32
    from mandeldask.fractal.escape.tile import Tile

_TOLERANCE = 2.0**-32
"""Error at which a block's series stops: every step outside doubles the relative error."""
_SAMPLE_SIDE = 4
"""Side of a square of blocks. One block of each square is tried first: near the edge of the set, few succeed."""
_MOST_CHECKED_STEPS = 8
"""Iterations within which all pixels of a block have to escape."""
_LARGEST_CHECKED = 2.0**20
"""The block fails if a modulus exceeds this while other pixels are still inside."""
_LARGEST_MODULUS = 2.0**200
"""Bound on the modulus of every iterate."""
_OUTWARD: ErrorBound = 1.0 + 2.0**-40
"""Factor above 1 that covers the rounding of a bound itself."""

LANES = block_series.BLOCK**2
ROWS = Layout.of("X Y CX CY DX DY INSIDE_LEAST INSIDE_MOST TX TY", LANES + 8)
X, Y, CX, CY, DX, DY, INSIDE_LEAST, INSIDE_MOST, TX, TY = ROWS.offsets
"""INSIDE_LEAST and INSIDE_MOST count the iterates certainly and possibly within |z| <= 2; TX and TY are the position in
the block."""
_SIZE = ROWS.size
FAR_OUT_ROWS = ROWS.renamed(X="SMOOTH", DX="DISTANCE")
_SMOOTH, _DISTANCE = FAR_OUT_ROWS.rows("SMOOTH DISTANCE")
"""The fields of lanes that are far out."""


def answer_exterior_fields(tile: Tile) -> None:
    """Answer the open pixels of `tile` whose blocks escape together; fields must be wanted."""
    frame = prepared(tile)
    wanted = frame.blocks(tile, tile.open)
    squares = wanted.reshape(
        wanted.shape[0] // _SAMPLE_SIDE, _SAMPLE_SIDE, wanted.shape[1] // _SAMPLE_SIDE, _SAMPLE_SIDE
    )
    sample = np.zeros(wanted.shape, np.bool_)
    sample[1::_SAMPLE_SIDE, 1::_SAMPLE_SIDE] = squares.any((1, 3))
    starts = frame.series(tile, sample, _TOLERANCE, block_counts.NO_ANSWERS)
    squares &= starts.escaping.reshape(squares.shape).any((1, 3), keepdims=True)
    starts = frame.series(tile, wanted, _TOLERANCE, block_counts.NO_ANSWERS)
    answers = block_counts.Answers(tile.counts, np.zeros(tile.counts.size, np.bool_), tile.grid.shape, frame.before)
    orbits, fields = (starts, frame.re[0], frame.im[0], frame.steps), (tile.smooth, tile.distance, tile.worst)
    _run(*orbits, tile.maxiter, answers, *fields, tile.cancellation.flag)
    tile.close(answers.known if tile.open.size == tile.counts.size else answers.known[tile.open])


@kernel
def _run(
    starts: block_series.Series, re: Floats, im: Floats, steps: tuple[float, float], maxiter: int,
    answers: block_counts.Answers, smooths: Floats | None, distances: Floats32 | None, worst: tuple[float, float],
    flag: Flag,
) -> None:  # fmt: skip
    """Answer those blocks whose pixels escape together."""
    w, cols, rho = workspace(_SIZE), re.size // block_series.BLOCK, block_series.radius(steps[0], steps[1])
    _write_positions(w, steps[0] / rho, steps[1] / rho)
    for block in range(starts.n.size):
        top, left = block // cols * block_series.BLOCK, block % cols * block_series.BLOCK
        c = abs(re[left + block_series.BLOCK // 2]) + abs(im[top + block_series.BLOCK // 2]) + rho
        if flag[0] or not starts.escaping[block] or c > FARTHEST_EXTERIOR:
            continue
        _load_block(
            w, taylor_model.coefficients(starts.real[block], starts.imag[block]), rho, re[left:], im[top:], distances
        )
        n = _advance_to_far_out(w, starts.n[block], starts.error[block], rho, c, maxiter, distances, worst)
        if n > 0:
            _compute_fields(w, float(n), smooths, distances)
            corner = top - answers.before[0], left - answers.before[1]
            _write(w, starts.n[block], corner, answers, smooths, distances)


@inner
def _write_positions(w: Floats, dtx: float, dty: float) -> None:
    """Write the positions of lanes in a block to TX and TY, row by row, in units of its radius."""
    for i in range(LANES):
        w[TX + i] = (i % block_series.BLOCK - block_series.BLOCK // 2) * dtx
        w[TY + i] = (i // block_series.BLOCK - block_series.BLOCK // 2) * dty


@inner
def _load_block(
    w: Floats, b: tuple[float, ...], rho: float, re: Floats, im: Floats, derivative: Floats32 | None
) -> None:
    """Evaluate the polynomial `b` of a block whose first column and row are at re[0] and im[0]."""
    for i in range(LANES):
        x, y = taylor_model.evaluate(b, w[TX + i], w[TY + i])
        w[X + i], w[Y + i] = 2.0 * x, 2.0 * y
        w[INSIDE_LEAST + i] = w[INSIDE_MOST + i] = 0.0
    if derivative is not None:
        over = 1.0 / rho
        for i in range(LANES):
            dx, dy = taylor_model.slope(b, w[TX + i], w[TY + i])
            w[DX + i], w[DY + i] = dx * over, dy * over
    for row in range(block_series.BLOCK):
        entry, cy = w[row * block_series.BLOCK :], 2.0 * im[row]
        for col in range(block_series.BLOCK):
            entry[CX + col], entry[CY + col] = 2.0 * re[col], cy


@inner
def _advance_to_far_out(
    w: Floats, n: int, error: float, rho: float, c: float, maxiter: int, derivative: Floats32 | None,
    worst: tuple[float, float],
) -> int:  # fmt: skip
    """Advance lanes from iterate n until all are far out; return the index of that iterate, 0 if nothing is proven.

    r and q bound the errors of z and dz/dc, z and p their moduli, of all lanes; c bounds the modulus of c.
    """
    r, q, z, p, size = error, 8.0 * error / rho, 2.0, 0.0, LANES
    if derivative is not None:
        p = _modulus_bounds(w, DX, DY)[1]
    last = min(n + _MOST_CHECKED_STEPS, maxiter)
    while size > 0:
        if n == last or z > _LARGEST_CHECKED:
            return 0
        r, q, p = _bounds_after(z, c, p, r, q)
        size = _advance_and_count(w, (16.0 + 4.0 * r) * r * _OUTWARD + 2.0**-46, derivative)
        z = 0.5 * _modulus_bounds(w, X, Y)[1]
        n += 1
    t, p = 0.5 * _modulus_bounds(w, X, Y)[0], 1.0
    if derivative is not None:
        p = _modulus_bounds(w, DX, DY)[0]
    steps = _steps_to_far_out(n, z, t, r / t, p, q / p, c, derivative, worst)
    if steps < 0:
        return 0
    _advance(w, steps, derivative)
    return n + steps


@inner
def _bounds_after(z: float, c: float, p: float, r: float, q: float) -> tuple[float, float, float]:
    """Return bounds on the errors of the next z and p = dz/dc, and on the next |p|; z, c and p bound moduli."""
    next_r = ((2.0 * z + r) * r + ROUNDING * (z * z + c)) * _OUTWARD
    next_q = (2.0 * ((z + r) * q + r * p) + ROUNDING * (z * p + 1.0)) * _OUTWARD
    return next_r, next_q, (2.0 * z * p + 1.0) * _OUTWARD


@inner
def _relative_after(t: float, c: float, p: float, e: float, f: float) -> tuple[float, float]:
    """Return bounds on the relative errors of the next z and dz/dc, whose moduli are at least t and p now."""
    next_e = ((2.0 + e) * e + 2.0 * ROUNDING) * (t * t / (t * t - c)) * _OUTWARD
    return next_e, ((1.0 + e) * f + e + 2.0 * ROUNDING) * (2.0 * t * p / (2.0 * t * p - 1.0)) * _OUTWARD


@inner
def _steps_to_far_out(
    n: int, z: float, t: float, e: float, p: float, f: float, c: float, derivative: Floats32 | None,
    worst: tuple[float, float],
) -> int:  # fmt: skip
    """Return the number of steps until all lanes are far out, or -1 if the fields are not proven then.

    For all lanes t <= |z_n| <= z and p <= |dz_n/dc|, and e and f bound their relative errors.
    """
    far, steps = sqrt(FAR_OUT * (1.0 + c * c)) * _OUTWARD, 0
    while t <= far and z < _LARGEST_MODULUS:
        if not (t * t > 1.01 * c and t * p > 1.0):
            return -1
        e, f = _relative_after(t, c, p, e, f)
        p, t, z = (2.0 * t * p - 1.0) / _OUTWARD, (t * t - c) / _OUTWARD, (z * z + c) * _OUTWARD
        steps += 1
    known = e * e < worst[0] and f * f < worst[1]
    if derivative is None:
        known = e * e < max(worst[0], tolerated(n + steps))
    return steps if known and z < _LARGEST_MODULUS else -1


@inner
def _advance_and_count(w: Floats, margin: float, derivative: Floats32 | None) -> int:
    """Advance lanes by an iteration, count it for those inside, and return how many may still be inside."""
    low, high, size = 16.0 - margin, 16.0 + margin, 0
    if derivative is not None:
        _differentiate(w)
    for i in range(LANES):
        x, y, _ = iterate(w[X + i], w[Y + i], 0.0, w[CX + i], w[CY + i])
        m = x * x + y * y
        w[X + i], w[Y + i] = x, y
        w[INSIDE_LEAST + i] += 1.0 if m < low else 0.0
        w[INSIDE_MOST + i] += 1.0 if m <= high else 0.0
        size += 1 if m <= high else 0
    return size


@inner
def _advance(w: Floats, steps: int, derivative: Floats32 | None) -> None:
    """Advance lanes by `steps` iterations."""
    for _ in range(steps):
        if derivative is not None:
            _differentiate(w)
        for i in range(LANES):
            w[X + i], w[Y + i], _ = iterate(w[X + i], w[Y + i], 0.0, w[CX + i], w[CY + i])


@inner
def _differentiate(w: Floats) -> None:
    """Write dz/dc of the next iterate."""
    for i in range(LANES):
        w[DX + i], w[DY + i] = differentiate(w[X + i], w[Y + i], w[DX + i], w[DY + i])


@inner
def _modulus_bounds(w: Floats, x: int, y: int) -> tuple[float, float]:
    """Return bounds on the least and the greatest modulus of the numbers in the rows x and y."""
    least = greatest = w[x] * w[x] + w[y] * w[y]
    for i in range(1, LANES):
        m = w[x + i] * w[x + i] + w[y + i] * w[y + i]
        least, greatest = min(least, m), max(greatest, m)
    return sqrt(least) / _OUTWARD, sqrt(greatest) * _OUTWARD


@inner
def _compute_fields(w: Floats, n: float, smooths: Floats | None, distances: Floats32 | None) -> None:
    """Write the fields of lanes that are far out; they replace the orbits."""
    if distances is not None:
        for i in range(LANES):
            m = 0.25 * (w[X + i] * w[X + i] + w[Y + i] * w[Y + i])
            w[_DISTANCE + i] = distance(m, w[DX + i] * w[DX + i] + w[DY + i] * w[DY + i])
    if smooths is not None:
        for i in range(LANES):
            w[_SMOOTH + i] = smooth(n, 0.25 * (w[X + i] * w[X + i] + w[Y + i] * w[Y + i]))


@inner
def _write(
    w: Floats, n: int, corner: tuple[int, int], answers: block_counts.Answers, smooths: Floats | None,
    distances: Floats32 | None,
) -> None:  # fmt: skip
    """Write what is proven for the lanes that lie in the tile; the block begins at that row and column."""
    (top, left), (height, width) = corner, answers.shape
    first, size = max(0, -left), min(block_series.BLOCK, width - left) - max(0, -left)
    for row in range(max(0, -top), min(block_series.BLOCK, height - top)):
        lanes, pixel = w[row * block_series.BLOCK + first :], (top + row) * width + left + first
        undecided = 0
        for i in range(size):
            undecided += 1 if lanes[INSIDE_LEAST + i] != lanes[INSIDE_MOST + i] else 0
        if undecided == 0:
            _write_row(lanes, n, pixel, size, answers, smooths, distances)
        elif undecided < size:
            for i in range(size):
                if lanes[INSIDE_LEAST + i] == lanes[INSIDE_MOST + i]:
                    _write_row(lanes[i:], n, pixel + i, 1, answers, smooths, distances)


@inner
def _write_row(
    lanes: Floats, n: int, pixel: int, size: int, answers: block_counts.Answers, smooths: Floats | None,
    distances: Floats32 | None,
) -> None:  # fmt: skip
    """Write `size` pixels of a row, in loops that are vectorised: indices are never negative."""
    counts, known = answers.counts[pixel : pixel + size], answers.known[pixel : pixel + size]
    for i in range(size):
        counts[i] = np.uint32(np.int32(n + lanes[INSIDE_LEAST + i]))
    for i in range(size):
        known[i] = True
    if smooths is not None:
        row = smooths[pixel : pixel + size]
        for i in range(size):
            row[i] = lanes[_SMOOTH + i]
    if distances is not None:
        distance_row = distances[pixel : pixel + size]
        for i in range(size):
            distance_row[i] = lanes[_DISTANCE + i]
