"""A disc of c and its slope: one step's error, against exact rationals (Lemma P2)."""

from __future__ import annotations

import numba
import numpy as np

from fractal.exactly import Complex, along, exact, points, rational
from mandeldask.fractal.escape.arithmetic import ball
from mandeldask.fractal.escape.proofs import disc_of_c

next_error, modulus_of = numba.njit(disc_of_c._next_error), numba.njit(ball.modulus_of)


@numba.njit
def step(x, y, bx, by, cx, cy, rho):
    """As `_walk` does it."""
    bx, by = 2.0 * (x * bx - y * by) + rho, 2.0 * (x * by + y * bx)
    return x * x - y * y + cx, 2.0 * x * y + cy, bx, by


def test_the_disc_holds_the_images_of_all_its_points():
    """At t on the edge of the disc, with no slope, a small or a large one, and errors along what they are added to."""
    rng = np.random.default_rng(1)
    for z, c in zip(points(rng, 2.0, 400), points(rng, 2.5, 400), strict=True):
        for size in (0.0, 2.0**-60, 2.0 ** -rng.uniform(0, 40)):
            b = size * np.exp(2j * np.pi * rng.random())
            rho = size * rng.random()
            x, y, bx, by = step(z.real, z.imag, b.real, b.imag, c.real, c.imag, rho)
            spread = modulus_of(b.real, b.imag)
            for error in (0.0, size * 2.0**-10):
                after = exact(next_error(modulus_of(z.real, z.imag), spread, error))
                for turn in (np.conj(b) * z or 1.0, 1j, 1.0):
                    t = along(turn, 1.0)
                    w = Complex.of(z.real, z.imag) + Complex.of(b.real, b.imag) * t
                    w += along(complex(w), error)
                    image = w * w + Complex.of(c.real, c.imag) + t * exact(rho)
                    assert (image - Complex.of(x, y) - Complex.of(bx, by) * t).square() <= after**2


def test_the_error_is_rounded_up():
    rng = np.random.default_rng(2)
    for m, spread, error in rng.uniform(0, 2, (1000, 3)):
        reach = exact(spread) + exact(error)
        least = reach * reach + 2 * exact(m) * exact(error) + exact(disc_of_c._ROUNDING) * rational(1)
        assert exact(next_error(m, spread, error)) >= least
