"""The fields of a pixel whose orbit has just escaped: float64 follows it until it is far out."""

from __future__ import annotations

import math

from mandeldask.fractal.kernels.compiled import inner
from mandeldask.fractal.kernels.delta import power
from mandeldask.fractal.kernels.potential import FAR_OUT, distance, smooth


@inner
def fields_at(n, x, y, c_x, c_y, g_x, g_y, exponent, spacing):
    """Return the smooth escape time and the distance estimate in pixels, from z_n = (x, y) just outside.

    ``(g_x, g_y) * 2**exponent`` is dz_n/d(pixel), and `spacing` is dc/d(pixel) in units of 2^exponent.
    """
    far_out = FAR_OUT * (1.0 + c_x * c_x + c_y * c_y)
    while x * x + y * y <= far_out:
        g_x, g_y = 2.0 * (x * g_x - y * g_y) + spacing, 2.0 * (x * g_y + y * g_x)
        x, y = x * x - y * y + c_x, 2.0 * x * y + c_y
        n += 1
    square = x * x + y * y
    slope = g_x * g_x + g_y * g_y
    pixels = distance(square, slope) if slope > 0.0 else math.inf
    return smooth(n, square), pixels * power(-exponent)
