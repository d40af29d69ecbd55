"""The iterates that blocks of pixels have in common, at any depth: polynomials in c around a reference orbit.

On the disc ``c = c_0 + rho t`` of a block, ``z_n = Z_m + 2^E (b_0 + a_1 t + ... + a_5 t^5)`` up to 2^E times an error.
Sixteen blocks that share m and E advance together. A block whose polynomial no longer fits is cut into sixteen; one
that must be rebased goes on at m = 0; the smallest hand their pixels over, each at an iterate of its own, with a bound
on its error: docs/explanation/exactness.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mandeldask.fractal.kernels import doubledouble as dd
from mandeldask.fractal.kernels import pixels
from mandeldask.fractal.kernels.compiled import inlined, inner, kernel
from mandeldask.fractal.kernels.delta import APART, FLOOR, NEAR_ZERO
from mandeldask.fractal.kernels.exponents import power
from mandeldask.fractal.kernels.workspaces import workspace
from mandeldask.fractal.reference import TINY

SIDE = 16
"""Pixels along the smallest blocks."""
_PARTS = 4
"""Blocks along each side of a block that is cut."""
_LARGEST = SIDE * _PARTS**2
"""Pixels along the largest."""

_FITS = 2.0**-34
"""What a step may drop past degree 5, per sum of the coefficients: far below a pixel's share of the block."""
_COEFFICIENT_ERROR = 2.0**-49
"""Per what a step adds up to coefficients, as in `series`."""
_CENTER_ERROR = 2.0**-98
"""More than a double-double step loses, per (2 |2 Z + dz| + |Z|) |b_0| and per |dc|, as in `refined`."""
_SHIFT_ERROR = 2.0**-46
"""What evaluating a polynomial or moving its middle loses, per sum of the coefficients."""
_CIRCLE = 2.0 - 2.0**-30
"""All pixels of a block stay below this."""
_OUT = 2.0 + 2.0**-30
"""A block whose pixels all are past this has left."""
_DEEP, _TINY = -450, -150
"""Exponents below which dz^2 is nothing beside 2 Z dz, and below which Z = 0 needs an exponent of its own."""

# Rows of a workspace, as in `lanes`: what a step changes, the same before the step, and the rest.
LANES = _PARTS**2
_ROW = LANES + 4
_STATE = 15
X, X_LOW, Y, Y_LOW, E, A1X, A1Y, A2X, A2Y, A3X, A3Y, A4X, A4Y, A5X, A5Y = range(0, _STATE * _ROW, _ROW)
_OLD = _STATE * _ROW
DCX, DCX_LOW, DCY, DCY_LOW, N0, ROW, COL, SPREAD, DROPPED, WHAT = range(2 * _OLD, 2 * _OLD + 10 * _ROW, _ROW)
_SIZE = 2 * _OLD + 10 * _ROW
_GOES_ON, _ENDS, _REBASES, _LEAVES = 0.0, 1.0, 2.0, 3.0

# A block that waits: its state, and where it is.
_BROW, _BCOL, _BSIDE, _BN0, _BM, _BEXPONENT = range(_STATE, _STATE + 6)
_RECORD = _STATE + 6


class Frame(NamedTuple):
    """Where the blocks are, relative to the reference in units of 2^exponent."""

    re: np.ndarray
    """Columns of whole blocks, high and low, shape (2, width)."""
    im: np.ndarray
    """Rows, shape (2, height)."""
    exponent: int
    most: float
    """The greatest |dc|."""
    step_x: float
    """From a column to the next."""
    step_y: float
    """From a row to the next."""


def side_for(shape: tuple[int, int]) -> int:
    """Return the side of the blocks to begin with: the smallest that covers `shape`, or the largest."""
    side = SIDE
    while side < min(max(shape), _LARGEST):
        side *= _PARTS
    return side


@kernel
def hand_over(orbit, orbit_low, frame, side, wanted, maxiter, u, pool, later, answers, flag):
    """Write every wanted pixel where its block's polynomial ends: into `answers`, `later` or `pool`.

    Into `later`, as ``dz = z`` at m = 0, go those that have left the reference; into `pool` those still close to it.

    Parameters
    ----------
    orbit_low : (float64, float64), shape (length,)
        What rounding took from the orbit's points: real and imaginary parts.
    side : int
        `side_for` the tile.
    wanted : bool, shape (height, width)
        Which pixels of the tile are.
    u : float
        ``S / r^2`` in `pool`.

    Returns
    -------
    groups : int64, shape (2, number of groups + 1)
        Pixels ``pool[first : next]`` are at Z_m of the reference: rows `first`, and one past the last of all, and `m`.
    waiting : int
        The number of pixels in `later`.
    """
    rows, cols = wanted.shape
    w = workspace(_SIZE)
    capacity = (rows // SIDE + 1) * (cols // SIDE + 1) + 1
    cut, rebased = np.zeros((capacity, _RECORD)), np.zeros((capacity, _RECORD))
    groups = np.zeros((2, capacity + 1), np.int64)
    cuts = rebases = parts = waiting = 0
    for row in range(0, rows, side):
        for col in range(0, cols, side):
            if _is_wanted(wanted, row, col, side):
                rebased[rebases, _BROW], rebased[rebases, _BCOL], rebased[rebases, _BSIDE] = row, col, side
                rebased[rebases, _BEXPONENT] = frame.exponent
                rebases += 1
    while (cuts or rebases) and not flag[0]:
        if cuts:
            cuts -= 1
            parent = cut[cuts].copy()
            m, exponent, side = int(parent[_BM]), int(parent[_BEXPONENT]), int(parent[_BSIDE]) // _PARTS
            active = _load_parts(w, parent, side, wanted, frame)
        else:
            m, side = 0, int(rebased[rebases - 1, _BSIDE])
            active, rebases, exponent = _load_rebased(w, rebased, rebases, side, frame)
        cuts, rebases, parts, waiting = _advance_together(
            w, active, m, exponent, side, orbit, orbit_low, frame, wanted, maxiter, u,
            cut, cuts, rebased, rebases, pool, groups, parts, later, waiting, answers, flag,
        )  # fmt: skip
    return groups[:, : parts + 1].copy(), waiting


@inner
def _is_wanted(wanted, row, col, side):
    for i in range(row, min(row + side, wanted.shape[0])):
        for j in range(col, min(col + side, wanted.shape[1])):
            if wanted[i, j]:
                return True
    return False


@inner
def _advance_together(
    w, active, m, exponent, side, orbit, orbit_low, frame, wanted, maxiter, u,
    cut, cuts, rebased, rebases, pool, groups, parts, later, waiting, answers, flag,
):  # fmt: skip
    """Advance lanes from m on until each is cut, rebased, handed over or answered."""
    orbit_x, orbit_y = orbit.x, orbit.y
    low_x, low_y = orbit_low
    last, size = orbit_x.size - 1, groups[0, parts]
    rho = _radius(frame, side)
    while active and not flag[0]:
        exponent = _rescale(w, active, exponent, frame.exponent)
        z_x, z_y = orbit_x[m], orbit_y[m]
        after = exponent
        factor = power(exponent) if exponent > _DEEP else 0.0
        deep = exponent < _TINY and max(abs(z_x), abs(z_y)) < TINY
        if deep:  # dz^2 is all there is: it and dc choose the exponent
            after = max(frame.exponent, 2 * exponent + 2 * math.frexp(_largest(w, active))[1])
            factor = power(2 * exponent - after)
        for i in range(_OLD):
            w[_OLD + i] = w[i]
        dc_scale = power(frame.exponent - after)
        at_end = m + 1 == last
        lost = at_end and after < _DEEP and max(abs(orbit_x[last]), abs(orbit_y[last])) < TINY  # in float64, at m + 1
        if m < last and not (deep and m > 0) and not lost:
            _advance(w, active, z_x, low_x[m], z_y, low_y[m], factor, dc_scale, rho, frame.most * dc_scale)
            going = _look(w, active, orbit_x[m + 1], orbit_y[m + 1], power(after), at_end)
        else:
            going = 0
            for i in range(active):
                w[WHAT + i] = _ENDS
        due = _is_due(w, active, m + 1 - maxiter)
        if going < active or due:
            for i in range(active - 1, -1, -1):
                what = w[WHAT + i]
                if what == _GOES_ON and w[N0 + i] + m + 1 < maxiter:
                    continue
                if what == _LEAVES:
                    _answer(w, i, side, wanted, int(w[N0 + i]) + m, answers)
                elif what != _ENDS and w[N0 + i] + m + 1 >= maxiter:
                    _answer(w, i, side, wanted, maxiter, answers)
                elif what == _REBASES:
                    error = orbit.error * power(orbit.error_exponent) if at_end else 0.0
                    _rebase(
                        w, i, m + 1, after, side, orbit_x[m + 1], low_x[m + 1], orbit_y[m + 1],
                        low_y[m + 1], error, rebased[rebases],
                    )  # fmt: skip
                    rebases += 1
                elif side > SIDE:
                    _keep(w, i, m, exponent, side, cut[cuts])
                    cuts += 1
                elif _is_apart(w, i, z_x, z_y, power(exponent)):
                    waiting = _hand_over(w, i, m, exponent, side, rho, z_x, z_y, frame, wanted, u, later, waiting)
                else:
                    size = _hand_over(w, i, 0, exponent, side, rho, 0.0, 0.0, frame, wanted, u, pool, size)
                    groups[1, parts], groups[0, parts + 1] = m, size
                    parts += 1
                active -= 1
                for at in range(0, _SIZE, _ROW):
                    w[at + i] = w[at + active]
        exponent = after
        m += 1
    return cuts, rebases, parts, waiting


@inner
def _is_due(w, active, first):
    """Return whether a lane has come to the cap."""
    due = False
    for i in range(active):
        due |= w[N0 + i] + first >= 0.0
    return due


@inner
def _radius(frame, side):
    """Return the distance from the middle of a block to its corners, rounded up."""
    return 0.5 * side * np.hypot(frame.step_x, frame.step_y) * (1.0 + 2.0**-20)


@inner
def _largest(w, active):
    """Return a bound on |dz|, in units."""
    most = 0.0
    for i in range(active):
        most = max(most, abs(w[X + i]) + abs(w[Y + i]) + w[SPREAD + i] + w[E + i])
    return most


@inner
def _rescale(w, active, exponent, dc_exponent):
    """Keep lanes far from where float64 ends; return the new exponent."""
    most = _largest(w, active)
    if 2.0**-40 <= most <= 2.0**40 or most == 0.0:
        return exponent
    shift = max(math.frexp(most)[1], dc_exponent - exponent - 60)
    factor = power(-shift)
    for row in range(0, _OLD, _ROW):
        for i in range(active):
            w[row + i] *= factor
    for i in range(active):
        w[SPREAD + i] *= factor
    return exponent + shift


@inlined
def _norm(x, y):
    """Return |x| + |y|, a bound on a modulus."""
    return abs(x) + abs(y)


@inner
def _advance(w, active, z_x, z_x_low, z_y, z_y_low, factor, dc_scale, rho, dc_most):
    """Do one step: z^2 + c as ``(2 Z + factor b) b + dc``, for the middle in double-double."""
    modulus_z = np.hypot(z_x, z_y)
    rho *= dc_scale
    for i in range(active):
        x, x_low, y, y_low, e = w[X + i], w[X_LOW + i], w[Y + i], w[Y_LOW + i], w[E + i]
        a1x, a1y, a2x, a2y, a3x, a3y = w[A1X + i], w[A1Y + i], w[A2X + i], w[A2Y + i], w[A3X + i], w[A3Y + i]
        a4x, a4y, a5x, a5y = w[A4X + i], w[A4Y + i], w[A5X + i], w[A5Y + i]
        m1, m2, m3, m4, m5 = _norm(a1x, a1y), _norm(a2x, a2y), _norm(a3x, a3y), _norm(a4x, a4y), _norm(a5x, a5y)
        spread = m1 + m2 + m3 + m4 + m5
        # |a_i| |a_j| with i + j > 5
        dropped = factor * (m1 * m5 + m2 * (m4 + m5) + m3 * (m3 + m4 + m5) + m4 * (m2 + m3 + m4 + m5) + m5 * spread)
        zx, zx_low = dd.add(z_x, z_x_low, factor * x, factor * x_low)
        zy, zy_low = dd.add(z_y, z_y_low, factor * y, factor * y_low)
        tx, tx_low = dd.add(zx, zx_low, z_x, z_x_low)
        ty, ty_low = dd.add(zy, zy_low, z_y, z_y_low)
        slope = 2.0 * (np.sqrt(zx * zx + zy * zy) + factor * spread) + 2.0**-100 * modulus_z
        w[E + i] = (
            (slope + factor * e) * e
            + _COEFFICIENT_ERROR * (slope * spread + rho)
            + dropped
            + _CENTER_ERROR * ((2.0 * _norm(tx, ty) + modulus_z) * _norm(x, y) + dc_most)
        ) * (1.0 + 2.0**-40) + FLOOR
        w[DROPPED + i] = dropped
        dx, dy = zx + zx, zy + zy
        w[A1X + i] = dx * a1x - dy * a1y + rho
        w[A1Y + i] = dx * a1y + dy * a1x
        w[A2X + i] = dx * a2x - dy * a2y + factor * (a1x * a1x - a1y * a1y)
        w[A2Y + i] = dx * a2y + dy * a2x + factor * (2.0 * a1x * a1y)
        w[A3X + i] = dx * a3x - dy * a3y + 2.0 * factor * (a1x * a2x - a1y * a2y)
        w[A3Y + i] = dx * a3y + dy * a3x + 2.0 * factor * (a1x * a2y + a1y * a2x)
        w[A4X + i] = dx * a4x - dy * a4y + factor * (2.0 * (a1x * a3x - a1y * a3y) + (a2x * a2x - a2y * a2y))
        w[A4Y + i] = dx * a4y + dy * a4x + 2.0 * factor * ((a1x * a3y + a1y * a3x) + a2x * a2y)
        w[A5X + i] = dx * a5x - dy * a5y + 2.0 * factor * ((a1x * a4x - a1y * a4y) + (a2x * a3x - a2y * a3y))
        w[A5Y + i] = dx * a5y + dy * a5x + 2.0 * factor * ((a1x * a4y + a1y * a4x) + (a2x * a3y + a2y * a3x))
        xx, xx_low = dd.multiply(tx, tx_low, x, x_low)
        yy, yy_low = dd.multiply(ty, ty_low, y, y_low)
        xy, xy_low = dd.multiply(tx, tx_low, y, y_low)
        yx, yx_low = dd.multiply(ty, ty_low, x, x_low)
        xx, xx_low = dd.add(xx, xx_low, -yy, -yy_low)
        xy, xy_low = dd.add(xy, xy_low, yx, yx_low)
        w[X + i], w[X_LOW + i] = dd.add(xx, xx_low, dc_scale * w[DCX + i], dc_scale * w[DCX_LOW + i])
        w[Y + i], w[Y_LOW + i] = dd.add(xy, xy_low, dc_scale * w[DCY + i], dc_scale * w[DCY_LOW + i])


@inner
def _look(w, active, z_x, z_y, scale, at_end):
    """Write to WHAT what becomes of each lane at Z; return how many go on."""
    going = 0
    for i in range(active):
        spread = (
            _norm(w[A1X + i], w[A1Y + i])
            + _norm(w[A2X + i], w[A2Y + i])
            + _norm(w[A3X + i], w[A3Y + i])
            + _norm(w[A4X + i], w[A4Y + i])
            + _norm(w[A5X + i], w[A5Y + i])
        )
        x, y = scale * w[X + i], scale * w[Y + i]
        modulus = np.sqrt((z_x + x) * (z_x + x) + (z_y + y) * (z_y + y))
        reach = scale * (spread + w[E + i])
        fits = (w[DROPPED + i] <= _FITS * spread) & (modulus + reach < _CIRCLE)
        stays = (modulus * modulus >= x * x + y * y) & (not at_end)
        w[SPREAD + i] = spread
        w[WHAT + i] = (_GOES_ON if stays else _REBASES) if fits else (_LEAVES if modulus - reach > _OUT else _ENDS)
        going += 1 if fits & stays else 0
    return going


@inner
def _answer(w, i, side, wanted, count, answers):
    """Answer the pixels of a lane, which share a count."""
    row, col = int(w[ROW + i]), int(w[COL + i])
    for k in range(row, min(row + side, wanted.shape[0])):
        for j in range(col, min(col + side, wanted.shape[1])):
            if wanted[k, j]:
                pixel = k * wanted.shape[1] + j
                answers.whole[0, pixel], answers.whole[1, pixel] = count, True


@inner
def _keep(w, i, m, exponent, side, record):
    """Write lane `i`, as it was before its last step, into `record`."""
    for row in range(_STATE):
        record[row] = w[_OLD + row * _ROW + i]
    record[_BROW], record[_BCOL], record[_BSIDE] = w[ROW + i], w[COL + i], side
    record[_BN0], record[_BM], record[_BEXPONENT] = w[N0 + i], m, exponent


@inner
def _rebase(w, i, m, exponent, side, z_x, z_x_low, z_y, z_y_low, error, record):
    """Write lane `i`, now at Z_m, into `record` with dz = Z + dz."""
    scale = power(exponent)
    x, x_low = dd.add(z_x, z_x_low, scale * w[X + i], scale * w[X_LOW + i])
    y, y_low = dd.add(z_y, z_y_low, scale * w[Y + i], scale * w[Y_LOW + i])
    lost = error + 2.0**-100 * (_norm(z_x, z_y) + scale * _norm(w[X + i], w[Y + i]))
    shift = math.frexp(max(_norm(x, y), scale * w[SPREAD + i]))[1]
    factor = power(-shift)
    record[0], record[1], record[2], record[3] = x * factor, x_low * factor, y * factor, y_low * factor
    record[4] = (scale * w[E + i] + lost) * (1.0 + 2.0**-40) * factor
    for row in range(5, _STATE):
        record[row] = w[row * _ROW + i] * scale * factor
    record[_BROW], record[_BCOL], record[_BSIDE] = w[ROW + i], w[COL + i], side
    record[_BN0], record[_BM], record[_BEXPONENT] = w[N0 + i] + m, 0, shift


@inner
def _place(w, i, row, col, side, n0, frame):
    """Write where lane `i` is."""
    middle_row, middle_col = row + side // 2, col + side // 2
    w[DCX + i], w[DCX_LOW + i] = frame.re[0, middle_col], frame.re[1, middle_col]
    w[DCY + i], w[DCY_LOW + i] = frame.im[0, middle_row], frame.im[1, middle_row]
    w[N0 + i], w[ROW + i], w[COL + i] = n0, row, col


@inner
def _load_rebased(w, waiting, size, side, frame):
    """Take up to `LANES` blocks of one side and similar exponents from the end of `waiting`."""
    active, exponent = 0, waiting[size - 1, _BEXPONENT]
    while size and active < LANES and waiting[size - 1, _BSIDE] == side:
        if abs(waiting[size - 1, _BEXPONENT] - exponent) > 30:
            break
        size -= 1
        factor = power(int(waiting[size, _BEXPONENT] - exponent))
        for k in range(_STATE):
            w[k * _ROW + active] = waiting[size, k] * factor
        row, col = int(waiting[size, _BROW]), int(waiting[size, _BCOL])
        _place(w, active, row, col, side, waiting[size, _BN0], frame)
        w[SPREAD + active] = _spread(w, active)
        active += 1
    return active, size, int(exponent)


@inner
def _spread(w, i):
    total = 0.0
    for row in range(A1X, _OLD, _ROW):
        total += abs(w[row + i])
    return total


@inner
def _load_parts(w, parent, side, wanted, frame):
    """Cut `parent` into blocks of `side`, and load those with wanted pixels, their polynomials around their middles."""
    active = 0
    rho = _radius(frame, side * _PARTS)
    total = 0.0
    for k in range(5, _STATE):
        total += abs(parent[k])
    a1, a2 = complex(parent[5], parent[6]), complex(parent[7], parent[8])
    a3, a4, a5 = complex(parent[9], parent[10]), complex(parent[11], parent[12]), complex(parent[13], parent[14])
    h = 1.0 / _PARTS
    for part in range(_PARTS**2):
        row = int(parent[_BROW]) + part // _PARTS * side
        col = int(parent[_BCOL]) + part % _PARTS * side
        if not _is_wanted(wanted, row, col, side):
            continue
        off_x = (part % _PARTS - 0.5 * (_PARTS - 1)) * side * frame.step_x
        off_y = (part // _PARTS - 0.5 * (_PARTS - 1)) * side * frame.step_y
        t = complex(off_x / rho, off_y / rho)
        b0 = t * (a1 + t * (a2 + t * (a3 + t * (a4 + t * a5))))
        b1 = h * (a1 + t * (2.0 * a2 + t * (3.0 * a3 + t * (4.0 * a4 + t * (5.0 * a5)))))
        b2 = h**2 * (a2 + t * (3.0 * a3 + t * (6.0 * a4 + t * (10.0 * a5))))
        b3 = h**3 * (a3 + t * (4.0 * a4 + t * (10.0 * a5)))
        b4 = h**4 * (a4 + t * (5.0 * a5))
        b5 = h**5 * a5
        w[X + active], w[X_LOW + active] = dd.add(parent[0], parent[1], b0.real, 0.0)
        w[Y + active], w[Y_LOW + active] = dd.add(parent[2], parent[3], b0.imag, 0.0)
        w[E + active] = parent[4] * (1.0 + 2.0**-40) + _SHIFT_ERROR * total
        w[A1X + active], w[A1Y + active], w[A2X + active], w[A2Y + active] = b1.real, b1.imag, b2.real, b2.imag
        w[A3X + active], w[A3Y + active], w[A4X + active], w[A4Y + active] = b3.real, b3.imag, b4.real, b4.imag
        w[A5X + active], w[A5Y + active] = b5.real, b5.imag
        w[SPREAD + active] = _spread(w, active)
        _place(w, active, row, col, side, parent[_BN0], frame)
        active += 1
    return active


@inner
def _is_apart(w, i, z_x, z_y, scale):
    """Return whether lane `i`, before its last step at Z, gained nothing by the reference."""
    x, y = scale * w[_OLD + X + i], scale * w[_OLD + Y + i]
    z2 = (z_x + x) ** 2 + (z_y + y) ** 2
    return 2.0 ** (2 * NEAR_ZERO) < z2 < APART * (x * x + y * y)


@inner
def _hand_over(w, i, m, exponent, side, rho, z_x, z_y, frame, wanted, u, pool, size):
    """Put the pixels of lane `i`, as it was before its last step, into `pool` as Z + dz; return the new size."""
    old = w[_OLD + i : 2 * _OLD : _ROW]
    total = 0.0
    for k in range(5, _STATE):
        total += abs(old[k])
    if z_x or z_y:
        scale = power(exponent)
        exponent = 0
    else:
        scale = 1.0
    a1, a2, a3 = complex(old[5], old[6]) * scale, complex(old[7], old[8]) * scale, complex(old[9], old[10]) * scale
    a4, a5 = complex(old[11], old[12]) * scale, complex(old[13], old[14]) * scale
    x, y = z_x + scale * old[0], z_y + scale * old[2]
    lost = _SHIFT_ERROR * total * scale + 2.0**-51 * (_norm(x, y) + _norm(z_x, z_y))
    r = (scale * old[4] + lost) * (1.0 + 2.0**-40)
    s = u * (r * r * (1.0 + 2.0**-40) + FLOOR)
    row, col = int(w[ROW + i]), int(w[COL + i])
    for k in range(row, min(row + side, wanted.shape[0])):
        ty = (k - row - side // 2) * frame.step_y / rho
        for j in range(col, min(col + side, wanted.shape[1])):
            if wanted[k, j]:
                t = complex((j - col - side // 2) * frame.step_x / rho, ty)
                p = t * (a1 + t * (a2 + t * (a3 + t * (a4 + t * a5))))
                pool[size, pixels.X], pool[size, pixels.Y], pool[size, pixels.S] = x + p.real, y + p.imag, s
                pool[size, pixels.APART], pool[size, pixels.EXPONENT] = APART, exponent
                pool[size, pixels.DONE], pool[size, pixels.M] = w[N0 + i] + m, 0.0
                pool[size, pixels.PIXEL] = k * wanted.shape[1] + j
                size += 1
    return size
