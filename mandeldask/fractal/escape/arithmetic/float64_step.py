"""One step of z^2 + c in float64, the bounds it carries, and what they decide: Lemmas 3, 4 and 14.

Written for numbers; a loop of it over lanes is vectorised. z and c are kept doubled, which saves what would double them
at every step. The order of operations is fixed, multiply-adds included, so that every machine rounds in the same way.
"""

from __future__ import annotations

from mandeldask.fractal.escape.arithmetic.doubledouble import fma
from mandeldask.fractal.escape.arithmetic.error_bound import ErrorBound
from mandeldask.fractal.escape.arithmetic.jit import inlined

SCALE = 256.0
"""S / r^2, r being the bound for the doubled z; also 1 / (4 kappa), kappa = 2^-10 being the loss allowed for bounding
the square of a sum."""
STEPS = 8
"""Steps after which S has to be multiplied by `GROWTH` again."""
GROWTH: ErrorBound = ((1.0 + 2.0**-10) ** 2 * (1.0 + 2.0**-40)) ** STEPS
"""What S is multiplied by before `STEPS` steps, which then do without it."""
_NOISE: ErrorBound = SCALE * 1025.0 * GROWTH * 2.0**-106
"""256 (1 + 1/kappa) u^2, growth included."""
ROUNDING: ErrorBound = 300.0 * _NOISE
"""What is added to S at every step, and so the least S; times |2z|^2 it is more than what rounding loses inside."""
FAR_ROUNDING: ErrorBound = 4.0 * _NOISE
"""What has to be added to S, times |2z|^4, after a step from outside."""
DERIVATIVE_GROWTH: ErrorBound = ((1.0 + 2.0**-6) ** 2 * (1.0 + 2.0**-40)) ** STEPS
"""The same for the bound of the derivative, whose kappa is 2^-6."""
DERIVATIVE_SHARE: ErrorBound = 0.525 * DERIVATIVE_GROWTH
"""What Q is multiplied by to bound the square of an error of dz/dc: 8 (1 + 1/kappa) / 1024, 1 + kappa for the step that
`slope_square` is used twice, and a sixtieth more for what rounding loses."""
_LEAST_SLOPE: ErrorBound = 2.0**-6
"""What is added to |dz/dc|^2: it covers the part of a rounding that does not grow with dz/dc."""
_ADDED: ErrorBound = 66.0
"""More than 1 + 1/kappa: what adding 1 to dz/dc adds to the bound of its square."""


@inlined
def iterate(x, y, s, cx, cy):
    """Return the next iterate x, y and its S: 256 times the square of a bound on the distance from the exact one."""
    m = _square(x, y)
    return fma(-0.5, m, fma(x, x, cx)), fma(x, y, cy), fma(m + s, s, ROUNDING)


@inlined
def differentiate(x, y, dx, dy):
    """Return the next dz/dc."""
    return fma(x, dx, fma(-y, dy, 1.0)), fma(x, dy, y * dx)


@inlined
def slope_square(dx, dy):
    """Return P, a bound on |dz/dc|^2, for `amplify` to use twice."""
    return fma(dy, dy, fma(dx, dx, _LEAST_SLOPE))


@inlined
def amplify(x, y, s, q, p):
    """Return Q and P of the next dz/dc: DERIVATIVE_SHARE Q bounds the square of its distance from the exact one."""
    t = _square(x, y) + s
    return fma(t, q, s * p), fma(t, p, _ADDED)


@inlined
def _square(x, y):
    """Return |2z|^2."""
    return fma(x, x, y * y)


@inlined
def unsure(m, s):
    """Whether the exact iterate may be on the other side of |z| = 2 than one with ``|2z|^2 = m``."""
    return not ((m - 16.0) * (m - 16.0) * 100.0 > (m + 16.0) * s)
