"""A step of models of blocks around a reference orbit and its bound, against exact rationals (Lemma 25)."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from fractal.block_models import DC, middle, model, models, ts
from fractal.exactly import Complex, along, exact, rational
from mandeldask.fractal.escape.perturbation import block_model as bm
from mandeldask.fractal.escape.perturbation import block_step
from mandeldask.fractal.escape.perturbation.block_step import STEP_SIZE

advance = numba.njit(block_step.advance)


@pytest.mark.parametrize("most", [2.0**-400, 1.0])
@pytest.mark.parametrize("degrees", [0, 1, 2, 5])
@pytest.mark.parametrize(("modulus", "factor"), [(1.2, 2.0**-20), (0.4, 0.5), (0.0, 1.0), (1.9, 0.0)])
def test_the_next_model_holds_the_images_of_the_block(modulus, factor, degrees, most):
    """Up to degree 2 nothing is dropped; without coefficients only the middle rounds, with a middle of 0 they do.

    With a large `most`, what is small is in float64, unless Z is 0.
    """
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
        advance(w, bm.LANES, z.real, low_x, z.imag, low_y, factor, dc_scale, rho, 2 * DC * dc_scale, most)
        for i in range(bm.LANES):
            dc = middle(start, i, (bm.DCX, bm.DCX_LOW, bm.DCY, bm.DCY_LOW))
            for t in ts(rng):
                dz = model(start, i, t)
                dz += along(complex(true_z + dz * exact(factor)) or 1.0, share)
                image = (true_z + true_z + dz * exact(factor)) * dz + (dc + t * exact(rho)) * exact(dc_scale)
                assert (image - model(w, i, t)).square() <= exact(w[bm.E + i]) ** 2


def test_the_error_is_rounded_up():
    """A middle of 0 and an error alone: e' = (2 |Z| + s e) e."""
    rng = np.random.default_rng(40)
    for _ in range(50):
        w = np.zeros(STEP_SIZE)
        w[bm.E : bm.E + bm.LANES] = rng.random(bm.LANES)
        start, z = w.copy(), rng.normal() + 1j * rng.normal()
        advance(w, bm.LANES, z.real, 0.0, z.imag, 0.0, 0.5, 1.0, 0.0, 0.0, 1.0)
        for i in range(bm.LANES):
            e = exact(start[bm.E + i])
            after = exact(w[bm.E + i]) - e * e * rational(1, 2)
            assert after**2 >= 4 * Complex.of(z.real, z.imag).square() * e * e
            assert math.isfinite(w[bm.E + i])
