"""The fields of a pixel whose orbit has just escaped: float64 follows it until it is far out."""

from __future__ import annotations

import math

from mandeldask.fractal.kernels.compiled import inner
from mandeldask.fractal.kernels.exponents import power
from mandeldask.fractal.kernels.potential import FAR_OUT, WORST, WORST_SLOPE, distance, smooth

ROUNDING = 2.0**-49
"""More than a float64 step of z or dz/dc loses, relative to its terms."""


@inner
def fields_at(n, x, y, r, c_x, c_y, g_x, g_y, q, exponent, spacing):
    """Return the smooth escape time and the distance estimate in pixels, from z_n = (x, y) just outside.

    ``(g_x, g_y) * 2**exponent`` is dz_n/d(pixel), and `spacing` is dc/d(pixel) in units of 2^exponent; r and q bound
    the errors of z_n and of g. NaN where they do not prove the fields.
    """
    c2 = c_x * c_x + c_y * c_y
    far_out, square = FAR_OUT * (1.0 + c2), x * x + y * y
    while square <= far_out and r * r < square:  # beside -2 an orbit may seem to stay
        modulus, slope = math.sqrt(square), math.hypot(g_x, g_y)
        q = (2.0 * ((modulus + r) * q + r * slope) + ROUNDING * (modulus * slope + spacing)) * (1.0 + 2.0**-40)
        r = ((2.0 * modulus + r) * r + ROUNDING * (square + math.sqrt(c2))) * (1.0 + 2.0**-40)
        g_x, g_y = 2.0 * (x * g_x - y * g_y) + spacing, 2.0 * (x * g_y + y * g_x)
        x, y = x * x - y * y + c_x, 2.0 * x * y + c_y
        square, n = x * x + y * y, n + 1
    slope = g_x * g_x + g_y * g_y
    if not (r * r < WORST * square and q * q < WORST_SLOPE * slope):
        return math.nan, math.nan
    return smooth(n, square), distance(square, slope) * power(-exponent)
