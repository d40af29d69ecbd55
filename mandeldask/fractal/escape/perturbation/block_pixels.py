"""The pixels of a block where its polynomial ends: z, its derivative, and bounds on the errors of both: Lemma 29."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mandeldask.fractal.escape.arithmetic import doubledouble as dd
from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inner
from mandeldask.fractal.escape.arithmetic.power_of_two import power
from mandeldask.fractal.escape.perturbation import pixel_pool
from mandeldask.fractal.escape.perturbation.block_model import (
    A1X,
    COL,
    N0,
    OLD,
    ROW,
    SHIFT_ERROR,
    VALUE_ERROR,
    X_LOW,
    Y_LOW,
    E,
    X,
    Y,
    norm,
    slope,
    spread_before,
    value,
    value_in_double_double,
)
from mandeldask.fractal.escape.perturbation.delta_step import FLOOR, PLAIN_RATIO

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Bools, Floats

DERIVATIVE_STRETCH = 1.5
"""The stretch of discs that gives derivatives at every pixel: there |t| <= 2/3."""
_SLOPE_ERROR: ErrorBound = 2.0
"""Bound on the derivative by t, for |t| <= 2/3, of the error of a model, per the bound on that error."""
_SLOPE_ROUNDING: ErrorBound = 2.0**-45
"""Bound on the rounding error of the derivative of a polynomial by t at a pixel, per sum of the coefficients."""
_ROUNDING: ErrorBound = 2.0**-51
"""Bound on the rounding error of Z + b_0 and of adding the polynomial, per sum of the moduli of Z and of Z + b_0."""
_DOUBLE_DOUBLE_ROUNDING: ErrorBound = 2.0**-100
"""The same in double-double, per sum of the moduli of b_0 and of the polynomial."""
_OUTWARD = 1.0 + 2.0**-40
"""Factor above 1 that covers the rounding of a bound itself."""


class Frame(NamedTuple):
    """Positions of the blocks, relative to the reference in units of 2^exponent."""

    re: np.ndarray
    """Columns of whole blocks, high and low, shape (2, width)."""
    im: np.ndarray
    """Rows, shape (2, height)."""
    exponent: int
    most: float
    """The greatest |dc|."""
    step_x: float
    """Distance between columns."""
    step_y: float
    """Distance between rows."""
    step_x_low: float
    """What rounding left of the distances."""
    step_y_low: float
    stretch: float
    """Radius of the disc of a block, per distance from its middle to its corners: `DERIVATIVE_STRETCH` for slopes."""
    most_dropped: float
    """What a step may drop: `block_model.MOST_DROPPED` or `block_model.MOST_DROPPED_DOUBLE_DOUBLE`."""


@inner
def radius(frame: Frame, side: int) -> float:
    """Return the radius of the disc of a block: `stretch` times from its middle to its corners, rounded up."""
    return 0.5 * side * frame.stretch * np.hypot(frame.step_x, frame.step_y) * (1.0 + 2.0**-20)


@inner
def pixels_by_t(frame: Frame, rho: float) -> tuple[float, float, float, float]:
    """Return the distances of columns and of rows in units of `rho`, each as two float64."""
    over = 1.0 / rho
    over_low = dd.fma(-over, rho, 1.0) * over
    x, x_low = dd.multiply(frame.step_x, frame.step_x_low, over, over_low)
    y, y_low = dd.multiply(frame.step_y, frame.step_y_low, over, over_low)
    return x, x_low, y, y_low


@inner
def write_pixels(
    w: Floats, i: int, m: int, exponent: int, side: int, rho: float, z_x: float, z_y: float, frame: Frame,
    wanted: Bools, u: float, pool: Floats, size: int,
) -> int:  # fmt: skip
    """Append the pixels of lane `i`, rolled back by one step, to `pool` as Z + dz at m; return the new size.

    A pool that is wide enough takes derivatives too, and one for double-double the low parts of dz: Z is 0 there.
    """
    scale = 1.0
    if z_x or z_y:
        scale, exponent = power(exponent), 0
    with_derivative, double_double = pool.shape[1] > pixel_pool.GX, pool.shape[1] > pixel_pool.X_LOW
    spread = spread_before(w, i)
    x, y = z_x + scale * w[OLD + X + i], z_y + scale * w[OLD + Y + i]
    x_low, y_low = w[OLD + X_LOW + i], w[OLD + Y_LOW + i]
    sizes = norm(x, y) + norm(z_x, z_y)
    lost = VALUE_ERROR * spread * scale + _ROUNDING * sizes
    if double_double:
        lost = SHIFT_ERROR * spread + _DOUBLE_DOUBLE_ROUNDING * (sizes + spread)
    r = (scale * w[OLD + E + i] + lost) * _OUTWARD
    s = u * (r * r * _OUTWARD + FLOOR)
    row, col = int(w[ROW + i]), int(w[COL + i])
    step_x, step_x_low, step_y, step_y_low = pixels_by_t(frame, rho)
    per_t = abs(step_x) * scale
    q = (_SLOPE_ERROR * w[OLD + E + i] + _SLOPE_ROUNDING * spread) * per_t * _OUTWARD
    for k in range(row, min(row + side, wanted.shape[0])):
        for j in range(col, min(col + side, wanted.shape[1])):
            if wanted[k, j]:
                off_x, off_y = float(j - col - side // 2), float(k - row - side // 2)
                t_x, t_y = off_x * step_x, off_y * step_y
                d_x, d_y = value(w, OLD + A1X, i, t_x, t_y)
                pool[size, pixel_pool.X], pool[size, pixel_pool.Y] = x + scale * d_x, y + scale * d_y
                pool[size, pixel_pool.S], pool[size, pixel_pool.RATIO] = s, PLAIN_RATIO
                pool[size, pixel_pool.EXPONENT], pool[size, pixel_pool.M] = exponent, m
                pool[size, pixel_pool.DONE], pool[size, pixel_pool.PIXEL] = w[N0 + i], k * wanted.shape[1] + j
                if with_derivative:
                    g_x, g_y = slope(w, OLD + A1X, i, t_x, t_y)
                    pool[size, pixel_pool.GX], pool[size, pixel_pool.GY] = g_x * per_t, g_y * per_t
                    pool[size, pixel_pool.Q] = q * q * _OUTWARD + FLOOR
                if double_double:
                    t_x, t_x_low = dd.multiply(off_x, 0.0, step_x, step_x_low)
                    t_y, t_y_low = dd.multiply(off_y, 0.0, step_y, step_y_low)
                    d_x, d_x_low, d_y, d_y_low = value_in_double_double(w, OLD, i, t_x, t_x_low, t_y, t_y_low)
                    pool[size, pixel_pool.X], pool[size, pixel_pool.X_LOW] = dd.add(x, x_low, d_x, d_x_low)
                    pool[size, pixel_pool.Y], pool[size, pixel_pool.Y_LOW] = dd.add(y, y_low, d_y, d_y_low)
                size += 1
    return size
