"""Groups of pixels as they begin: pixels of a pool that share m and have differences of similar size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic.jit import inner
from mandeldask.fractal.escape.arithmetic.power_of_two import power
from mandeldask.fractal.escape.perturbation import pixel_pool
from mandeldask.fractal.escape.perturbation.delta_step import (
    DC_X,
    DC_Y,
    DONE,
    FLOOR,
    GROUP,
    GX,
    GY,
    PIXEL,
    RATIO,
    Q,
    S,
    X,
    Y,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.fractal.escape.arithmetic.array_types import Floats, Ints

SPREAD = 64
"""log2 of the range of |dz| in a group when it begins."""


def group_order(pool: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """Return the order of the first `size` pixels of `pool` for `follow`: by m, then by the size of dz."""
    m, exponent = pool[:size, pixel_pool.M], pool[:size, pixel_pool.EXPONENT]
    # numpy sorts short numbers by digits; so far below the largest all are as good as 0
    below = np.maximum(exponent - exponent.max(initial=-np.inf), -(2.0**15)).astype(np.int16)
    return np.lexsort((below, m))


@inner
def gather(
    w: Floats, pool: Floats, order: Ints, begin: int, place: pixel_pool.Place, fields: Floats | None
) -> tuple[int, int]:
    """Load the group that begins with ``pool[order[begin]]`` under one exponent; return how many it has, and that."""
    m, some_exponent = pool[order[begin], pixel_pool.M], pool[order[begin], pixel_pool.EXPONENT]
    width, exponent, end = place.dc_x.size, place.exponent, begin
    while end < min(begin + GROUP, order.size):
        j = order[end]
        if pool[j, pixel_pool.M] != m or abs(pool[j, pixel_pool.EXPONENT] - some_exponent) >= SPREAD:
            break
        exponent = max(exponent, int(pool[j, pixel_pool.EXPONENT]))
        end += 1
    their_exponent, factor = exponent, 1.0
    for k in range(begin, end):
        j, i = order[k], k - begin
        if pool[j, pixel_pool.EXPONENT] != their_exponent:
            their_exponent = int(pool[j, pixel_pool.EXPONENT])
            factor = power(their_exponent - exponent)
        w[X + i], w[Y + i] = pool[j, pixel_pool.X] * factor, pool[j, pixel_pool.Y] * factor
        w[S + i], w[RATIO + i] = pool[j, pixel_pool.S] * factor * factor, pool[j, pixel_pool.RATIO]
        w[DONE + i], w[PIXEL + i] = pool[j, pixel_pool.DONE], pool[j, pixel_pool.PIXEL]
        pixel = int(w[PIXEL + i])
        row = pixel // width
        w[DC_X + i], w[DC_Y + i] = place.dc_x[pixel - row * width], place.dc_y[row]
        if fields is not None:
            w[GX + i], w[GY + i] = pool[j, pixel_pool.GX] * factor, pool[j, pixel_pool.GY] * factor
            lost = factor == 0.0 and pool[j, pixel_pool.Q] > 0.0
            w[Q + i] = np.inf if lost else pool[j, pixel_pool.Q] * factor * factor + FLOOR
    return end - begin, exponent
