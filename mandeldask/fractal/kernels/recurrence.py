"""One step of z^2 + c in float64, the bounds it carries, and what they decide: docs/explanation/exactness.md.

Written for numbers; a loop of it over lanes is vectorised. The order of operations is fixed and holds no fused
multiply-add, so that every machine rounds alike.
"""

from __future__ import annotations

from mandeldask.fractal.kernels.compiled import inlined

SCALE = 256.0
"""S / r^2; also 1 / (4 kappa), kappa = 2^-10 being the loss allowed for bounding the square of a sum."""
GROWTH = 4.0 * (1.0 + 2.0**-10) ** 2 * (1.0 + 2.0**-40)
ROUNDING = 256.0 * 1025.0 * (20.0 * 2.0**-53) ** 2
"""256 (1 + 1/kappa) eps^2, where eps = 20 * 2^-53 is more than one step's rounding, that of c included; the least S."""
_DERIVATIVE_ROUNDING = 2.0**-88
"""More than (1 + 1/kappa) 2 (8 * 2^-53)^2: what adding 1 loses, and what rounding loses, beside the share of S."""


@inlined
def iterate(x, y, s, cx, cy):
    """Return the next iterate x, y and its S: 256 times the square of a bound on the distance from the exact one."""
    xx = x * x
    yy = y * y
    s = ((xx + yy) + s) * s * GROWTH + ROUNDING
    return (xx - yy) + cx, (x + x) * y + cy, s


@inlined
def differentiate(x, y, s, dx, dy, q):
    """Return the next dz/dc and the square q of a bound on its distance from the exact one."""
    q = (x * x + y * y + 16.0 * s) * q * GROWTH + 33.0 * s * (dx * dx + dy * dy) + _DERIVATIVE_ROUNDING
    return (x + x) * dx - (y + y) * dy + 1.0, (x + x) * dy + (y + y) * dx, q


@inlined
def unsure(m, s):
    """Whether the exact iterate may be on the other side of |z| = 2 than one with ``|z|^2 = m``."""
    return not ((m - 4.0) * (m - 4.0) * 100.0 > (m + 4.0) * s)
