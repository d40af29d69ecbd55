"""Proofs that orbits never escape: a disc that returns into itself holds an attracting cycle.

If f_c^p maps a closed disc B into its interior, B holds a fixed point of f_c^p that attracts B (Schwarz), and an
attracting cycle draws in the critical point 0 (Fatou): the orbit of 0 is bounded, so c is in the Mandelbrot set and its
count is `maxiter`, for any `maxiter`. Ball arithmetic proves the inclusion for every c of a disc at once; how B is
found (nearest returns, Newton's method) needs no proof.
"""

from __future__ import annotations

import numpy as np

from mandeldask.fractal.escape.arithmetic.ball import OUTWARD, ROUNDING, modulus_of, widened
from mandeldask.fractal.escape.arithmetic.jit import inner

_NEWTON_STEPS = 12
"""Most steps of Newton's method; from an orbit near its cycle it converges in 3 to 6."""


@inner
def attracting_period(cx: float, cy: float, rho: float, x: float, y: float, period: int) -> int:
    """Return the period of the attracting cycle proven for every c within `rho`, or 0 if that fails.

    Parameters
    ----------
    cx, cy, rho : float
        Disc of c, rounding of its middle included in `rho`.
    x, y : float
        A point near the cycle.
    period : int
        A multiple of its period. The result is the least period; this is proven too.
    """
    if not modulus_of(cx, cy) < 2.5:
        return 0
    x, y, converged = periodic_point(cx, cy, x, y, period)
    if not converged:
        return 0
    period = _least_period(cx, cy, x, y, period)
    radius = _trial_radius(cx, cy, rho, x, y, period)
    return period if radius > 0.0 and _returns_inside(cx, cy, rho, x, y, radius, period) else 0


@inner
def periodic_point(cx: float, cy: float, x: float, y: float, period: int) -> tuple[float, float, bool]:
    """Solve f^p(z) = z by Newton's method from z = x + iy; the last value says whether that converged."""
    for _ in range(_NEWTON_STEPS):
        u, v, du, dv = x, y, 1.0, 0.0
        for _ in range(period):
            du, dv = 2.0 * (u * du - v * dv), 2.0 * (u * dv + v * du)
            u, v = u * u - v * v + cx, 2.0 * u * v + cy
        if not u * u + v * v < 9.0:
            return x, y, False
        gx, gy, ax, ay = u - x, v - y, 1.0 - du, -dv
        square = ax * ax + ay * ay
        if square == 0.0:
            return x, y, False
        sx, sy = (gx * ax + gy * ay) / square, (gy * ax - gx * ay) / square
        x, y = x + sx, y + sy
        if sx * sx + sy * sy < 1e-24:
            return x, y, True
    return x, y, False


@inner
def _least_period(cx: float, cy: float, x: float, y: float, period: int) -> int:
    """Return the first divisor of `period` after which the cycle seems closed."""
    u, v = x, y
    for n in range(1, period):
        u, v = u * u - v * v + cx, 2.0 * u * v + cy
        if period % n == 0 and abs(u - x) + abs(v - y) < 1e-7:
            return n
    return period


@inner
def _trial_radius(cx: float, cy: float, rho: float, x: float, y: float, period: int) -> float:
    """Return a radius for which `_returns_inside` is likely to hold, or 0 if there is none.

    A disc of radius R returns with about ``a R + q R^2 + k rho``: it shrinks for R between roughly
    ``k rho / (1 - a)`` and ``(1 - a) / q``. If any R is between them, their geometric mean is.
    """
    a, q, k, u, v = 1.0, 0.0, 0.0, x, y
    for _ in range(period):
        slope = 2.0 * modulus_of(u, v)
        a, q, k = slope * a, slope * q + a * a, slope * k + 1.0
        u, v = u * u - v * v + cx, 2.0 * u * v + cy
    if not (a < 1.0 and q < 1e150):
        return 0.0
    least = (k * (rho + ROUNDING) + abs(u - x) + abs(v - y)) / (1.0 - a)
    return float(np.sqrt(least * (1.0 - a) / q))


@inner
def _returns_inside(cx: float, cy: float, rho: float, x: float, y: float, radius: float, period: int) -> bool:
    """Whether f_c^p(B) is inside B for every c within `rho`, and p the least period; B has that middle and `radius`.

    The discs after n steps, n a proper divisor of p, must miss B: then the fixed point in B has no shorter period.
    """
    u, v, r = x, y, radius
    for n in range(1, period + 1):
        modulus = modulus_of(u, v)
        if not modulus + r < 2.5:
            return False
        r = widened(modulus, r, rho)
        u, v = u * u - v * v + cx, 2.0 * u * v + cy
        if n < period and period % n == 0 and modulus_of(u - x, v - y) < (r + radius) * (1.0 + 2.0**-40):
            return False
    return modulus_of(u - x, v - y) + r < radius * (2.0 - OUTWARD)
