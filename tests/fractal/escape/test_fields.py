"""Fields far out: the bounds that an orbit carries there, against exact rationals (Lemmas 13 to 15)."""

from __future__ import annotations

import numba
import numpy as np

from fractal.exactly import Complex, along, directions, exact, points, rational
from mandeldask.fractal.escape import fields

bounds_after, step = numba.njit(fields.bounds_after), numba.njit(fields.step)
log2 = numba.njit(fields.log2)


def test_bounds_after_a_step_hold():
    rng = np.random.default_rng(1)
    for z, c in zip(points(rng, 40.0, 500), points(rng, 2.1, 500), strict=True):
        g_x, g_y, spacing = *(float(v) for v in rng.normal(size=2) * 2.0 ** rng.uniform(-9, 30)), 2.0**-8
        x, y, cx, cy = (float(v) for v in (z.real, z.imag, c.real, c.imag))
        new = step(x, y, cx, cy, g_x, g_y, spacing)
        for share in (0.0, 2.0**-50, 2.0**-30):
            r, q = share * abs(z), share * abs(complex(g_x, g_y))
            after_r, after_q = bounds_after(x * x + y * y, cx * cx + cy * cy, g_x, g_y, r, q, spacing)
            true_c = Complex.of(cx, cy) * (1 + rational(1, 2**53))
            for direction in directions(z, complex(new[0], new[1]), rng):
                true_z = Complex.of(x, y) + along(direction, r)
                true_g = Complex.of(g_x, g_y) + along(complex(g_x, g_y) * direction / (z or 1.0) or 1.0, q)
                assert (true_z * true_z + true_c - Complex.of(*new[:2])).square() <= exact(after_r) ** 2
                slope = true_z * true_g * rational(2) + Complex(exact(spacing), rational(0))
                assert (slope - Complex.of(*new[2:])).square() <= exact(after_q) ** 2


def test_bounds_are_rounded_up():
    rng = np.random.default_rng(3)
    for square, c2, r in rng.uniform(0, 9, (1000, 3)):
        after_r, after_q = (exact(one) for one in bounds_after(square, c2, 3.0, 0.0, r, 0.0, 0.0))
        # r' - r^2 - ROUNDING |z|^2 >= 2 |z| r + ROUNDING |c|, and q' >= 6 r + 3 ROUNDING |z|
        left = after_r - exact(r) ** 2 - exact(fields.ROUNDING) * exact(square)
        assert left >= 0
        assert left**2 >= 4 * exact(square) * exact(r) ** 2
        assert (after_q - 6 * exact(r)) ** 2 >= (3 * exact(fields.ROUNDING)) ** 2 * exact(square)


def test_the_logarithm_is_within_its_error():
    rng = np.random.default_rng(2)
    values = 2.0 ** rng.uniform(-1000, 1000, 2000)
    found = np.array([log2(value) for value in values])
    np.testing.assert_allclose(found, np.log2(values), rtol=0, atol=2.0**-23)
