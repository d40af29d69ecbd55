"""One step of a disc of orbits, against exact rationals (Lemma P1)."""

from __future__ import annotations

import math

import numba
import numpy as np

from fractal.exactly import Complex, along, directions, exact, points, sizes
from mandeldask.fractal.escape.arithmetic import ball

widened, modulus_of = numba.njit(ball.widened), numba.njit(ball.modulus_of)
out, inside = numba.njit(ball.certainly_out), numba.njit(ball.certainly_in)


@numba.njit
def middle(x, y, cx, cy):
    """The middle's step as `attracting_cycle` and `disc_of_c` write it."""
    return x * x - y * y + cx, 2.0 * x * y + cy


def test_the_disc_holds_the_image_of_every_point():
    rng = np.random.default_rng(1)
    for z, c in zip(points(rng, 2.5, 500), points(rng, 2.5, 500), strict=True):
        middle_z, middle_c = Complex.of(z.real, z.imag), Complex.of(c.real, c.imag)
        computed = Complex.of(*middle(z.real, z.imag, c.real, c.imag))
        lost = complex(middle_z * middle_z + middle_c - computed)
        for r in sizes(abs(lost), abs(z), rng):
            for rho in (0.0, 2.0**-60, r):
                radius = widened(modulus_of(z.real, z.imag), r, rho)
                for direction in directions(z, lost, rng):
                    w = along(direction, r)
                    image = (middle_z + w) * (middle_z + w) + middle_c + along(z * direction or 1.0, rho)
                    assert (image - computed).square() <= exact(radius) ** 2


def test_radius_and_modulus_are_rounded_up():
    rng = np.random.default_rng(2)
    for m, r, rho in rng.uniform(0.0, 2.5, (2000, 3)):
        assert exact(widened(m, r, rho)) >= (2 * exact(m) + exact(r)) * exact(r) + exact(rho) + exact(ball.ROUNDING)
        assert exact(modulus_of(m, r)) ** 2 >= exact(m) ** 2 + exact(r) ** 2


def test_comparisons_with_2_are_certain():
    rng = np.random.default_rng(3)
    for angle, r, gap in zip(
        rng.uniform(0, 7, 3000), rng.uniform(0, 1, 3000), rng.normal(size=3000) * 2.0**-46, strict=True
    ):
        for side in (1.0, -1.0):
            m = 2.0 + side * r + gap
            x, y = m * math.cos(angle), m * math.sin(angle)
            modulus = modulus_of(x, y)
            square, r2 = Complex.of(x, y).square(), exact(r)
            if out(modulus, r):  # |z| - r > 2
                assert square > (2 + r2) ** 2
            if inside(modulus, r):  # |z| + r < 2
                assert square < (2 - r2) ** 2
