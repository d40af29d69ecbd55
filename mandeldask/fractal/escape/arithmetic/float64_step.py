"""One step of z^2 + c in float64, the error bounds it carries, and the test that uses them: Lemmas 3, 4 and 14.

The functions take scalars; a loop of them over lanes is vectorised. The variables hold 2z and 2c, which saves a
multiplication by 2 at every step. The order of operations is fixed, multiply-adds included, so that every machine
rounds in the same way.
"""

from __future__ import annotations

from mandeldask.fractal.escape.arithmetic.doubledouble import fma
from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inlined

SCALE = 256.0
"""S / r^2, where r bounds the error of 2z; also 1 / (4 kappa), where kappa = 2^-10 is the loss accepted for bounding
the square of a sum."""
STEPS = 8
"""Number of steps after which S is multiplied by `GROWTH` again."""
GROWTH: ErrorBound = ((1.0 + 2.0**-10) ** 2 * (1.0 + 2.0**-40)) ** STEPS
"""Factor on S before `STEPS` steps, in place of a smaller factor at each of them."""
_SQUARED_ROUNDING: ErrorBound = SCALE * 1025.0 * GROWTH * 2.0**-106
"""256 (1 + 1/kappa) u^2, growth included."""
ROUNDING: ErrorBound = 300.0 * _SQUARED_ROUNDING
"""Added to S at every step, so S is never smaller; times |2z|^2 it bounds the rounding error for |z| <= 2."""
FAR_ROUNDING: ErrorBound = 4.0 * _SQUARED_ROUNDING
"""Added to S, times |2z|^4, after a step from outside."""
DERIVATIVE_GROWTH: ErrorBound = ((1.0 + 2.0**-6) ** 2 * (1.0 + 2.0**-40)) ** STEPS
"""As `GROWTH`, for the bound on the derivative's error, with kappa = 2^-6."""
DERIVATIVE_SHARE: ErrorBound = 0.525 * DERIVATIVE_GROWTH
"""Factor on Q that bounds the squared error of dz/dc: 8 (1 + 1/kappa) / 1024, times 1 + kappa since `slope_square` is
used for two steps, and a sixtieth more for rounding."""
_LEAST_SLOPE: ErrorBound = 2.0**-6
"""Added to |dz/dc|^2: it covers the part of the rounding error that does not grow with dz/dc."""
_ADDED_ONE: ErrorBound = 66.0
"""More than 1 + 1/kappa: the part of the bound on |dz/dc|^2 that comes from the added 1."""


@inlined
def iterate(x: float, y: float, s: float, cx: float, cy: float) -> tuple[float, float, float]:
    """Return the next iterate x, y and its S: 256 times the square of a bound on the distance from the exact one."""
    m = _square(x, y)
    return fma(-0.5, m, fma(x, x, cx)), fma(x, y, cy), fma(m + s, s, ROUNDING)


@inlined
def differentiate(x: float, y: float, dx: float, dy: float) -> tuple[float, float]:
    """Return the next dz/dc."""
    return differentiate_in_units(x, y, dx, dy, 1.0)


@inlined
def differentiate_in_units(x: float, y: float, dx: float, dy: float, one: float) -> tuple[float, float]:
    """Return the next dz/dc, in units in which 1 is `one`."""
    return fma(x, dx, fma(-y, dy, one)), fma(x, dy, y * dx)


@inlined
def slope_square(dx: float, dy: float) -> float:
    """Return P, a bound on |dz/dc|^2, for `next_slope_bound` to use twice."""
    return fma(dy, dy, fma(dx, dx, _LEAST_SLOPE))


@inlined
def next_slope_bound(x: float, y: float, s: float, q: float, p: float) -> tuple[float, float]:
    """Return Q and P of the next dz/dc: DERIVATIVE_SHARE Q bounds the square of its distance from the exact one."""
    t = _square(x, y) + s
    return fma(t, q, s * p), fma(t, p, _ADDED_ONE)


@inlined
def _square(x: float, y: float) -> float:
    """Return |2z|^2."""
    return fma(x, x, y * y)


@inlined
def is_undecided(m: float, s: float) -> bool:
    """Whether the exact iterate may be on the other side of |z| = 2 from the computed one, for which ``|2z|^2 = m``."""
    return not ((m - 16.0) * (m - 16.0) * 100.0 > (m + 16.0) * s)
