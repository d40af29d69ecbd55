"""Discs of c iterated in lockstep: the iterates of a disc as a polynomial in c with an error bound.

On the disc ``c = c0 + rho t``, ``|t| <= 1``, ``z_n = b_0 + b_1 t + ... + b_8 t^8 + e`` with ``|e| <= ERROR``. Squaring
the polynomial iterates the whole disc. Sixteen discs share a workspace with a row for each number, so that vector
instructions advance them. Bounds: Lemmas 6 and 7.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from mandeldask.fractal.escape.arithmetic import doubledouble as dd
from mandeldask.fractal.escape.arithmetic.doubledouble import fma
from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inlined, inner
from mandeldask.fractal.escape.arithmetic.layout import Layout

if TYPE_CHECKING:
    from mandeldask.fractal.escape.arithmetic.array_types import Floats, Ints

DISCS = 16
"""Discs in a workspace."""
DEGREE = 8

_COEFFICIENTS = Layout.of(" ".join(f"{part}{k}" for part in ("RE", "IM") for k in range(DEGREE + 1)), DISCS)
RE, IM = _COEFFICIENTS.offsets[: DEGREE + 1], _COEFFICIENTS.offsets[DEGREE + 1 :]
"""Rows of the real and of the imaginary parts of b_0 ... b_8, float64 each."""
STATE = _COEFFICIENTS.then("LOW_X LOW_Y ERROR SPREAD REACH")
LOW_X, LOW_Y, ERROR, SPREAD, REACH = STATE.rows("LOW_X LOW_Y ERROR SPREAD REACH")
"""Low part of b_0; the bound on e; bounds on ``|z - b_0|`` and on ``|z|`` without e."""
_STATE = STATE.size
"""Rows of one iterate; those of the next follow."""
ROWS = STATE.then(" ".join(f"NEXT_{name}" for name in STATE.names)).then("_CX _CX_LOW _CY _CY_LOW")
_CX, _CX_LOW, _CY, _CY_LOW = ROWS.rows("_CX _CX_LOW _CY _CY_LOW")
SIZE = ROWS.size
"""Numbers in a workspace."""
MAY_ESCAPE = 2
"""Verdict of `classify` on a disc that may not be within |z| <= 2."""

_COEFFICIENT_ERROR: ErrorBound = 2.0**-48
"""Bound on the rounding error of all coefficients, relative to the moduli of their terms: each coefficient is a sum of
at most 5 complex products, and each of its parts is rounded at most 10 times."""
_CENTER_ERROR: ErrorBound = 2.0**-95
"""Bound on the error of a double-double step with |z| <= 4, the error of c0 included."""
_SHIFT_ERROR: ErrorBound = 2.0**-47
"""Bound on the rounding error of the polynomial of a part, per SPREAD of the whole."""
_EVALUATION_ERROR: ErrorBound = 2.0**-47
"""Bound on the rounding error of an evaluation, per SPREAD."""
_EVALUATION_MIDDLE: ErrorBound = 2.0**-51
"""Bound on the error of dropping the low part of b_0, and of the last sum."""
_OUTWARD: ErrorBound = 1.0 + 2.0**-40
"""Factor above 1 that covers the rounding of a bound."""


@inner
def begin(w: Floats, k: int, center: tuple[float, float, float, float]) -> None:
    """Set disc `k` to z_0 = 0, with its middle at `center`: high and low parts of x and y."""
    for row in range(0, _STATE, DISCS):
        w[row + k] = 0.0
    w[_CX + k], w[_CX_LOW + k], w[_CY + k], w[_CY_LOW + k] = center


@inner
def shift(
    source: Floats, j: int, w: Floats, k: int, dx: float, dy: float, shrink: float,
    center: tuple[float, float, float, float],
) -> None:  # fmt: skip
    """Set disc `k` to the part of disc `j` of `source` with middle ``t = dx + i dy``, `shrink` times as large."""
    begin(w, k, center)
    re, im = w[RE[0] + k : IM[0] : DISCS], w[IM[0] + k : LOW_X : DISCS]  # b_0 begins at 0
    for i in range(1, DEGREE + 1):
        re[i], im[i] = coefficient(source, j, i)
    for i in range(DEGREE):
        for m in range(DEGREE - 1, i - 1, -1):
            re[m] += dx * re[m + 1] - dy * im[m + 1]
            im[m] += dx * im[m + 1] + dy * re[m + 1]
    x, y, low_x, low_y = source[RE[0] + j], source[IM[0] + j], source[LOW_X + j], source[LOW_Y + j]
    w[RE[0] + k], w[LOW_X + k] = dd.add(x, low_x, re[0], 0.0)
    w[IM[0] + k], w[LOW_Y + k] = dd.add(y, low_y, im[0], 0.0)
    factor, spread = 1.0, 0.0
    for i in range(1, DEGREE + 1):
        factor *= shrink
        re[i] *= factor
        im[i] *= factor
        spread += _norm(re[i], im[i])
    x, y = w[RE[0] + k], w[IM[0] + k]
    w[SPREAD + k], w[REACH + k] = spread * _OUTWARD, (sqrt(x * x + y * y) + spread) * _OUTWARD
    w[ERROR + k] = source[ERROR + j] + _SHIFT_ERROR * source[SPREAD + j]


@inner
def copy(w: Floats, k: int, target: Floats) -> None:
    """Copy disc `k` to `target`."""
    for row in range(0, _STATE, DISCS):
        target[row + k] = w[row + k]


@inner
def coefficient(w: Floats, k: int, i: int) -> tuple[float, float]:
    """Return real and imaginary part of the coefficient b_i of disc `k`."""
    return w[RE[0] + i * DISCS + k], w[IM[0] + i * DISCS + k]


@inner
def polynomial(w: Floats, k: int) -> tuple[float, ...]:
    """Return the polynomial of disc `k` as `coefficients` does."""
    return (
        *(w[RE[0] + k], w[RE[1] + k], w[RE[2] + k], w[RE[3] + k], w[RE[4] + k]),
        *(w[RE[5] + k], w[RE[6] + k], w[RE[7] + k], w[RE[8] + k]),
        *(w[IM[0] + k], w[IM[1] + k], w[IM[2] + k], w[IM[3] + k], w[IM[4] + k]),
        *(w[IM[5] + k], w[IM[6] + k], w[IM[7] + k], w[IM[8] + k]),
    )


@inner
def error_at_pixels(w: Floats, k: int) -> float:
    """Return a bound on the error of an evaluation of disc `k` at a pixel, rounding included."""
    return w[ERROR + k] + _EVALUATION_ERROR * w[SPREAD + k] + _EVALUATION_MIDDLE


@inner
def advance(w: Floats, rho: float) -> None:
    """Write the next iterate of all discs, whose radii are `rho`."""
    for k in range(DISCS):
        x, y, x_low, y_low = w[RE[0] + k], w[IM[0] + k], w[LOW_X + k], w[LOW_Y + k]
        r1, r2, r3, r4 = w[RE[1] + k], w[RE[2] + k], w[RE[3] + k], w[RE[4] + k]
        r5, r6, r7, r8 = w[RE[5] + k], w[RE[6] + k], w[RE[7] + k], w[RE[8] + k]
        i1, i2, i3, i4 = w[IM[1] + k], w[IM[2] + k], w[IM[3] + k], w[IM[4] + k]
        i5, i6, i7, i8 = w[IM[5] + k], w[IM[6] + k], w[IM[7] + k], w[IM[8] + k]
        # a bound on the terms of the square beyond degree 8
        m1, m2, m3, m4 = _norm(r1, i1), _norm(r2, i2), _norm(r3, i3), _norm(r4, i4)
        m5, m6, m7, m8 = _norm(r5, i5), _norm(r6, i6), _norm(r7, i7), _norm(r8, i8)
        t7 = m8 + m7
        t6 = t7 + m6
        t5 = t6 + m5
        t4 = t5 + m4
        t3 = t4 + m3
        t2 = t3 + m2
        t1 = t2 + m1
        dropped = m1 * m8 + m2 * t7 + m3 * t6 + m4 * t5 + m5 * t4 + m6 * t3 + m7 * t2 + m8 * t1
        spread, reach, error = w[SPREAD + k], w[REACH + k], w[ERROR + k]
        rounding = _COEFFICIENT_ERROR * ((2.0 * reach) * spread + rho)
        next_error = ((2.0 * reach + error) * error + rounding + dropped + _CENTER_ERROR) * _OUTWARD

        two_x, two_y = x + x, y + y
        s1, j1, s2, j2, s3, j3 = r1 + r1, i1 + i1, r2 + r2, i2 + i2, r3 + r3, i3 + i3
        c1, d1 = _plus(rho, 0.0, two_x, two_y, r1, i1)
        c2, d2 = _plus(*_product(r1, i1, r1, i1), two_x, two_y, r2, i2)
        c3, d3 = _plus(*_product(s1, j1, r2, i2), two_x, two_y, r3, i3)
        c4, d4 = _plus(*_plus(*_product(r2, i2, r2, i2), s1, j1, r3, i3), two_x, two_y, r4, i4)
        c5, d5 = _plus(*_plus(*_product(s2, j2, r3, i3), s1, j1, r4, i4), two_x, two_y, r5, i5)
        c6, d6 = _plus(*_product(r3, i3, r3, i3), s2, j2, r4, i4)
        c6, d6 = _plus(*_plus(c6, d6, s1, j1, r5, i5), two_x, two_y, r6, i6)
        c7, d7 = _plus(*_product(s3, j3, r4, i4), s2, j2, r5, i5)
        c7, d7 = _plus(*_plus(c7, d7, s1, j1, r6, i6), two_x, two_y, r7, i7)
        c8, d8 = _plus(*_plus(*_product(r4, i4, r4, i4), s3, j3, r5, i5), s2, j2, r6, i6)
        c8, d8 = _plus(*_plus(c8, d8, s1, j1, r7, i7), two_x, two_y, r8, i8)
        c = w[_CX + k], w[_CX_LOW + k], w[_CY + k], w[_CY_LOW + k]
        c0, x_low, d0, y_low = dd.iterate(x, x_low, y, y_low, *c)

        w[_STATE + RE[0] + k], w[_STATE + IM[0] + k] = c0, d0
        w[_STATE + RE[1] + k], w[_STATE + IM[1] + k] = c1, d1
        w[_STATE + RE[2] + k], w[_STATE + IM[2] + k] = c2, d2
        w[_STATE + RE[3] + k], w[_STATE + IM[3] + k] = c3, d3
        w[_STATE + RE[4] + k], w[_STATE + IM[4] + k] = c4, d4
        w[_STATE + RE[5] + k], w[_STATE + IM[5] + k] = c5, d5
        w[_STATE + RE[6] + k], w[_STATE + IM[6] + k] = c6, d6
        w[_STATE + RE[7] + k], w[_STATE + IM[7] + k] = c7, d7
        w[_STATE + RE[8] + k], w[_STATE + IM[8] + k] = c8, d8
        w[_STATE + LOW_X + k], w[_STATE + LOW_Y + k], w[_STATE + ERROR + k] = x_low, y_low, next_error
        spread = _norm(c1, d1) + _norm(c2, d2) + _norm(c3, d3) + _norm(c4, d4)
        spread = (spread + (_norm(c5, d5) + _norm(c6, d6) + _norm(c7, d7) + _norm(c8, d8))) * _OUTWARD
        w[_STATE + SPREAD + k] = spread
        w[_STATE + REACH + k] = (sqrt(c0 * c0 + d0 * d0) + spread) * _OUTWARD


@inner
def classify(w: Floats, used: int, tolerance: float, events: Ints) -> int:
    """Write for each of `used` discs why it stops before the next iterate: its error is too large (1), or MAY_ESCAPE.

    Returns the number of discs that stop.
    """
    count = 0
    for k in range(used):
        error, reach = w[_STATE + ERROR + k], w[_STATE + REACH + k]
        event = 0 if error < tolerance else 1
        events[k] = event if reach + error < 2.0 - 2.0**-40 else MAY_ESCAPE
        count += 1 if events[k] else 0
    return count


@inner
def accept_step(w: Floats) -> None:
    """Replace the current iterate of all discs by the next one."""
    for k in range(_STATE):
        w[k] = w[_STATE + k]


@inlined
def coefficients(re: Floats, im: Floats) -> tuple[float, ...]:
    """Return a polynomial as numbers: real parts of b_0 ... b_8, then imaginary parts."""
    return (
        *(re[0], re[1], re[2], re[3], re[4], re[5], re[6], re[7], re[8]),
        *(im[0], im[1], im[2], im[3], im[4], im[5], im[6], im[7], im[8]),
    )


@inlined
def evaluate(b: tuple[float, ...], tx: float, ty: float) -> tuple[float, float]:
    """Return ``x, y`` of the polynomial `b` at ``t = tx + 1j ty``."""
    r0, r1, r2, r3, r4, r5, r6, r7, r8, i0, i1, i2, i3, i4, i5, i6, i7, i8 = b
    x, y = _plus(r7, i7, r8, i8, tx, ty)
    x, y = _plus(r6, i6, x, y, tx, ty)
    x, y = _plus(r5, i5, x, y, tx, ty)
    x, y = _plus(r4, i4, x, y, tx, ty)
    x, y = _plus(r3, i3, x, y, tx, ty)
    x, y = _plus(r2, i2, x, y, tx, ty)
    x, y = _plus(r1, i1, x, y, tx, ty)
    return _plus(r0, i0, x, y, tx, ty)


@inlined
def second_derivative_bound(b: tuple[float, ...], size: float) -> float:
    """Return a bound on the second derivative of the polynomial `b` for ``|t| <= size``."""
    _, _, r2, r3, r4, r5, r6, r7, r8, _, _, i2, i3, i4, i5, i6, i7, i8 = b
    second = 42.0 * _norm(r7, i7) + size * 56.0 * _norm(r8, i8)
    second = 20.0 * _norm(r5, i5) + size * (30.0 * _norm(r6, i6) + size * second)
    second = 6.0 * _norm(r3, i3) + size * (12.0 * _norm(r4, i4) + size * second)
    return (2.0 * _norm(r2, i2) + size * second) * _OUTWARD


@inlined
def slope(b: tuple[float, ...], tx: float, ty: float) -> tuple[float, float]:
    """Return the derivative with respect to t of the polynomial `b` at ``t = tx + 1j ty``."""
    _, r1, r2, r3, r4, r5, r6, r7, r8, _, i1, i2, i3, i4, i5, i6, i7, i8 = b
    x, y = _plus(7.0 * r7, 7.0 * i7, 8.0 * r8, 8.0 * i8, tx, ty)
    x, y = _plus(6.0 * r6, 6.0 * i6, x, y, tx, ty)
    x, y = _plus(5.0 * r5, 5.0 * i5, x, y, tx, ty)
    x, y = _plus(4.0 * r4, 4.0 * i4, x, y, tx, ty)
    x, y = _plus(3.0 * r3, 3.0 * i3, x, y, tx, ty)
    x, y = _plus(2.0 * r2, 2.0 * i2, x, y, tx, ty)
    return _plus(r1, i1, x, y, tx, ty)


@inlined
def _norm(re: float, im: float) -> float:
    """Return a bound on ``|re + i im|``."""
    return abs(re) + abs(im)


@inlined
def _product(a: float, b: float, c: float, d: float) -> tuple[float, float]:
    """Return ``(a + bi)(c + di)``."""
    return fma(a, c, -(b * d)), fma(a, d, b * c)


@inlined
def _plus(x: float, y: float, a: float, b: float, c: float, d: float) -> tuple[float, float]:
    """Return ``x + iy + (a + bi)(c + di)``."""
    return fma(a, c, fma(-b, d, x)), fma(a, d, fma(b, c, y))
