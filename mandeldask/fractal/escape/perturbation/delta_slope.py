"""Derivatives in steps without a test: the bound on their errors grows once for several steps, by Lemma 30.

The rows are those of `delta_step`. Derivatives of single steps are there, those of skipped steps in `delta_skip`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import contracted
from mandeldask.fractal.escape.perturbation.delta_step import DC_X, DC_Y, FLOOR, GX, GY, SKIP_ERROR, Q, S, X, Y

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Floats
    from mandeldask.fractal.escape.perturbation.delta_step import Bound

_SLOPE_STEP: ErrorBound = 2.0**-47
"""Bound on the rounding error of a step of g, per half of |2 z g| and per the added term."""
_OUTWARD = 1.0 + 2.0**-40
"""Factor above 1 that covers the rounding of a bound itself."""


@contracted
def slope_step_without_bound(
    w: Floats, count: int, z_x: float, z_y: float, scale: float, dc_scale: float, spacing: float
) -> None:
    """Do one step, also of the derivatives, without bounds: call `grow_slope_error` and `grow_error` before."""
    for i in range(count):
        x, y, g_x, g_y = w[X + i], w[Y + i], w[GX + i], w[GY + i]
        zx, zy = z_x + scale * x, z_y + scale * y
        tx, ty = zx + z_x, zy + z_y
        w[X + i] = tx * x - ty * y + dc_scale * w[DC_X + i]
        w[Y + i] = tx * y + ty * x + dc_scale * w[DC_Y + i]
        w[GX + i] = 2.0 * (zx * g_x - zy * g_y) + spacing
        w[GY + i] = 2.0 * (zx * g_y + zy * g_x)


@contracted
def grow_slope_error(
    w: Floats, count: int, a_most: float, b_most: float, bent: float, steps: int, dc_size: float, spacing: float,
    bound: Bound,
) -> None:  # fmt: skip
    """Let errors of derivatives grow by the next `steps` steps; `grow_error` does it for z afterwards.

    ``a_most |w| + b_most |dc|`` bounds |w| during the steps, and likewise |g|; `bent` bounds the sum of
    ``2 scale a / slope`` over them, where a is what the steps before may enlarge |w| by.
    """
    turned, per_u = b_most / a_most * _OUTWARD, 1.0 / bound.u
    lost, rounded = (steps + 1.0) * SKIP_ERROR, (0.5 * steps + 1.0) * _SLOPE_STEP
    for i in range(count):
        error = np.sqrt(w[S + i] * per_u) + lost * (abs(w[X + i]) + abs(w[Y + i]) + turned * dc_size)
        size = abs(w[GX + i]) + abs(w[GY + i]) + turned * spacing
        q = a_most * (np.sqrt(w[Q + i]) + size * (bent * error + rounded)) * _OUTWARD
        w[Q + i] = q * q * _OUTWARD + FLOOR
