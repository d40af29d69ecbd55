"""Models of blocks around a reference orbit and their bounds, against exact rationals (Lemma 25)."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from fractal.exactly import Complex, along, exact, power_of_two, rational
from mandeldask.fractal.escape.perturbation import block_model as bm

advance, shift, rebase = numba.njit(bm.advance), numba.njit(bm.shift), numba.njit(bm.rebase)
value, doubled_value = numba.njit(bm.value), numba.njit(bm.doubled_value)
A = [(bm.A1X, bm.A1Y), (bm.A2X, bm.A2Y), (bm.A3X, bm.A3Y), (bm.A4X, bm.A4Y), (bm.A5X, bm.A5Y)]
LOW = bm.L1X - bm.A1X
DC = 2.0**-12


def models(rng, degrees, middle=1.0):
    """Return lanes with random coefficients up to the given degree, no error, and dc up to `DC` in a part."""
    w = np.zeros(bm.SIZE)
    for i in range(bm.LANES):
        size = 2.0 ** -rng.uniform(2, 30)
        w[bm.X + i], w[bm.Y + i] = rng.normal(size=2) * middle
        w[bm.X_LOW + i], w[bm.Y_LOW + i] = w[bm.X + i] * 2.0**-54 * rng.uniform(-1, 1), w[bm.Y + i] * 2.0**-55
        w[bm.DCX + i], w[bm.DCY + i] = rng.uniform(-DC, DC, 2)
        w[bm.DCX_LOW + i], w[bm.DCY_LOW + i] = w[bm.DCX + i] * 2.0**-54 * rng.uniform(-1, 1), 0.0
        for k, (x, y) in enumerate(A[:degrees]):
            w[x + i], w[y + i] = rng.normal(size=2) * size * 0.5**k
            w[x + LOW + i], w[y + LOW + i] = w[x + i] * 2.0**-54 * rng.uniform(-1, 1), w[y + i] * 2.0**-54
        w[bm.SPREAD + i] = sum(abs(w[x + i]) + abs(w[y + i]) for x, y in A)
    return w


def middle(w, i, rows=(bm.X, bm.X_LOW, bm.Y, bm.Y_LOW)):
    x, x_low, y, y_low = rows
    return Complex.sum_of((w[x + i], w[y + i]), (w[x_low + i], w[y_low + i]))


def model(w, i, t):
    total = Complex(rational(0), rational(0))
    for x, y in reversed(A):
        total = (total + Complex.sum_of((w[x + i], w[y + i]), (w[x + LOW + i], w[y + LOW + i]))) * t
    return total + middle(w, i)


def ts(rng, count=2):
    for angle in rng.uniform(0, 2 * np.pi, count):
        yield along(np.exp(1j * angle), 1.0 if rng.random() < 0.5 else rng.random())


@pytest.mark.parametrize("degrees", [0, 1, 2, 5])
@pytest.mark.parametrize(("modulus", "factor"), [(1.2, 2.0**-20), (0.4, 0.5), (0.0, 1.0), (1.9, 0.0)])
def test_the_next_model_holds_the_images_of_the_block(modulus, factor, degrees):
    """Up to degree 2 nothing is dropped; without coefficients only the middle rounds, with a middle of 0 they do."""
    rng = np.random.default_rng(degrees)
    for share, size in ((0.0, 1.0), (0.0, 0.0), (2.0**-60, 1.0), (2.0**-20, 1.0)):
        w, rho = models(rng, degrees, size), 2.0**-14 if degrees else 0.0
        z = modulus * np.exp(2j * np.pi * rng.random())
        reference = Complex.of(z.real, z.imag)
        low = reference * rational(1, 2**54)
        true_z = reference + low + along(1j * z or 1.0, 2.0**-103 * abs(z))
        w[bm.E : bm.E + bm.LANES] = share
        start, dc_scale = w.copy(), 2.0**-3
        low_x, low_y = float(int(low.re.p) / int(low.re.q)), float(int(low.im.p) / int(low.im.q))
        advance(w, bm.LANES, z.real, low_x, z.imag, low_y, factor, dc_scale, rho, 2 * DC * dc_scale)
        for i in range(bm.LANES):
            dc = middle(start, i, (bm.DCX, bm.DCX_LOW, bm.DCY, bm.DCY_LOW))
            for t in ts(rng):
                dz = model(start, i, t)
                dz += along(complex(true_z + dz * exact(factor)) or 1.0, share)
                image = (true_z + true_z + dz * exact(factor)) * dz + (dc + t * exact(rho)) * exact(dc_scale)
                assert (image - model(w, i, t)).square() <= exact(w[bm.E + i]) ** 2


@pytest.mark.parametrize("degrees", [1, 5])
def test_a_part_and_a_pixel_keep_their_orbits(degrees):
    """t may be wrong by 3 u of itself for values in float64, and by 2^-100 in double-double."""
    rng = np.random.default_rng(20 + degrees)
    for _ in range(20):
        w = models(rng, degrees, middle=0.0 if rng.random() < 0.5 else 2.0 ** -rng.uniform(0, 60))
        start = w.copy()
        for i in range(bm.LANES):
            tx, ty = rng.uniform(-0.6, 0.6, 2)
            low_x, low_y = tx * 2.0**-54 * rng.uniform(-1, 1), ty * 2.0**-54
            x, y = value(start, bm.A1X, i, tx, ty)
            turned = Complex(exact(tx) * (1 + rational(3, 2**53)), exact(ty) * (1 - rational(3, 2**53)))
            lost = model(start, i, turned) - middle(start, i) - Complex.of(x, y)
            assert lost.square() <= exact(bm.VALUE_ERROR * start[bm.SPREAD + i]) ** 2
            t = Complex.sum_of((tx, ty), (low_x, low_y)) * (1 + rational(1, 2**100))
            x, x_low, y, y_low = doubled_value(start, 0, i, tx, low_x, ty, low_y)
            lost = model(start, i, t) - middle(start, i) - Complex.sum_of((x, y), (x_low, y_low))
            assert lost.square() <= exact(bm.SHIFT_ERROR * start[bm.SPREAD + i]) ** 2
            shift(w, i, tx, low_x, ty, low_y, 0.25)
            for part in ts(rng):
                lost = model(start, i, t + part * rational(1, 4)) - model(w, i, part)
                assert lost.square() <= exact(w[bm.E + i]) ** 2


def test_a_rebased_block_keeps_its_orbits():
    rng, record = np.random.default_rng(30), np.zeros(bm.RECORD)
    for exponent in (0, -4, -40):
        for _ in range(200):
            w = models(rng, 1)
            z = rng.normal() + 1j * rng.normal()
            if rng.random() < 0.5:
                scale = 2.0**-exponent
                near = -z * scale * (1 + 2.0 ** -rng.uniform(1, 90))
                w[bm.X], w[bm.Y] = near.real, near.imag
            reference = Complex.of(z.real, z.imag)
            true_z = reference + along(complex(rng.normal(), rng.normal()), abs(z) * 2.0**-103)
            rebase(w, 0, 5, exponent, 16, z.real, 0.0, z.imag, 0.0, 0.0, record)
            unit = power_of_two(int(record[bm.BEXPONENT]))
            kept = Complex.sum_of((record[0], record[2]), (record[1], record[3])) * unit
            lost = true_z + middle(w, 0) * power_of_two(exponent) - kept
            assert lost.square() <= (exact(record[4]) * unit) ** 2


def test_the_error_is_rounded_up():
    """A middle of 0 and an error alone: e' = (2 |Z| + s e) e."""
    rng = np.random.default_rng(40)
    for _ in range(50):
        w = np.zeros(bm.SIZE)
        w[bm.E : bm.E + bm.LANES] = rng.random(bm.LANES)
        start, z = w.copy(), rng.normal() + 1j * rng.normal()
        advance(w, bm.LANES, z.real, 0.0, z.imag, 0.0, 0.5, 1.0, 0.0, 0.0)
        for i in range(bm.LANES):
            e = exact(start[bm.E + i])
            after = exact(w[bm.E + i]) - e * e * rational(1, 2)
            assert after**2 >= 4 * Complex.of(z.real, z.imag).square() * e * e
            assert math.isfinite(w[bm.E + i])
