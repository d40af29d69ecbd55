"""Lanes whose fields are wanted, from |z| = 2 to the escape radius and far out: the rows are those of `lanes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mandeldask.fractal.escape.arithmetic.float64_step import (
    DERIVATIVE_GROWTH,
    FAR_ROUNDING,
    GROWTH,
    STEPS,
    differentiate,
    iterate,
    next_slope_bound,
    slope_square,
)
from mandeldask.fractal.escape.arithmetic.jit import inlined, inner
from mandeldask.fractal.escape.direct.lanes import (
    CX,
    CY,
    DX,
    DY,
    ESCAPE_STEPS,
    INSIDE,
    NEAREST,
    Q,
    S,
    X,
    Y,
    check_last,
    count_inside,
)

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Floats, Floats32

MOST_ESCAPE_STEPS = 48
"""Most steps from |z| = 2 to the escape radius: near c = -2 orbits move slowly at first."""
ESCAPE_SQUARE = 64.0
"""Squared escape radius, of 2z: beyond it relative errors no longer grow, and error bounds are no longer computed."""
REMAINING = 3
"""Steps from the escape radius after which every lane is far out."""
_SLOPES_GROWTH = DERIVATIVE_GROWTH ** (2 / STEPS)
"""Factor on Q before two steps outside, whose number is not known in advance."""


@inner
def watch_to_escape_radius(w: Floats, size: int, derivative: Floats32 | None) -> None:
    """Do what `watch` does, but stop each lane past the escape radius; count its steps until then in ESCAPE_STEPS."""
    for i in range(size):
        w[INSIDE + i], w[NEAREST + i], w[ESCAPE_STEPS + i] = -1.0, 16.0, 0.0
        w[S + i] *= GROWTH
    for _ in range(STEPS // 2):
        if derivative is None:
            for i in range(size):
                x, y, s, cx, cy, steps = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i], w[ESCAPE_STEPS + i]
                inside, nearest = count_inside(x, y, w[INSIDE + i], w[NEAREST + i])
                x, y, s, steps = _step_to_escape_radius(x, y, s, cx, cy, steps)
                w[INSIDE + i], w[NEAREST + i] = count_inside(x, y, inside, nearest)
                w[X + i], w[Y + i], w[S + i], w[ESCAPE_STEPS + i] = _step_to_escape_radius(x, y, s, cx, cy, steps)
        else:
            for i in range(size):
                x, y, s, cx, cy, steps = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i], w[ESCAPE_STEPS + i]
                dx, dy, q = w[DX + i], w[DY + i], w[Q + i] * _SLOPES_GROWTH
                inside, nearest = count_inside(x, y, w[INSIDE + i], w[NEAREST + i])
                dx, dy, q, p = _slope_step_to_escape_radius(x, y, s, dx, dy, q, slope_square(dx, dy))
                x, y, s, steps = _step_to_escape_radius(x, y, s, cx, cy, steps)
                w[INSIDE + i], w[NEAREST + i] = count_inside(x, y, inside, nearest)
                w[DX + i], w[DY + i], w[Q + i], _ = _slope_step_to_escape_radius(x, y, s, dx, dy, q, p)
                w[X + i], w[Y + i], w[S + i], w[ESCAPE_STEPS + i] = _step_to_escape_radius(x, y, s, cx, cy, steps)
    check_last(w, size)


@inner
def to_escape_radius(w: Floats, size: int, derivative: Floats32 | None) -> None:
    """Advance lanes until all that left |z| <= 2 are past the escape radius, `MOST_ESCAPE_STEPS` at most."""
    for i in range(size):
        w[S + i] *= GROWTH ** (MOST_ESCAPE_STEPS // STEPS)
    for _ in range(MOST_ESCAPE_STEPS // 2):
        near = 0
        for i in range(size):
            m = w[X + i] * w[X + i] + w[Y + i] * w[Y + i]
            near += 1 if (m <= ESCAPE_SQUARE) & (w[INSIDE + i] < STEPS) else 0
        if near == 0:
            break
        for i in range(size):
            x, y, s, cx, cy, steps = w[X + i], w[Y + i], w[S + i], w[CX + i], w[CY + i], w[ESCAPE_STEPS + i]
            if derivative is not None:
                dx, dy, q = w[DX + i], w[DY + i], w[Q + i] * _SLOPES_GROWTH
                dx, dy, q, p = _slope_step_to_escape_radius(x, y, s, dx, dy, q, slope_square(dx, dy))
            x, y, s, steps = _step_to_escape_radius(x, y, s, cx, cy, steps)
            if derivative is not None:
                w[DX + i], w[DY + i], w[Q + i], _ = _slope_step_to_escape_radius(x, y, s, dx, dy, q, p)
            w[X + i], w[Y + i], w[S + i], w[ESCAPE_STEPS + i] = _step_to_escape_radius(x, y, s, cx, cy, steps)


@inner
def to_far_out(w: Floats, size: int, derivative: Floats32 | None) -> None:
    """Advance lanes past the escape radius by REMAINING steps, without bounds."""
    for i in range(size):
        x, y, cx, cy = w[X + i], w[Y + i], w[CX + i], w[CY + i]
        if derivative is not None:
            dx, dy = w[DX + i], w[DY + i]
        for _ in range(REMAINING):
            if derivative is not None:
                dx, dy = differentiate(x, y, dx, dy)
            x, y, _ = iterate(x, y, 0.0, cx, cy)
        w[X + i], w[Y + i] = x, y
        if derivative is not None:
            w[DX + i], w[DY + i] = dx, dy


@inlined
def _step_to_escape_radius(
    x: float, y: float, s: float, cx: float, cy: float, steps: float
) -> tuple[float, float, float, float]:
    """Return the next iterate, its S and the steps done; past the escape radius, all unchanged."""
    next_x, next_y, next_s = iterate(x, y, s, cx, cy)
    m = x * x + y * y
    on, next_s = m <= ESCAPE_SQUARE, next_s + FAR_ROUNDING * m * m
    return next_x if on else x, next_y if on else y, next_s if on else s, steps + (1.0 if on else 0.0)


@inlined
def _slope_step_to_escape_radius(
    x: float, y: float, s: float, dx: float, dy: float, q: float, p: float
) -> tuple[float, float, float, float]:
    """Do for dz/dc what `_step_to_escape_radius` does."""
    next_q, next_p = next_slope_bound(x, y, s, q, p)
    next_dx, next_dy = differentiate(x, y, dx, dy)
    on = x * x + y * y <= ESCAPE_SQUARE
    return next_dx if on else dx, next_dy if on else dy, next_q if on else q, next_p
