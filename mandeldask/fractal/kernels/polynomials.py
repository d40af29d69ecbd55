"""The iterates that blocks of pixels have in common, at any depth: polynomials in c around a reference orbit.

On the disc ``c = c_0 + rho t`` of a block, ``z_n = Z_m + 2^E (b_0 + a_1 t + ... + a_5 t^5)`` up to 2^E times an error.
Sixteen blocks that share m and E advance together. A block whose polynomial no longer fits is cut into sixteen; one
that must be rebased goes on at m = 0; the smallest hand their pixels over, each at an iterate of its own, with a bound
on its error: docs/explanation/exactness.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mandeldask.fractal.kernels import doubledouble as dd
from mandeldask.fractal.kernels import pixels
from mandeldask.fractal.kernels.compiled import inlined, inner, kernel
from mandeldask.fractal.kernels.delta import APART, FLOOR, NEAR_ZERO
from mandeldask.fractal.kernels.exponents import power
from mandeldask.fractal.kernels.workspaces import workspace
from mandeldask.fractal.reference import TINY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.kernels.pixels import Orbit

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
_GOES_ON, _ENDS, _REBASES, _LASTS, _LEAVES = 0.0, 1.0, 2.0, 3.0, 4.0

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


def hand_over(
    orbit: Orbit,
    frame: Frame,
    wanted: NDArray[np.bool_],
    maxiter: int,
    u: float,
    pool: NDArray[np.float64],
    later: NDArray[np.float64],
    whole: NDArray[np.int64],
    flag: NDArray[np.uint8],
) -> tuple[int, int]:
    """Write every wanted pixel where its block's polynomial ends: into `whole`, `later` or `pool`.

    Into `later`, as ``dz = z`` at m = 0, go those that have left the reference; into `pool` those still close to it.

    Parameters
    ----------
    wanted : bool, shape (height, width)
        Which pixels of the tile are.
    u : float
        ``S / r^2`` in `pool`.
    whole
        As `Answers` has it.

    Returns
    -------
    int, int
        The numbers of pixels in `pool`, block after block, and in `later`.
    """
    rows, cols = wanted.shape
    side = side_for(wanted.shape)
    capacity = (rows // SIDE + 1) * (cols // SIDE + 1) + 1
    cut, rebased = np.zeros((2, capacity, _RECORD))
    corners = [
        (row, col)
        for row in range(0, rows, side)
        for col in range(0, cols, side)
        if wanted[row : row + side, col : col + side].any()
    ]
    for record, (row, col) in zip(rebased, corners, strict=False):
        record[_BROW], record[_BCOL], record[_BSIDE], record[_BEXPONENT] = row, col, side, frame.exponent
    sizes: tuple[int, int] = _advance_all(
        workspace(_SIZE), cut, rebased, len(corners), orbit, frame, wanted, maxiter, u, pool, later, whole, flag
    )
    return sizes


def side_for(shape: tuple[int, int]) -> int:
    """Return the side of the blocks to begin with: the smallest that covers `shape`, or the largest."""
    side = SIDE
    while side < min(max(shape), _LARGEST):
        side *= _PARTS
    return side


@kernel
def _advance_all(w, cut, rebased, rebases, orbit, frame, wanted, maxiter, u, pool, later, whole, flag):
    """Advance the blocks in `rebased` until each is cut, rebased, handed over or answered; `hand_over` says the rest.

    Returns the numbers of pixels in `pool` and in `later`.
    """
    orbit_x, orbit_y, low_x, low_y = orbit.x, orbit.y, orbit.x_low, orbit.y_low
    last = orbit_x.size - 1
    cuts = size = waiting = 0
    while (cuts or rebases) and not flag[0]:
        if cuts:
            cuts -= 1
            m, exponent = int(cut[cuts, _BM]), int(cut[cuts, _BEXPONENT])
            side = int(cut[cuts, _BSIDE]) // _PARTS
            rho = _radius(frame, side)
            active = _load_parts(w, cut[cuts], side, rho * _PARTS, wanted, frame)
        else:
            m, exponent = 0, int(rebased[rebases - 1, _BEXPONENT])
            side = int(rebased[rebases - 1, _BSIDE])
            rho = _radius(frame, side)
            active = _load_rebased(w, rebased, rebases, exponent, side, frame)
            rebases -= active
        while active and not flag[0]:
            most = _largest(w, active)
            if not (2.0**-40 <= most <= 2.0**40 or most == 0.0):
                shift = max(math.frexp(most)[1], frame.exponent - exponent - 60)
                _rescale(w, active, power(-shift))
                exponent, most = exponent + shift, most * power(-shift)
            z_x, z_y = orbit_x[m], orbit_y[m]
            after, factor = exponent, power(exponent) if exponent > _DEEP else 0.0
            deep = exponent < _TINY and max(abs(z_x), abs(z_y)) < TINY
            if deep:  # dz^2 is all there is: it and dc choose the exponent
                after = max(frame.exponent, 2 * exponent + 2 * math.frexp(most)[1])
                factor = power(2 * exponent - after)
            for i in range(_OLD):
                w[_OLD + i] = w[i]
            dc_scale = power(frame.exponent - after)
            at_end = m + 1 == last
            lost = at_end and after < _DEEP and max(abs(orbit_x[last]), abs(orbit_y[last])) < TINY  # in float64
            going = 0
            if m == last or (deep and m > 0) or lost:
                for i in range(active):
                    w[WHAT + i] = _ENDS
            else:
                _advance(w, active, z_x, low_x[m], z_y, low_y[m], factor, dc_scale, rho, frame.most * dc_scale)
                going = _look(w, active, orbit_x[m + 1], orbit_y[m + 1], power(after), at_end, maxiter - (m + 1))
            if going < active:
                for i in range(active - 1, -1, -1):
                    what = w[WHAT + i]
                    if what == _GOES_ON:
                        continue
                    if what == _LEAVES or what == _LASTS:  # noqa: PLR1714, SIM109  a tuple would have to be compiled
                        _answer(w, i, side, wanted, w[N0 + i] + m if what == _LEAVES else maxiter, whole)
                    elif what == _REBASES:
                        error = orbit.error * power(orbit.error_exponent) if at_end else 0.0
                        _rebase(
                            w, i, m + 1, after, side, orbit_x[m + 1], low_x[m + 1], orbit_y[m + 1], low_y[m + 1], error,
                            rebased[rebases],
                        )  # fmt: skip
                        rebases += 1
                    elif side > SIDE:
                        _keep(w, i, m, exponent, side, cut[cuts])
                        cuts += 1
                    elif _is_apart(w, i, z_x, z_y, power(exponent)):
                        w[N0 + i] += m
                        waiting = _hand_over(w, i, 0, exponent, side, rho, z_x, z_y, frame, wanted, u, later, waiting)
                    else:
                        size = _hand_over(w, i, m, exponent, side, rho, 0.0, 0.0, frame, wanted, u, pool, size)
                    active -= 1
                    for row in range(0, _SIZE, _ROW):
                        w[row + i] = w[row + active]
            exponent = after
            m += 1
    return size, waiting


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
def _rescale(w, active, factor):
    """Multiply lanes by a power of two: they are kept far from where float64 ends."""
    for row in range(0, _OLD, _ROW):
        for i in range(active):
            w[row + i] *= factor
    for i in range(active):
        w[SPREAD + i] *= factor


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
        # |a_i| |a_j| with i + j > 5
        m1, m2, m3, m4, m5 = _norm(a1x, a1y), _norm(a2x, a2y), _norm(a3x, a3y), _norm(a4x, a4y), _norm(a5x, a5y)
        t4 = m5 + m4
        t3 = t4 + m3
        t2 = t3 + m2
        spread = t2 + m1
        dropped = factor * (m1 * m5 + m2 * t4 + m3 * t3 + m4 * t2 + m5 * spread)
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
        dx, dy, f1x, f1y, f2x, f2y = zx + zx, zy + zy, factor * a1x, factor * a1y, factor * a2x, factor * a2y
        s1x, s1y, s2x, s2y = f1x + f1x, f1y + f1y, f2x + f2x, f2y + f2y
        b1x, b1y = dx * a1x - dy * a1y + rho, dx * a1y + dy * a1x
        b2x, b2y = dx * a2x - dy * a2y + (f1x * a1x - f1y * a1y), dx * a2y + dy * a2x + s1x * a1y
        b3x, b3y = dx * a3x - dy * a3y + (s1x * a2x - s1y * a2y), dx * a3y + dy * a3x + (s1x * a2y + s1y * a2x)
        b4x = dx * a4x - dy * a4y + ((s1x * a3x - s1y * a3y) + (f2x * a2x - f2y * a2y))
        b4y = dx * a4y + dy * a4x + ((s1x * a3y + s1y * a3x) + s2x * a2y)
        b5x = dx * a5x - dy * a5y + ((s1x * a4x - s1y * a4y) + (s2x * a3x - s2y * a3y))
        b5y = dx * a5y + dy * a5x + ((s1x * a4y + s1y * a4x) + (s2x * a3y + s2y * a3x))
        w[A1X + i], w[A1Y + i], w[A2X + i], w[A2Y + i], w[A3X + i], w[A3Y + i] = b1x, b1y, b2x, b2y, b3x, b3y
        w[A4X + i], w[A4Y + i], w[A5X + i], w[A5Y + i], w[DROPPED + i] = b4x, b4y, b5x, b5y, dropped
        w[SPREAD + i] = _norm(b1x, b1y) + _norm(b2x, b2y) + _norm(b3x, b3y) + _norm(b4x, b4y) + _norm(b5x, b5y)
        xx, xx_low = dd.multiply(tx, tx_low, x, x_low)
        yy, yy_low = dd.multiply(ty, ty_low, y, y_low)
        xy, xy_low = dd.multiply(tx, tx_low, y, y_low)
        yx, yx_low = dd.multiply(ty, ty_low, x, x_low)
        xx, xx_low = dd.add(xx, xx_low, -yy, -yy_low)
        xy, xy_low = dd.add(xy, xy_low, yx, yx_low)
        w[X + i], w[X_LOW + i] = dd.add(xx, xx_low, dc_scale * w[DCX + i], dc_scale * w[DCX_LOW + i])
        w[Y + i], w[Y_LOW + i] = dd.add(xy, xy_low, dc_scale * w[DCY + i], dc_scale * w[DCY_LOW + i])


@inner
def _look(w, active, z_x, z_y, scale, at_end, left):
    """Write to WHAT what becomes of each lane at Z, `left` iterations before maxiter; return how many go on."""
    going = 0
    for i in range(active):
        x, y, spread = scale * w[X + i], scale * w[Y + i], w[SPREAD + i]
        modulus = np.sqrt((z_x + x) * (z_x + x) + (z_y + y) * (z_y + y))
        reach = scale * (spread + w[E + i])
        fits = (w[DROPPED + i] <= _FITS * spread) & (modulus + reach < _CIRCLE)
        stays = (modulus * modulus >= x * x + y * y) & (not at_end)
        lasts = w[N0 + i] >= left
        inside = _LASTS if lasts else (_GOES_ON if stays else _REBASES)
        w[WHAT + i] = inside if fits else (_LEAVES if modulus - reach > _OUT else _ENDS)
        going += 1 if fits & stays & (not lasts) else 0
    return going


@inner
def _answer(w, i, side, wanted, count, whole):
    """Answer the pixels of a lane, which share a count."""
    row, col = int(w[ROW + i]), int(w[COL + i])
    for k in range(row, min(row + side, wanted.shape[0])):
        for j in range(col, min(col + side, wanted.shape[1])):
            if wanted[k, j]:
                pixel = k * wanted.shape[1] + j
                whole[0, pixel], whole[1, pixel] = count, True


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
def _load_rebased(w, waiting, size, exponent, side, frame):
    """Take up to `LANES` blocks of one side and similar exponents from the end of `waiting`; return how many."""
    active = 0
    while active < size and active < LANES:
        record = waiting[size - 1 - active]
        if record[_BSIDE] != side or abs(record[_BEXPONENT] - exponent) > 30:
            break
        factor = power(int(record[_BEXPONENT]) - exponent)
        for k in range(_STATE):
            w[k * _ROW + active] = record[k] * factor
        w[SPREAD + active] = _spread(record) * factor
        _place(w, active, int(record[_BROW]), int(record[_BCOL]), side, record[_BN0], frame)
        active += 1
    return active


@inner
def _spread(record):
    """Return the sum of the coefficients' parts."""
    total = 0.0
    for k in range(_STATE - 10, _STATE):
        total += abs(record[k])
    return total


@inner
def _load_parts(w, parent, side, rho, wanted, frame):
    """Cut `parent`, of radius `rho`, into blocks of `side`, and load those with wanted pixels; return how many."""
    active, error = 0, _SHIFT_ERROR * _spread(parent)
    for part in range(_PARTS**2):
        row = int(parent[_BROW]) + part // _PARTS * side
        col = int(parent[_BCOL]) + part % _PARTS * side
        if not _is_wanted(wanted, row, col, side):
            continue
        for k in range(_STATE):
            w[k * _ROW + active] = parent[k]
        w[E + active] = parent[4] * (1.0 + 2.0**-40) + error
        off_x, off_y = part % _PARTS - 0.5 * (_PARTS - 1), part // _PARTS - 0.5 * (_PARTS - 1)
        _shift(w, active, off_x * side * frame.step_x / rho, off_y * side * frame.step_y / rho)
        _place(w, active, row, col, side, parent[_BN0], frame)
        active += 1
    return active


@inner
def _shift(w, i, tx, ty):
    """Move the middle of lane `i` to t = tx + i ty, and let its radius be that of a part."""
    x, y = _value(w, A1X, i, tx, ty)
    w[X + i], w[X_LOW + i] = dd.add(w[X + i], w[X_LOW + i], x, 0.0)
    w[Y + i], w[Y_LOW + i] = dd.add(w[Y + i], w[Y_LOW + i], y, 0.0)
    for derivative in range(5):  # by Horner's scheme, which tells one after another
        for k in range(4, max(derivative, 1) - 1, -1):
            row = A1X + (k - 1) * 2 * _ROW + i
            x, y = w[row + 2 * _ROW], w[row + 3 * _ROW]
            w[row] += tx * x - ty * y
            w[row + _ROW] += tx * y + ty * x
    factor, spread = 1.0 / _PARTS, 0.0
    for row in range(A1X, _OLD, 2 * _ROW):
        w[row + i] *= factor
        w[row + _ROW + i] *= factor
        spread += _norm(w[row + i], w[row + _ROW + i])
        factor /= _PARTS
    w[SPREAD + i] = spread


@inner
def _value(w, first, i, tx, ty):
    """Return ``a_1 t + ... + a_5 t^5`` of lane `i` at t = tx + i ty, where a_1 is in row `first`."""
    x = y = 0.0
    for row in range(first + 8 * _ROW, first - 1, -2 * _ROW):
        x, y = x + w[row + i], y + w[row + _ROW + i]
        x, y = tx * x - ty * y, tx * y + ty * x
    return x, y


@inner
def _is_wanted(wanted, row, col, side):
    """Return whether the block has wanted pixels."""
    for i in range(row, min(row + side, wanted.shape[0])):
        for j in range(col, min(col + side, wanted.shape[1])):
            if wanted[i, j]:
                return True
    return False


@inner
def _is_apart(w, i, z_x, z_y, scale):
    """Return whether lane `i`, before its last step at Z, gained nothing by the reference."""
    x, y = scale * w[_OLD + X + i], scale * w[_OLD + Y + i]
    z2 = (z_x + x) ** 2 + (z_y + y) ** 2
    return 2.0 ** (2 * NEAR_ZERO) < z2 < APART * (x * x + y * y)


@inner
def _hand_over(w, i, m, exponent, side, rho, z_x, z_y, frame, wanted, u, pool, size):
    """Put the pixels of lane `i`, as it was before its last step, into `pool` as Z + dz at m; return the new size."""
    scale, spread = 1.0, 0.0
    if z_x or z_y:
        scale, exponent = power(exponent), 0
    for row in range(_OLD + A1X, 2 * _OLD, _ROW):
        spread += abs(w[row + i])
    x, y = z_x + scale * w[_OLD + X + i], z_y + scale * w[_OLD + Y + i]
    lost = _SHIFT_ERROR * spread * scale + 2.0**-51 * (_norm(x, y) + _norm(z_x, z_y))
    r = (scale * w[_OLD + E + i] + lost) * (1.0 + 2.0**-40)
    s = u * (r * r * (1.0 + 2.0**-40) + FLOOR)
    row, col, step_x, step_y = int(w[ROW + i]), int(w[COL + i]), frame.step_x / rho, frame.step_y / rho
    for k in range(row, min(row + side, wanted.shape[0])):
        for j in range(col, min(col + side, wanted.shape[1])):
            if wanted[k, j]:
                t_x, t_y = _value(w, _OLD + A1X, i, (j - col - side // 2) * step_x, (k - row - side // 2) * step_y)
                pool[size, pixels.X], pool[size, pixels.Y] = x + scale * t_x, y + scale * t_y
                pool[size, pixels.S], pool[size, pixels.APART], pool[size, pixels.EXPONENT] = s, APART, exponent
                pool[size, pixels.DONE], pool[size, pixels.M] = w[N0 + i], m
                pool[size, pixels.PIXEL] = k * wanted.shape[1] + j
                size += 1
    return size
