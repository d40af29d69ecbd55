"""Pixels where the polynomial of their block ends, and their derivatives, against exact rationals (Lemma 29)."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from fractal.exactly import Complex, exact, power_of_two, rational
from mandeldask.fractal.escape.perturbation import block_model as bm
from mandeldask.fractal.escape.perturbation import block_pixels, pixel_pool
from mandeldask.fractal.escape.perturbation.block_pixels import Frame

write, radius = numba.njit(block_pixels.write_pixels), numba.njit(block_pixels.radius)
A = [(bm.A1X, bm.A1Y), (bm.A2X, bm.A2Y), (bm.A3X, bm.A3Y), (bm.A4X, bm.A4Y), (bm.A5X, bm.A5Y)]
SIDE, U, NOTHING, ONE = 16, 512.0, Complex(rational(0), rational(0)), Complex(rational(1), rational(0))
STEPS, LOST = (2.0**-20 * 1.1, -(2.0**-20) * 0.9), (2.0**-74 * 0.7, 2.0**-74 * 0.3)
DISTANCES = [exact(step) + exact(lost) for step, lost in zip(STEPS, LOST, strict=True)]


def block(rng, spread):
    """Return a workspace whose first lane is a block with a model, before its last step."""
    w = np.zeros(bm.SIZE)
    for row, value in zip((bm.X, bm.Y), rng.normal(size=2), strict=True):
        w[bm.OLD + row], w[bm.OLD + row + bm.X_LOW - bm.X] = value, value * 2.0**-54 * rng.uniform(-1, 1)
    for x, y in A:
        w[bm.OLD + x], w[bm.OLD + y] = rng.normal(size=2) * spread
        for row in (x, y):
            w[bm.OLD + row + bm.L1X - bm.A1X] = w[bm.OLD + row] * 2.0**-54 * rng.uniform(-1, 1)
    return w


def coefficients(w):
    """Return the middle and the coefficients, exactly."""
    low = bm.L1X - bm.A1X
    rows = [(bm.X, bm.Y, bm.X_LOW - bm.X), *((x, y, low) for x, y in A)]
    return [Complex.sum_of(*((w[bm.OLD + x + k], w[bm.OLD + y + k]) for k in (0, lost))) for x, y, lost in rows]


def at(polynomial, t):
    total = NOTHING
    for one in reversed(polynomial):
        total = total * t + one
    return total


def written(w, error, width, exponent=0, z=(0.0, 0.0)):
    """Return a row of a pool for each pixel, and t there."""
    w[bm.OLD + bm.E] = error
    frame = Frame(
        np.zeros((2, 1)), np.zeros((2, 1)), 0, 1.0, *STEPS, *LOST, block_pixels.DERIVATIVE_STRETCH, bm.MOST_DROPPED
    )
    rho, pool = radius(frame, SIDE), np.zeros((SIDE * SIDE, width))
    assert write(w, 0, 5, exponent, SIDE, rho, *z, frame, np.ones((SIDE, SIDE), bool), U, pool, 0) == SIDE * SIDE
    ts = []
    for pixel in pool[:, pixel_pool.PIXEL].astype(int):
        row, col = divmod(int(pixel), SIDE)
        parts = [step * (k - SIDE // 2) / exact(rho) for step, k in zip(DISTANCES, (col, row), strict=True)]
        ts.append(Complex(*parts))
    return pool, ts, rho


@pytest.mark.parametrize("spread", [1.0, 2.0**-30, 2.0**-64])
@pytest.mark.parametrize("width", [pixel_pool.ROWS.size, pixel_pool.DOUBLE_DOUBLE.size])
def test_pixels_are_as_near_to_their_orbits_as_they_say(width, spread):
    rng = np.random.default_rng(1)
    for z, exponent in ((0.0, 0.0), 0), ((0.7, -1.1), -3):
        if any(z) and width > pixel_pool.X_LOW:
            continue
        w = block(rng, spread)
        pool, ts, _ = written(w, 0.0, width, exponent, z)
        polynomial = coefficients(w)
        for pixel, t in zip(pool[::7], ts[::7], strict=True):
            kept = Complex.of(pixel[pixel_pool.X], pixel[pixel_pool.Y])
            if width > pixel_pool.X_LOW:
                kept += Complex.of(pixel[pixel_pool.X_LOW], pixel[pixel_pool.Y_LOW])
            true = Complex.of(*z) + at(polynomial, t) * power_of_two(exponent)
            assert (true - kept).square() * exact(U) <= exact(pixel[pixel_pool.S])


@pytest.mark.parametrize("error", [0.0, 2.0**-20])
def test_derivatives_are_as_near_as_they_say_for_any_error_that_the_disc_allows(error):
    """The error e (t - a) / (1 - a* t), at most e on the disc, has the greatest derivative at a: e / (1 - |a|^2)."""
    rng = np.random.default_rng(2)
    for z, exponent in (((0.0, 0.0), 0), ((0.0, 0.0), -9), ((0.7, -1.1), -3)):
        w = block(rng, 2.0**-10)
        pool, ts, rho = written(w, error, pixel_pool.WITH_DERIVATIVE.size, exponent, z)
        unit = power_of_two(exponent if any(z) else 0)
        polynomial = coefficients(w)
        derivative = [one * rational(k) for k, one in enumerate(polynomial)][1:]
        for pixel, t in zip(pool[::5], ts[::5], strict=True):
            assert t.square() <= rational(4, 9)
            extra = Complex(exact(error) / (1 - t.square()), rational(0))
            true = (at(derivative, t) + extra) * (DISTANCES[0] / exact(rho)) * unit
            lost = true - Complex.of(pixel[pixel_pool.GX], pixel[pixel_pool.GY])
            assert lost.square() <= exact(pixel[pixel_pool.Q])
