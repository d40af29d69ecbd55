"""A step of orbits in double-double and triple-double, with its error bound: lanes of a workspace, Lemmas 10 to 12."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mandeldask.fractal.escape.arithmetic import doubledouble as dd
from mandeldask.fractal.escape.arithmetic import tripledouble as td
from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inlined
from mandeldask.fractal.escape.arithmetic.layout import Layout

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Floats

_DOUBLE_DOUBLE_ERROR: ErrorBound = 2.0**-97
"""Bound on the error of a double-double step with |z| <= 2.1, the error of c included."""
_TRIPLE_DOUBLE_ERROR: ErrorBound = 2.0**-145
"""The same for a triple-double step."""
_SLOPE_ERROR: ErrorBound = 2.0**-49
"""Bound on the rounding error of a float64 step of dz/dc, per |z dz/dc| + 1."""
_OUTWARD: ErrorBound = 1.0 + 2.0**-40
"""Factor above 1 that covers the rounding of a bound itself."""
_LARGEST_BOUND = 2.0**-10
"""Error bound from which nothing is decided."""
LANES = 64
"""Pixels iterated at a time."""
STEPS = 16
"""Iterations of a batch."""

ROW = 2 * LANES + 8
"""A row has space for lanes that were rolled back, until they fill a loop."""
_STATE = Layout.of("X X_LOW X_LOWEST Y Y_LOW Y_LOWEST R DX DY Q", ROW)
X, X_LOW, X_LOWEST, Y, Y_LOW, Y_LOWEST, R, DX, DY, Q = _STATE.offsets
"""Rows that a step changes."""
OLD = _STATE.size
"""Offset from a row to its backup from before the batch."""
ROWS = _STATE.then(" ".join(f"OLD_{name}" for name in _STATE.names)).then(
    "CX CX_LOW CX_LOWEST CY CY_LOW CY_LOWEST START PIXEL GOING COUNT"
)
CX, CX_LOW, CX_LOWEST, CY, CY_LOW, CY_LOWEST, START, PIXEL, GOING, COUNT = ROWS.offsets[20:]
SIZE = ROWS.size
ROLLED_BACK = ROWS.renamed(START="N")
N = ROLLED_BACK["N"]
"""For lanes that were rolled back: the iterations done."""


@inlined
def iterate_double_double(w: Floats, i: int) -> tuple[float, float, float, float, float]:
    """Return the next iterate of a lane in double-double, and its error bound r."""
    x, y = w[X + i], w[Y + i]
    r = error_after(x, y, w[R + i], _DOUBLE_DOUBLE_ERROR)
    cx, cx_low, cy, cy_low = w[CX + i], w[CX_LOW + i], w[CY + i], w[CY_LOW + i]
    x, x_low, y, y_low = dd.iterate(x, w[X_LOW + i], y, w[Y_LOW + i], cx, cx_low, cy, cy_low)
    return x, x_low, y, y_low, r


@inlined
def iterate_triple_double(w: Floats, i: int) -> tuple[float, ...]:
    """Return the next iterate of a lane in triple-double, and its error bound r."""
    x, y = w[X + i], w[Y + i]
    r = error_after(x, y, w[R + i], _TRIPLE_DOUBLE_ERROR)
    x, x_low, x_lowest, y, y_low, y_lowest = td.iterate(
        x, w[X_LOW + i], w[X_LOWEST + i], y, w[Y_LOW + i], w[Y_LOWEST + i],
        w[CX + i], w[CX_LOW + i], w[CX_LOWEST + i], w[CY + i], w[CY_LOW + i], w[CY_LOWEST + i],
    )  # fmt: skip
    return x, x_low, x_lowest, y, y_low, y_lowest, r


@inlined
def error_after(x: float, y: float, r: float, rounding: float) -> float:
    """Return a bound on the error of the iterate after z = x + iy with a bound r."""
    return ((2.0 * np.sqrt(x * x + y * y) + r) * r + rounding) * _OUTWARD


@inlined
def differentiate(
    x: float, y: float, r: float, dx: float, dy: float, q: float, added: float
) -> tuple[float, float, float]:
    """Return the next dz/dc (dz/dz_0 if nothing is `added`) in float64, and the bound q on its error."""
    modulus, slope = np.sqrt(x * x + y * y), abs(dx) + abs(dy)
    q = (2.0 * ((modulus + r) * q + r * slope) + _SLOPE_ERROR * (modulus * slope + 1.0)) * _OUTWARD
    return (x + x) * dx - (y + y) * dy + added, (x + x) * dy + (y + y) * dx, q


@inlined
def beyond_circle(x: float, x_low: float, y: float, y_low: float, r: float) -> tuple[float, bool]:
    """Return |z|^2 - 4, and whether the exact iterate certainly lies on the same side."""
    xx, xx_low = dd.two_product(x, x)
    yy, yy_low = dd.two_product(y, y)
    m, m_low = dd.two_sum(xx, yy)
    beyond = (m - 4.0) + (m_low + (xx_low + yy_low) + 2.0 * (x * x_low + y * y_low))
    return beyond, (abs(beyond) > 4.5 * r + _DOUBLE_DOUBLE_ERROR) & (r < _LARGEST_BOUND)
