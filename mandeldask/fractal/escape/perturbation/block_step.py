"""A step of the polynomials of blocks, `block_model`, in double-double: Lemma 25.

Where their differences are small, products of two coefficients and the coefficients from the third on are in float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic import doubledouble as dd
from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inlined, inner
from mandeldask.fractal.escape.perturbation.block_model import (
    A1X,
    A1Y,
    A2X,
    A2Y,
    A3X,
    A3Y,
    A4X,
    A4Y,
    A5X,
    A5Y,
    DCX,
    DCX_LOW,
    DCY,
    DCY_LOW,
    DROPPED,
    L1X,
    L1Y,
    L2X,
    L2Y,
    L3X,
    L3Y,
    L4X,
    L4Y,
    L5X,
    L5Y,
    ROWS,
    SPREAD,
    X_LOW,
    Y_LOW,
    E,
    X,
    Y,
    norm,
)
from mandeldask.fractal.escape.perturbation.delta_step import FLOOR

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Floats

_DOUBLE_DOUBLE_ERROR: ErrorBound = 2.0**-98
"""Bound on the error of a double-double step, as in `delta_doubledouble`: of the middle, per (2 |2 Z + dz| + |Z|) |b_0|
and |dc|; of all coefficients, per (2 |Z + dz| + |Z|) R, R^2 and rho, where R is the sum of their moduli."""
_FLOAT64_ERROR: ErrorBound = 2.0**-50
"""Bound on the rounding error of products in float64: of two coefficients, per R^2, and of 2 z and those from the
third on, per product of the moduli."""
_NEAR = 2.0**32
"""Float64 is used where ``2^E R`` is at most this times `most` times |Z|, and the coefficients from the third on are at
most as small a part of R: so a step loses no more than 2^-17 of what it may drop."""

_STEP = ROWS.then(
    "DX DX_LOW DY DY_LOW P2X P2X_LOW P2Y P2Y_LOW P3X P3X_LOW P3Y P3Y_LOW "
    "P4X P4X_LOW P4Y P4Y_LOW P5X P5X_LOW P5Y P5Y_LOW"
)
STEP_SIZE = _STEP.size
"""Numbers in the workspace of `advance`."""
_DX, _DX_LOW, _DY, _DY_LOW = _STEP.rows("DX DX_LOW DY DY_LOW")
"""2 z."""
_P2X, _P2X_LOW, _P2Y, _P2Y_LOW, _P3X, _P3X_LOW, _P3Y, _P3Y_LOW = _STEP.offsets[64:72]
_P4X, _P4X_LOW, _P4Y, _P4Y_LOW, _P5X, _P5X_LOW, _P5Y, _P5Y_LOW = _STEP.offsets[72:]
"""Sums of products of two coefficients, in double-double."""


@inner
def advance(
    w: Floats,
    active: int,
    z_x: float,
    z_x_low: float,
    z_y: float,
    z_y_low: float,
    factor: float,
    dc_scale: float,
    rho: float,
    dc_most: float,
    most: float,
) -> None:
    """Do one step: z^2 + c as ``(2 Z + factor b) b + dc``; it may drop `most`, as `block_model.classify` has it.

    Coefficient k becomes ``2 z a_k + factor (a_1 a_(k-1) + ... + a_(k-1) a_1)``; the first of them has rho added.
    """
    modulus_z = np.hypot(z_x, z_y)
    near = _is_near(w, active, factor, _NEAR * most, modulus_z)
    rounding = _FLOAT64_ERROR if near else 0.0
    rho *= dc_scale
    for i in range(active):
        x, x_low, y, y_low, e = w[X + i], w[X_LOW + i], w[Y + i], w[Y_LOW + i], w[E + i]
        # |a_i| |a_j| with i + j > 5
        m1, m2, m3 = norm(w[A1X + i], w[A1Y + i]), norm(w[A2X + i], w[A2Y + i]), norm(w[A3X + i], w[A3Y + i])
        m4, m5 = norm(w[A4X + i], w[A4Y + i]), norm(w[A5X + i], w[A5Y + i])
        t4 = m5 + m4
        t3 = t4 + m3
        t2 = t3 + m2
        spread = t2 + m1
        dropped = factor * (m1 * m5 + m2 * t4 + m3 * t3 + m4 * t2 + m5 * spread)
        zx, zx_low = dd.add(z_x, z_x_low, factor * x, factor * x_low)
        zy, zy_low = dd.add(z_y, z_y_low, factor * y, factor * y_low)
        tx, tx_low = dd.add(zx, zx_low, z_x, z_x_low)
        ty, ty_low = dd.add(zy, zy_low, z_y, z_y_low)
        modulus = np.sqrt(zx * zx + zy * zy)
        slope = 2.0 * (modulus + factor * spread) + 2.0**-100 * modulus_z
        lost = (2.0 * norm(tx, ty) + modulus_z) * norm(x, y) + dc_most + (slope + modulus_z) * spread + rho
        lost = _DOUBLE_DOUBLE_ERROR * lost + rounding * (factor * spread * spread + slope * t3)
        w[E + i] = ((slope + factor * e) * e + dropped + lost) * (1.0 + 2.0**-40) + FLOOR
        w[DROPPED + i] = dropped
        w[_DX + i], w[_DX_LOW + i], w[_DY + i], w[_DY_LOW + i] = zx + zx, zx_low + zx_low, zy + zy, zy_low + zy_low
        w[X + i], w[X_LOW + i], w[Y + i], w[Y_LOW + i] = dd.multiply_add(
            tx, tx_low, ty, ty_low, x, x_low, y, y_low,
            dc_scale * w[DCX + i], dc_scale * w[DCX_LOW + i], dc_scale * w[DCY + i], dc_scale * w[DCY_LOW + i],
        )  # fmt: skip
    if near:
        _advance_near(w, active, factor)
    else:
        _advance_doubled(w, active, factor)
    for i in range(active):
        w[A1X + i], w[L1X + i], w[A1Y + i], w[L1Y + i] = dd.multiply_add(
            w[_DX + i], w[_DX_LOW + i], w[_DY + i], w[_DY_LOW + i],
            w[A1X + i], w[L1X + i], w[A1Y + i], w[L1Y + i], rho, 0.0, 0.0, 0.0,
        )  # fmt: skip
        low = norm(w[A1X + i], w[A1Y + i]) + norm(w[A2X + i], w[A2Y + i])
        high = norm(w[A3X + i], w[A3Y + i]) + norm(w[A4X + i], w[A4Y + i]) + norm(w[A5X + i], w[A5Y + i])
        w[SPREAD + i] = low + high


@inner
def _is_near(w: Floats, active: int, factor: float, share: float, modulus_z: float) -> bool:
    """Whether float64 is enough for the smaller terms of a step."""
    far = 0
    for i in range(active):
        spread = w[SPREAD + i]
        high = norm(w[A3X + i], w[A3Y + i]) + norm(w[A4X + i], w[A4Y + i]) + norm(w[A5X + i], w[A5Y + i])
        far += 0 if (factor * spread <= share * modulus_z) & (high <= share * spread) else 1
    return far == 0


@inner
def _advance_near(w: Floats, active: int, factor: float) -> None:
    """Advance the coefficients from the second on: products of two, and what the second does not take, in float64."""
    for i in range(active):
        a1x, a1y, a2x, a2y = w[A1X + i], w[A1Y + i], w[A2X + i], w[A2Y + i]
        a3x, a3y, a4x, a4y, a5x, a5y = w[A3X + i], w[A3Y + i], w[A4X + i], w[A4Y + i], w[A5X + i], w[A5Y + i]
        f1x, f1y, f2x, f2y = 2.0 * factor * a1x, 2.0 * factor * a1y, 2.0 * factor * a2x, 2.0 * factor * a2y
        dx, dy = w[_DX + i], w[_DY + i]
        w[A5X + i] = (dx * a5x - dy * a5y) + ((f1x * a4x - f1y * a4y) + (f2x * a3x - f2y * a3y))
        w[A5Y + i] = (dx * a5y + dy * a5x) + ((f1x * a4y + f1y * a4x) + (f2x * a3y + f2y * a3x))
        w[A4X + i] = (dx * a4x - dy * a4y) + ((f1x * a3x - f1y * a3y) + 0.5 * (f2x * a2x - f2y * a2y))
        w[A4Y + i] = (dx * a4y + dy * a4x) + ((f1x * a3y + f1y * a3x) + f2x * a2y)
        w[A3X + i] = (dx * a3x - dy * a3y) + (f1x * a2x - f1y * a2y)
        w[A3Y + i] = (dx * a3y + dy * a3x) + (f1x * a2y + f1y * a2x)
        w[L3X + i] = w[L3Y + i] = w[L4X + i] = w[L4Y + i] = w[L5X + i] = w[L5Y + i] = 0.0
        w[_P2X + i], w[_P2X_LOW + i], w[_P2Y + i], w[_P2Y_LOW + i] = 0.5 * (f1x * a1x - f1y * a1y), 0.0, f1x * a1y, 0.0
    _advance_one(w, active, A2X, A2Y, L2X, L2Y, _P2X, _P2X_LOW, _P2Y, _P2Y_LOW)


@inner
def _advance_doubled(w: Floats, active: int, factor: float) -> None:
    """Advance the coefficients from the second on in double-double."""
    for i in range(active):
        a1x, a1y, a2x, a2y, a3x, a3y = w[A1X + i], w[A1Y + i], w[A2X + i], w[A2Y + i], w[A3X + i], w[A3Y + i]
        l1x, l1y, l2x, l2y, l3x, l3y = w[L1X + i], w[L1Y + i], w[L2X + i], w[L2Y + i], w[L3X + i], w[L3Y + i]
        f1x, f1y, f1x_low, f1y_low = factor * a1x, factor * a1y, factor * l1x, factor * l1y
        f2x, f2y, f2x_low, f2y_low = factor * a2x, factor * a2y, factor * l2x, factor * l2y
        s1x, s1y, s1x_low, s1y_low = f1x + f1x, f1y + f1y, f1x_low + f1x_low, f1y_low + f1y_low
        s2x, s2y, s2x_low, s2y_low = f2x + f2x, f2y + f2y, f2x_low + f2x_low, f2y_low + f2y_low
        w[_P2X + i], w[_P2X_LOW + i], w[_P2Y + i], w[_P2Y_LOW + i] = dd.multiply_add(
            f1x, f1x_low, f1y, f1y_low, a1x, l1x, a1y, l1y, 0.0, 0.0, 0.0, 0.0
        )
        w[_P3X + i], w[_P3X_LOW + i], w[_P3Y + i], w[_P3Y_LOW + i] = dd.multiply_add(
            s1x, s1x_low, s1y, s1y_low, a2x, l2x, a2y, l2y, 0.0, 0.0, 0.0, 0.0
        )
        px, px_low, py, py_low = dd.multiply_add(f2x, f2x_low, f2y, f2y_low, a2x, l2x, a2y, l2y, 0.0, 0.0, 0.0, 0.0)
        w[_P4X + i], w[_P4X_LOW + i], w[_P4Y + i], w[_P4Y_LOW + i] = dd.multiply_add(
            s1x, s1x_low, s1y, s1y_low, a3x, l3x, a3y, l3y, px, px_low, py, py_low
        )
        px, px_low, py, py_low = dd.multiply_add(s2x, s2x_low, s2y, s2y_low, a3x, l3x, a3y, l3y, 0.0, 0.0, 0.0, 0.0)
        w[_P5X + i], w[_P5X_LOW + i], w[_P5Y + i], w[_P5Y_LOW + i] = dd.multiply_add(
            s1x, s1x_low, s1y, s1y_low, w[A4X + i], w[L4X + i], w[A4Y + i], w[L4Y + i], px, px_low, py, py_low
        )
    _advance_one(w, active, A2X, A2Y, L2X, L2Y, _P2X, _P2X_LOW, _P2Y, _P2Y_LOW)
    _advance_one(w, active, A3X, A3Y, L3X, L3Y, _P3X, _P3X_LOW, _P3Y, _P3Y_LOW)
    _advance_one(w, active, A4X, A4Y, L4X, L4Y, _P4X, _P4X_LOW, _P4Y, _P4Y_LOW)
    _advance_one(w, active, A5X, A5Y, L5X, L5Y, _P5X, _P5X_LOW, _P5Y, _P5Y_LOW)


@inlined
def _advance_one(
    w: Floats, active: int, x: int, y: int, x_low: int, y_low: int, px: int, px_low: int, py: int, py_low: int
) -> None:
    """Advance the coefficient in rows `x` and `y`, with their low parts: 2 z a + p."""
    for i in range(active):
        w[x + i], w[x_low + i], w[y + i], w[y_low + i] = dd.multiply_add(
            w[_DX + i], w[_DX_LOW + i], w[_DY + i], w[_DY_LOW + i],
            w[x + i], w[x_low + i], w[y + i], w[y_low + i],
            w[px + i], w[px_low + i], w[py + i], w[py_low + i],
        )  # fmt: skip
