"""Steps of groups without a test, in plain float64 or by a bilinear approximation: Lemmas 22 and 26.

`grow_error` has to be called before: it lets the error bound grow for all these steps at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mandeldask.fractal.escape.arithmetic.jit import contracted, inner
from mandeldask.fractal.escape.perturbation.delta_step import DC_X, DC_Y, FLOOR, GX, GY, SLOPE, Q, X, Y

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Floats
    from mandeldask.fractal.escape.perturbation.delta_step import Bound


@contracted
def bla_skip(w: Floats, count: int, a_x: float, a_y: float, b_x: float, b_y: float) -> None:
    """Do many steps by the bilinear approximation w' = A w + B dc; call `grow_error` before."""
    for i in range(count):
        x, y, d_x, d_y = w[X + i], w[Y + i], w[DC_X + i], w[DC_Y + i]
        w[X + i] = (a_x * x - a_y * y) + (b_x * d_x - b_y * d_y)
        w[Y + i] = (a_x * y + a_y * x) + (b_x * d_y + b_y * d_x)


@contracted
def step_without_bound(w: Floats, count: int, z_x: float, z_y: float, scale: float, dc_scale: float) -> None:
    """Do one step from Z = (z_x, z_y), without its bound: call `grow_error` before."""
    z_x, z_y = 2.0 * z_x, 2.0 * z_y
    for i in range(count):
        x, y = w[X + i], w[Y + i]
        tx, ty = z_x + scale * x, z_y + scale * y
        w[X + i] = tx * x - ty * y + dc_scale * w[DC_X + i]
        w[Y + i] = tx * y + ty * x + dc_scale * w[DC_Y + i]


@contracted
def two_steps_without_bound(
    w: Floats, count: int, z_x: float, z_y: float, next_x: float, next_y: float, scale: float, dc_scale: float
) -> None:
    """Do two steps, from Z and from the next one: half the memory traffic."""
    z_x, z_y, next_x, next_y = 2.0 * z_x, 2.0 * z_y, 2.0 * next_x, 2.0 * next_y
    for i in range(count):
        x, y = w[X + i], w[Y + i]
        d_x, d_y = dc_scale * w[DC_X + i], dc_scale * w[DC_Y + i]
        tx, ty = z_x + scale * x, z_y + scale * y
        x, y = tx * x - ty * y + d_x, tx * y + ty * x + d_y
        tx, ty = next_x + scale * x, next_y + scale * y
        w[X + i] = tx * x - ty * y + d_x
        w[Y + i] = tx * y + ty * x + d_y


@inner
def bla_skip_slope(
    w: Floats, count: int, a_x: float, a_y: float, b_x: float, b_y: float, b_most: float, steps: int, spacing: float,
    bound: Bound,
) -> None:  # fmt: skip
    """Do the same steps of the derivatives, g' = A g + B spacing, and of their bounds."""
    a2 = a_x * a_x + a_y * a_y
    kept = (1.0 + steps * bound.kappa) * (1.0 + steps * 2.0**-46) * a2
    lost = (1.0 + 1.0 / (steps * bound.kappa)) * steps**2 * SLOPE
    linear, constant = lost * a2, lost * (b_most * spacing) ** 2 + FLOOR
    for i in range(count):
        x, y = w[GX + i], w[GY + i]
        w[Q + i] = kept * w[Q + i] + (linear * (x * x + y * y) + constant)
        w[GX + i] = a_x * x - a_y * y + b_x * spacing
        w[GY + i] = a_x * y + a_y * x + b_y * spacing
