"""Lanes of delta orbits in double-double: their rows, and how pixels are loaded. Each lane has its own index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic.jit import inner
from mandeldask.fractal.escape.arithmetic.layout import Layout
from mandeldask.fractal.escape.arithmetic.power_of_two import power
from mandeldask.fractal.escape.fields import fields_at, smooth_at
from mandeldask.fractal.escape.perturbation import pixel_pool
from mandeldask.fractal.escape.perturbation.delta_groups import NO_SQUARE_EXPONENT

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Floats, Ints

LANES = 64
ROW = LANES + 8
_PIXELS = Layout.of("X X_LOW Y Y_LOW R GX GY Q SCALE DC_SCALE DC_X DC_X_LOW DC_Y DC_Y_LOW N M EXPONENT PIXEL", ROW)
X, X_LOW, Y, Y_LOW, R, GX, GY, Q, SCALE, DC_SCALE, DC_X, DC_X_LOW, DC_Y, DC_Y_LOW, N, M, EXPONENT, PIXEL = (
    _PIXELS.offsets
)
"""Rows that a step changes, and those of the pixel: N iterations done, the index M into the reference,
dz = w 2^EXPONENT, and the index PIXEL."""
ROWS = _PIXELS.then("REF_X REF_X_LOW REF_Y REF_Y_LOW ZX ZX_LOW ZY ZY_LOW ALONE")
REF_X, REF_X_LOW, REF_Y, REF_Y_LOW, ZX, ZX_LOW, ZY, ZY_LOW, ALONE = ROWS.offsets[18:]
"""Z, z and ALONE (must the lane be handled alone?) at this iteration."""
SIZE = ROWS.size

_OUTWARD = 1.0 + 2.0**-40
"""Factor above 1 that covers the rounding of a bound itself."""


@inner
def load(w: Floats, i: int, place: pixel_pool.DoubleDoublePlace, start: Floats, u: float) -> None:
    """Set lane `i` to a pixel where it starts."""
    for row in range(0, SIZE, ROW):
        w[row + i] = 0.0
    pixel = int(start[pixel_pool.PIXEL])
    w[DC_X + i], w[DC_X_LOW + i] = place.x[0, pixel], place.x[1, pixel]
    w[DC_Y + i], w[DC_Y_LOW + i] = place.y[0, pixel], place.y[1, pixel]
    w[PIXEL + i] = pixel
    w[X + i], w[X_LOW + i], w[GX + i] = start[pixel_pool.X], start[pixel_pool.X_LOW], start[pixel_pool.GX]
    w[Y + i], w[Y_LOW + i], w[GY + i] = start[pixel_pool.Y], start[pixel_pool.Y_LOW], start[pixel_pool.GY]
    w[R + i] = np.sqrt(start[pixel_pool.S] / u) * _OUTWARD
    w[Q + i] = np.sqrt(start[pixel_pool.Q]) * _OUTWARD
    w[M + i], w[N + i] = start[pixel_pool.M], start[pixel_pool.M] + start[pixel_pool.DONE]
    exponent = int(start[pixel_pool.EXPONENT])
    set_exponent(w, i, place.exponent if exponent == pixel_pool.AT_START else exponent, place.exponent)


@inner
def set_exponent(w: Floats, i: int, exponent: int, dc_exponent: int) -> None:
    """Set the units of lane `i`."""
    w[EXPONENT + i] = exponent
    w[SCALE + i] = power(exponent) if exponent > NO_SQUARE_EXPONENT else 0.0
    w[DC_SCALE + i] = power(dc_exponent - exponent)


@inner
def gather(w: Floats, active: int, x: Floats, x_low: Floats, y: Floats, y_low: Floats) -> None:
    """Load the Z of every lane; mark as ALONE those at the end of the reference."""
    last = x.size - 1
    for i in range(active):
        m = int(w[M + i])
        w[REF_X + i], w[REF_X_LOW + i], w[REF_Y + i], w[REF_Y_LOW + i] = x[m], x_low[m], y[m], y_low[m]
        w[ALONE + i] = 1.0 if m == last else 0.0


@inner
def write_fields(
    w: Floats, i: int, pixel: int, exponent: int, zx: float, zy: float, c_x: float, c_y: float,
    place: pixel_pool.DoubleDoublePlace, count_and_proven: Ints, fields: Floats,
) -> None:  # fmt: skip
    """Write the fields of lane `i`, which has just escaped; if they are not proven, the pixel stays open."""
    reach = power(place.exponent)
    n, r = w[N + i], w[SCALE + i] * w[R + i]
    c_x, c_y = c_x + reach * w[DC_X + i], c_y + reach * w[DC_Y + i]
    if place.worst_slope == np.inf:
        smooth, distance = smooth_at(n, zx, zy, r, c_x, c_y, place.worst), 0.0
    else:
        smooth, distance = fields_at(
            n, zx, zy, r, c_x, c_y, w[GX + i], w[GY + i], w[Q + i], exponent, place.spacing * w[DC_SCALE + i],
            place.worst, place.worst_slope,
        )  # fmt: skip
    fields[0, pixel], fields[1, pixel] = smooth, distance
    count_and_proven[1, pixel] = not (np.isnan(smooth) or np.isnan(distance))
