"""Lanes of Julia sets: the derivative and its bound against exact rationals, and what a trap takes in (J2, J3)."""

from __future__ import annotations

import numba
import numpy as np

from fractal.exactly import Complex, exact
from mandeldask.fractal.escape.julia import float64_lanes as lanes

differentiate, is_trapped = numba.njit(lanes.differentiate), numba.njit(lanes._is_trapped)


def test_f_bounds_the_relative_error_of_the_derivative():
    rng = np.random.default_rng(1)
    for x, y, gx, gy in rng.uniform(-4, 4, (2000, 4)):
        new_x, new_y, lost = differentiate(x, y, 0.0, gx, gy, 0.0)
        product = Complex.of(x, y) * Complex.of(gx, gy)
        assert (product - Complex.of(new_x, new_y)).square() <= product.square() * exact(lost) ** 2
        r, f = 2.0 ** -rng.uniform(2, 40), rng.uniform(0, 1e6)
        after = exact(differentiate(x, y, 256.0 * r * r, gx, gy, f)[2])
        e = exact(r * r) / Complex.of(x, y).square()  # the square of r / |2z|
        rest = after - exact(f) - exact(lanes.SLOPE_ROUNDING)
        assert rest > 0
        assert rest**2 >= e * (1 + exact(f)) ** 2


def test_a_trap_takes_in_only_what_is_surely_inside():
    w, trap = np.zeros(lanes.SIZE), np.array([[0.25], [0.5], [0.125]])
    for direction in np.exp(2j * np.pi * np.arange(8) / 8):
        for s, distance, inside in ((0.0, 0.124, True), (0.0, 0.125 - 2.0**-21, False), (1.0, 0.0, False)):
            z = 2.0 * (complex(0.25, 0.5) + distance * direction)
            w[lanes.X], w[lanes.Y], w[lanes.S] = z.real, z.imag, s
            assert is_trapped(w, 0, trap) == inside
