"""Models of blocks around a reference orbit and their bounds, against exact rationals (Lemma 25)."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from fractal.block_models import middle, model, models, ts
from fractal.exactly import Complex, along, exact, power_of_two, rational
from mandeldask.fractal.escape.perturbation import block_model as bm

shift, rebase = numba.njit(bm.shift), numba.njit(bm.rebase)
value, doubled_value = numba.njit(bm.value), numba.njit(bm.value_in_double_double)


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
