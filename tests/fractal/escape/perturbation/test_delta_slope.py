"""Derivatives in steps that need no look, and the bound on their errors, against exact rationals (Lemma 30)."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from fractal.exactly import Complex, along, exact, rational
from mandeldask.fractal.escape.perturbation import delta_slope
from mandeldask.fractal.escape.perturbation import delta_step as ds

grow_slope_error = numba.njit(delta_slope.grow_slope_error)
step = numba.njit(delta_slope.slope_step_without_bound)
COUNT, FROM_X_TO_Y = 32, ds.Y - ds.X


def at(w, row, i):
    return Complex.of(w[row + i], w[row + FROM_X_TO_Y + i])


def moduli(w, row):
    return abs(w[row : row + COUNT] + 1j * w[row + FROM_X_TO_Y : row + FROM_X_TO_Y + COUNT])


@pytest.mark.parametrize("length", [1, 3, 8])
@pytest.mark.parametrize(("r", "q"), [(0.0, 0.0), (2.0**-30, 0.0), (0.0, 2.0**-25), (2.0**-20, 2.0**-40)])
def test_the_bound_holds_after_several_steps(r, q, length):
    rng, bound = np.random.default_rng(length), ds.bound_for(1000)
    for slope_size, spacing in ((1.0, 2.0**-30), (2.0**-20, 2.0**-18), (1.0, 0.0)):
        scale, dc_scale, w = 2.0 ** -rng.uniform(6, 30), 2.0**-6, np.zeros(ds.SIZE)
        orbit = [(0.4 + 1.4 * rng.random()) * np.exp(2j * np.pi * rng.random()) for _ in range(length)]
        for row, size in ((ds.X, 1.0), (ds.GX, slope_size), (ds.DC_X, 1.0)):
            for part in (row, row + FROM_X_TO_Y):
                w[part : part + COUNT] = rng.normal(size=COUNT) * size
        w[ds.S : ds.S + COUNT] = bound.u * r * r * (1 + 2.0**-50)
        q_start = q * moduli(w, ds.GX)
        w[ds.Q : ds.Q + COUNT] = q_start**2 * (1 + 2.0**-50)
        most, dc_size = (
            (moduli(w, ds.X).max() + r) * (1 + 2.0**-40),
            moduli(w, ds.DC_X).max() * dc_scale * (1 + 2.0**-40),
        )
        growth, added, bent = 1.0, 0.0, 0.0
        for z in orbit:  # as `delta_groups` takes safe steps
            slope = 2.0 * (abs(z) + scale * most) * (1 + 2.0**-40)
            bent += 2.0 * scale * growth / slope
            growth, added = slope * growth, slope * added + 1.0 + 2.0**-40
            most = ((2.0 * abs(z) + scale * most) * most + dc_size) * (1 + 2.0**-40)
        start = w.copy()
        grow_slope_error(w, COUNT, growth, added, bent, length, dc_size, spacing, bound)
        for z in orbit:
            step(w, COUNT, z.real, z.imag, scale, dc_scale, spacing)
        directions = [1.0, 1j, -1.0] if r or q else [1.0]
        for i in range(COUNT):
            for direction in directions:
                dz = at(start, ds.X, i) + along(direction, r)
                g = at(start, ds.GX, i) + along(complex(at(start, ds.GX, i)) * direction, q_start[i])
                dc = at(start, ds.DC_X, i) * exact(dc_scale)
                for z in orbit:
                    reference = Complex.of(z.real, z.imag)
                    reference += along(z * direction, abs(z) * 2.1 * 2.0**-53)
                    g = (reference + dz * exact(scale)) * g * rational(2) + Complex(exact(spacing), rational(0))
                    dz = (reference + reference + dz * exact(scale)) * dz + dc
                    g, dz = g.trimmed(), dz.trimmed()
                assert (g - at(w, ds.GX, i)).square() <= exact(w[ds.Q + i])
