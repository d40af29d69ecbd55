"""Smooth escape time and distance estimate from an iterate far out.

With the potential ``G = lim ln|z_n| / 2^n``, which is the same for every bailout:

- ``smooth = -log2(G / ln 2)``, that is ``n - log2(log2|z_n|)`` far out. With c = 0 it would be n + 1 where
  ``|z_(n+1)| = 2``;
- ``distance = 2 |z_n| ln|z_n| / |dz_n/dc|`` far out, in plane units, that is ``2 G / |G'|``: near the set, it is
  between the distance to the set and 4 times that distance (Koebe).
"""

from __future__ import annotations

import math

import numpy as np

from mandeldask.fractal.escape.arithmetic.doubledouble import fma
from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inlined, inner
from mandeldask.fractal.escape.arithmetic.power_of_two import power
from mandeldask.fractal.escape.limits import WORST

FAR_OUT = 2.0**24
"""An iterate is far out if |z|^2 > FAR_OUT (1 + |c|^2): its values are then within 2^-24 of the limits above."""
ROUNDING: ErrorBound = 2.0**-49
"""Bound on the rounding error of a float64 step of z or dz/dc, relative to its terms."""

_OUTWARD: ErrorBound = 1.0 + 2.0**-40
"""Factor above 1 that covers the rounding of a bound itself."""

_LOG2_OF_E = 1.4426950408889634
_HALF_ROOT = 0x3FE6A09E667F3BCD
"""The bits of 0.7071: numbers are split into a power of two and a factor of at least that."""
_TWO_TO_52 = 0x4330000000000000
"""The bits of 2^52: an integer added to them gives the float64 of 2^52 plus that integer."""


@inlined
def log2(value: float) -> float:
    """Return the binary logarithm of a positive normal number to 2^-24: the same on every machine, unlike libm's.

    It uses integer operations that every vector unit has.
    """
    bits = np.float64(value).view(np.int64) - _HALF_ROOT
    exponent = np.int64(((bits >> 52) + 1024 & 2047) | _TWO_TO_52).view(np.float64) - (2.0**52 + 1024.0)
    part = np.int64((bits & (2**52 - 1)) + _HALF_ROOT).view(np.float64)  # 0.71 to 1.41
    t = (part - 1.0) / (part + 1.0)  # ln(part) = 2 artanh(t), |t| < 0.172
    tt = t * t
    series = fma(tt, fma(tt, fma(tt, 2.0 / 7.0, 2.0 / 5.0), 2.0 / 3.0), 2.0)
    return fma(_LOG2_OF_E * t, series, exponent)


@inlined
def smooth(n: float, m: float) -> float:
    """Return the smooth escape time from ``m = |z_n|^2`` far out."""
    return n + 1.0 - log2(log2(m))


@inlined
def tolerated(n: float) -> float:
    """Return the limit that replaces `WORST` if only `smooth` is wanted: a relative error of 10^-5 of `smooth`."""
    return WORST * min(max(1.0, 0.25 * n), 128.0) ** 2


@inlined
def distance(m: float, dm: float) -> float:
    """Return the distance estimate from ``m = |z_n|^2`` and ``dm = |dz_n/dc|^2`` far out."""
    return np.sqrt(m / dm) * log2(m) / _LOG2_OF_E


@inlined
def step(
    x: float, y: float, c_x: float, c_y: float, g_x: float, g_y: float, spacing: float
) -> tuple[float, float, float, float]:
    """Return the next z and the next g = dz/d(pixel)."""
    next_x, next_y = x * x - y * y + c_x, 2.0 * x * y + c_y
    return next_x, next_y, 2.0 * (x * g_x - y * g_y) + spacing, 2.0 * (x * g_y + y * g_x)


@inlined
def bounds_after(
    square: float, c2: float, g_x: float, g_y: float, r: float, q: float, spacing: float
) -> tuple[float, float]:
    """Return bounds on the errors of the next z and g, for ``|z|^2 = square`` and ``|c|^2 = c2``: Lemma 14."""
    modulus, slope = math.sqrt(square), abs(g_x) + abs(g_y)
    next_q = (2.0 * ((modulus + r) * q + r * slope) + ROUNDING * (modulus * slope + spacing)) * _OUTWARD
    return ((2.0 * modulus + r) * r + ROUNDING * (square + math.sqrt(c2))) * _OUTWARD, next_q


@inner
def smooth_at(n: float, x: float, y: float, r: float, c_x: float, c_y: float, worst: float) -> float:
    """Return the smooth escape time from z_n = (x, y) just outside, with an error of up to r; NaN if r is too large."""
    c2 = c_x * c_x + c_y * c_y
    far_out, square = FAR_OUT * (1.0 + c2), x * x + y * y
    while square <= far_out and r * r < square:  # next to -2 an orbit may seem to stay
        r, _ = bounds_after(square, c2, 0.0, 0.0, r, 0.0, 0.0)
        x, y, _, _ = step(x, y, c_x, c_y, 0.0, 0.0, 0.0)
        square, n = x * x + y * y, n + 1
    return smooth(n, square) if r * r < max(worst, tolerated(n)) * square else math.nan


@inner
def fields_at(
    n: float, x: float, y: float, r: float, c_x: float, c_y: float, g_x: float, g_y: float, q: float, exponent: int,
    spacing: float, worst: float, worst_slope: float,
) -> tuple[float, float]:  # fmt: skip
    """Return the smooth escape time and the distance estimate in pixels, from z_n = (x, y) just outside.

    ``(g_x, g_y) * 2**exponent`` is dz_n/d(pixel), and `spacing` is dc/d(pixel) in units of 2^exponent; r and q bound
    the errors of z_n and of g; `worst` and `worst_slope` are the largest squares of their relative errors far out.
    NaN if the fields are not proven.
    """
    c2 = c_x * c_x + c_y * c_y
    far_out, square = FAR_OUT * (1.0 + c2), x * x + y * y
    while square <= far_out and r * r < square:  # next to -2 an orbit may seem to stay
        r, q = bounds_after(square, c2, g_x, g_y, r, q, spacing)
        x, y, g_x, g_y = step(x, y, c_x, c_y, g_x, g_y, spacing)
        square, n = x * x + y * y, n + 1
    slope = g_x * g_x + g_y * g_y
    if not (r * r < worst * square and q * q < worst_slope * slope):
        return math.nan, math.nan
    return smooth(n, square), distance(square, slope) * power(-exponent)
