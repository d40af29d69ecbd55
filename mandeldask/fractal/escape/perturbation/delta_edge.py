"""The side of the circle of a pixel whose reference is next to the circle: |Z|^2 - 4 is then known exactly.

Lemma 21 derives the constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inner
from mandeldask.fractal.escape.arithmetic.power_of_two import power
from mandeldask.fractal.escape.perturbation.delta_step import MARK, OPEN, OUT, STAY, S, X, Y

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Floats
    from mandeldask.fractal.escape.perturbation.delta_step import Bound

_EDGE_ROUNDING: ErrorBound = 2.0**-48
"""Bound on the rounding error of |z|^2 - 4 = (|Z|^2 - 4) + 2 Re(Z* dz) + |dz|^2, per sum of the moduli."""


@inner
def decide_at_edge(
    w: Floats, count: int, z_x: float, z_y: float, scale: float, bound: Bound, edge: Floats, exponent: int
) -> None:
    """Decide pixels that `classify` left open, for a Z near the circle; `edge` is a row of `Orbit`'s."""
    excess, error = edge_in_units(edge, exponent)
    per_u = (1.0 + 2.0**-40) / bound.u
    for i in range(count):
        if w[MARK + i] != OPEN:
            continue
        r = np.sqrt(w[S + i] * per_u)
        beyond, margin = beyond_circle(w[X + i], w[Y + i], r, z_x, z_y, scale, excess, error)
        if beyond - margin > 0.0:
            w[MARK + i] = OUT
        elif beyond + margin <= 0.0:
            w[MARK + i] = STAY


@inner
def beyond_circle(
    x: float, y: float, r: float, z_x: float, z_y: float, scale: float, excess: float, error: float
) -> tuple[float, float]:
    """Return |z|^2 - 4 = (|Z|^2 - 4) + 2 Re(Z* dz) + |dz|^2 in units of dz, and a bound on its error.

    There ``dz = scale (x + iy)``; in these units too, `excess` is |Z|^2 - 4, and `error` bounds the error of Z.
    """
    w2 = x * x + y * y
    modulus = np.sqrt(w2)
    if not scale * (modulus + r) < 0.25:
        return 0.0, np.inf
    beyond = excess + (2.0 * (z_x * x + z_y * y) + scale * w2)
    margin = (4.0 + 4.0 * scale * (modulus + r)) * r * 1.01 + _EDGE_ROUNDING * (
        abs(excess) + 4.0 * modulus + scale * w2
    )
    return beyond, margin + 5.0 * error


@inner
def edge_in_units(edge: Floats, exponent: int) -> tuple[float, float]:
    """Return |Z|^2 - 4 and the error of Z in units of 2^exponent; `edge` is a row of `Orbit`'s."""
    excess = edge[0] * power(int(edge[1]) - exponent)
    error, shift = edge[2], int(edge[3]) - exponent
    if error:
        error = error * power(shift) if shift < 900 else np.inf
    return excess, error
