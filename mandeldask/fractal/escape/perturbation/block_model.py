"""Series approximation at any depth: iterates of blocks of pixels as polynomials in c around a reference orbit.

On the disc ``c = c_0 + rho t`` of a block, ``z_n = Z_m + 2^E (b_0 + a_1 t + ... + a_5 t^5)`` up to 2^E times an error.
Sixteen blocks that share m and E advance together (`block_step`), each in a lane of a workspace: Lemma 25.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic import doubledouble as dd
from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inlined, inner
from mandeldask.fractal.escape.arithmetic.layout import Layout
from mandeldask.fractal.escape.arithmetic.power_of_two import power
from mandeldask.fractal.escape.perturbation.delta_step import NEAR_ZERO, PLAIN_RATIO

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Floats

MOST_DROPPED = 2.0**-46
"""Largest sum beyond degree 5 that a step may drop, per sum of the coefficients: far below the size of a pixel."""
MOST_DROPPED_DOUBLE_DOUBLE = 2.0**-80
"""The same for pixels that begin in double-double there."""
VALUE_ERROR: ErrorBound = 2.0**-46
"""Bound on the rounding error of evaluating a polynomial in float64, per sum of the coefficients."""
SHIFT_ERROR: ErrorBound = 2.0**-93
"""Bound on the rounding error of evaluating it, or moving its middle, in double-double."""
_REBASE_ERROR: ErrorBound = 2.0**-100
"""Bound on the error of adding to dz in double-double, that of Z included, per sum of the moduli."""
_ALL_INSIDE = 2.0 - 2.0**-30
"""All pixels of a block stay below this."""
_ALL_OUTSIDE = 2.0 + 2.0**-30
"""A block whose pixels all are past this has left."""

LANES = 16
_ROW = LANES + 4
STATE = Layout.of(
    "X X_LOW Y Y_LOW E L1X L1Y L2X L2Y L3X L3Y L4X L4Y L5X L5Y A1X A1Y A2X A2Y A3X A3Y A4X A4Y A5X A5Y",
    _ROW,
)
X, X_LOW, Y, Y_LOW, E = STATE.offsets[:5]
L1X, L1Y, L2X, L2Y, L3X, L3Y, L4X, L4Y, L5X, L5Y = STATE.offsets[5:15]
A1X, A1Y, A2X, A2Y, A3X, A3Y, A4X, A4Y, A5X, A5Y = STATE.offsets[15:]
"""Rows that a step changes: the middle, the error, and the low and the high parts of the coefficients."""
_STATE = len(STATE.names)
OLD = STATE.size
"""Offset from a row to its backup from before the last step."""
ROWS = STATE.then(" ".join(f"OLD_{name}" for name in STATE.names)).then(
    "DCX DCX_LOW DCY DCY_LOW N0 ROW COL SPREAD DROPPED OUTCOME"
)
DCX, DCX_LOW, DCY, DCY_LOW, N0, ROW, COL, SPREAD, DROPPED, OUTCOME = ROWS.offsets[50:]
"""dc, the iterations done at m = 0, the place of the block, a bound on |dz - b_0|, a bound on the terms that the last
step dropped, and the verdict on the block."""
STRIDE = _ROW
"""From a row to the next."""
SIZE = ROWS.size
CONTINUES, STOPS, REBASES, REACHES_MAXITER, ESCAPES = 0.0, 1.0, 2.0, 3.0, 4.0
"""Verdicts on a block; REACHES_MAXITER: it reaches maxiter inside."""

RECORDS = Layout(tuple(f"KEPT_{name}" for name in STATE.names), 1).then("BROW BCOL BSIDE BN0 BM BEXPONENT")
BROW, BCOL, BSIDE, BN0, BM, BEXPONENT = RECORDS.offsets[25:]
"""The record of a block that waits: its state and its place."""
RECORD = RECORDS.size


@inlined
def norm(x: float, y: float) -> float:
    """Return |x| + |y|, a bound on a modulus."""
    return abs(x) + abs(y)


@inner
def largest(w: Floats, active: int) -> float:
    """Return a bound on |dz|, in units."""
    most = 0.0
    for i in range(active):
        most = max(most, abs(w[X + i]) + abs(w[Y + i]) + w[SPREAD + i] + w[E + i])
    return most


@inner
def rescale(w: Floats, active: int, factor: float) -> None:
    """Multiply lanes by a power of two, so that they neither overflow nor underflow."""
    for row in range(0, OLD, _ROW):
        for i in range(active):
            w[row + i] *= factor
    for i in range(active):
        w[SPREAD + i] *= factor


@inner
def back_up(w: Floats, active: int) -> None:
    """Back up lanes before a step."""
    for row in range(0, OLD, _ROW):
        for i in range(active):
            w[OLD + row + i] = w[row + i]


@inner
def replace(w: Floats, i: int, last: int) -> None:
    """Move lane `last` to slot `i`."""
    for row in range(0, SIZE, _ROW):
        w[row + i] = w[row + last]


@inner
def classify(w: Floats, active: int, z_x: float, z_y: float, scale: float, at_end: bool, left: int, most: float) -> int:
    """Write the verdict on each lane at Z, `left` iterations before maxiter, to OUTCOME; return how many go on.

    A step may drop `most` per sum of the coefficients.
    """
    going = 0
    for i in range(active):
        x, y, spread = scale * w[X + i], scale * w[Y + i], w[SPREAD + i]
        modulus = np.sqrt((z_x + x) * (z_x + x) + (z_y + y) * (z_y + y))
        reach = scale * (spread + w[E + i])
        fits = (w[DROPPED + i] <= most * spread) & (modulus + reach < _ALL_INSIDE)
        stays = (modulus * modulus >= x * x + y * y) & (not at_end)
        reaches_maxiter = w[N0 + i] >= left
        inside = REACHES_MAXITER if reaches_maxiter else (CONTINUES if stays else REBASES)
        w[OUTCOME + i] = inside if fits else (ESCAPES if modulus - reach > _ALL_OUTSIDE else STOPS)
        going += 1 if fits & stays & (not reaches_maxiter) else 0
    return going


@inner
def store(w: Floats, i: int, m: int, exponent: int, side: int, record: Floats) -> None:
    """Write lane `i`, rolled back by one step, into `record`."""
    for row in range(_STATE):
        record[row] = w[OLD + row * _ROW + i]
    record[BROW], record[BCOL], record[BSIDE] = w[ROW + i], w[COL + i], side
    record[BN0], record[BM], record[BEXPONENT] = w[N0 + i], m, exponent


@inner
def load(w: Floats, i: int, record: Floats, factor: float) -> None:
    """Load the state in `record`, times a power of two, into lane `i`."""
    for k in range(_STATE):
        w[k * _ROW + i] = record[k] * factor
    w[SPREAD + i] = _spread(record) * factor


@inner
def _spread(record: Floats) -> float:
    """Return the sum of the parts of the coefficients in a record."""
    total = 0.0
    for k in range(_STATE - 10, _STATE):
        total += abs(record[k])
    return total


@inner
def spread_before(w: Floats, i: int) -> float:
    """Return the same sum for lane `i` before its last step."""
    total = 0.0
    for row in range(OLD + A1X, 2 * OLD, _ROW):
        total += abs(w[row + i])
    return total


@inner
def rebase(
    w: Floats, i: int, m: int, exponent: int, side: int, z_x: float, z_x_low: float, z_y: float, z_y_low: float,
    error: float, record: Floats,
) -> None:  # fmt: skip
    """Write lane `i`, now at Z_m, into `record` with dz = Z + dz."""
    scale = power(exponent)
    x, x_low = dd.add(z_x, z_x_low, scale * w[X + i], scale * w[X_LOW + i])
    y, y_low = dd.add(z_y, z_y_low, scale * w[Y + i], scale * w[Y_LOW + i])
    lost = error + _REBASE_ERROR * (norm(z_x, z_y) + scale * norm(w[X + i], w[Y + i]))
    shift = math.frexp(max(norm(x, y), scale * w[SPREAD + i]))[1]
    factor = power(-shift)
    record[0], record[1], record[2], record[3] = x * factor, x_low * factor, y * factor, y_low * factor
    record[4] = (scale * w[E + i] + lost) * (1.0 + 2.0**-40) * factor
    for row in range(5, _STATE):
        record[row] = w[row * _ROW + i] * scale * factor
    record[BROW], record[BCOL], record[BSIDE] = w[ROW + i], w[COL + i], side
    record[BN0], record[BM], record[BEXPONENT] = w[N0 + i] + m, 0, shift


@inner
def shift(w: Floats, i: int, tx: float, tx_low: float, ty: float, ty_low: float, shrink: float) -> None:
    """Set lane `i` to the part of its disc with the middle at t = tx + i ty, `shrink` times as large."""
    lost = SHIFT_ERROR * w[SPREAD + i] + _REBASE_ERROR * (norm(w[X + i], w[Y + i]) + w[SPREAD + i])
    w[E + i] = (w[E + i] + lost) * (1.0 + 2.0**-40)
    x, x_low, y, y_low = value_in_double_double(w, 0, i, tx, tx_low, ty, ty_low)
    w[X + i], w[X_LOW + i] = dd.add(w[X + i], w[X_LOW + i], x, x_low)
    w[Y + i], w[Y_LOW + i] = dd.add(w[Y + i], w[Y_LOW + i], y, y_low)
    for derivative in range(5):  # by Horner's scheme, which gives one after another
        for k in range(4, max(derivative, 1) - 1, -1):
            at = (k - 1) * 2 * _ROW + i
            high, low, next_high, next_low = A1X + at, L1X + at, A1X + at + 2 * _ROW, L1X + at + 2 * _ROW
            w[high], w[low], w[high + _ROW], w[low + _ROW] = dd.multiply_add(
                tx, tx_low, ty, ty_low,
                w[next_high], w[next_low], w[next_high + _ROW], w[next_low + _ROW],
                w[high], w[low], w[high + _ROW], w[low + _ROW],
            )  # fmt: skip
    factor, spread = shrink, 0.0
    for at in range(i, OLD - A1X, 2 * _ROW):
        for row in (A1X + at, A1X + at + _ROW, L1X + at, L1X + at + _ROW):
            w[row] *= factor
        spread += norm(w[A1X + at], w[A1X + at + _ROW])
        factor *= shrink
    w[SPREAD + i] = spread


@inner
def value_in_double_double(
    w: Floats, before: int, i: int, tx: float, tx_low: float, ty: float, ty_low: float
) -> tuple[float, float, float, float]:
    """Return ``a_1 t + ... + a_5 t^5`` of lane `i` in double-double; `before` is `OLD` for the model before a step."""
    last = before + 8 * _ROW + i
    x, x_low, y, y_low = w[A1X + last], w[L1X + last], w[A1X + last + _ROW], w[L1X + last + _ROW]
    for k in range(3, -1, -1):
        at = before + k * 2 * _ROW + i
        x, x_low, y, y_low = dd.multiply_add(
            tx, tx_low, ty, ty_low, x, x_low, y, y_low, w[A1X + at], w[L1X + at], w[A1X + at + _ROW], w[L1X + at + _ROW]
        )
    return dd.multiply_add(tx, tx_low, ty, ty_low, x, x_low, y, y_low, 0.0, 0.0, 0.0, 0.0)


@inner
def value(w: Floats, first: int, i: int, tx: float, ty: float) -> tuple[float, float]:
    """Return ``a_1 t + ... + a_5 t^5`` of lane `i` at t = tx + i ty, where a_1 is in row `first`."""
    x = y = 0.0
    for row in range(first + 8 * _ROW, first - 1, -2 * _ROW):
        x, y = x + w[row + i], y + w[row + _ROW + i]
        x, y = tx * x - ty * y, tx * y + ty * x
    return x, y


@inner
def slope(w: Floats, first: int, i: int, tx: float, ty: float) -> tuple[float, float]:
    """Return ``a_1 + 2 a_2 t + ... + 5 a_5 t^4`` of lane `i` at t = tx + i ty, where a_1 is in row `first`."""
    x, y = 5.0 * w[first + 8 * _ROW + i], 5.0 * w[first + 9 * _ROW + i]
    for k in range(4, 0, -1):
        x, y = tx * x - ty * y, tx * y + ty * x
        row = first + (k - 1) * 2 * _ROW + i
        x, y = x + k * w[row], y + k * w[row + _ROW]
    return x, y


@inner
def has_left_reference(w: Floats, i: int, z_x: float, z_y: float, scale: float) -> bool:
    """Return whether lane `i`, before its last step at Z, no longer gained by the reference."""
    x, y = scale * w[OLD + X + i], scale * w[OLD + Y + i]
    z2 = (z_x + x) ** 2 + (z_y + y) ** 2
    return 2.0 ** (2 * NEAR_ZERO) < z2 < PLAIN_RATIO * (x * x + y * y)
