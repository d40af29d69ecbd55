"""Pixels next to the circle, where the reference is next to it: decided rightly, against exact rationals (Lemma 21)."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from fractal.exactly import Complex, along, power_of_two
from mandeldask.fractal.escape.perturbation import delta_step as ds
from mandeldask.fractal.escape.perturbation.delta_edge import decide_at_edge

decide = numba.njit(decide_at_edge)
COUNT = 48


def at(w, row, i):
    return Complex.of(w[row + i], w[row + (ds.Y - ds.X) + i])


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_edge_is_decided_rightly(share):
    """Z near the circle, with |Z|^2 - 4 known exactly, and dz that brings z to within a rounding of the circle."""
    rng, bound, exponent = np.random.default_rng(12), ds.bound_for(1000), -60
    scale, decided = 2.0**exponent, 0
    for _ in range(60):
        angle = 2 * np.pi * rng.random()
        true = along(np.exp(1j * angle), 2) + along(complex(rng.normal(), rng.normal()), 2.0 ** -rng.uniform(58, 62))
        z = complex(true)
        excess = true.square() - 4
        mantissa, shift = math.frexp(int(excess.p) / int(excess.q))
        w = np.zeros(ds.SIZE)
        target = -float(int(excess.p) / int(excess.q)) / scale  # 2 Re(Z* w) that brings it to the circle
        along_z, noise = target / (2.0 * abs(z)) * z / abs(z), 2.0 ** -rng.uniform(40, 54, COUNT)
        some = along_z * (1 + noise * rng.normal(size=COUNT) + 1j * rng.normal(size=COUNT))
        w[ds.X : ds.X + COUNT], w[ds.Y : ds.Y + COUNT] = some.real, some.imag
        w[ds.MARK : ds.MARK + COUNT] = ds.OPEN
        r = share * 2.0**-52
        w[ds.S : ds.S + COUNT] = bound.u * r * r * (1 + 2.0**-50)
        edge = np.array([mantissa, shift, 0.0, 0.0])
        decide(w, COUNT, z.real, z.imag, scale, bound, edge, exponent)
        for i in range(COUNT):
            mark = w[ds.MARK + i]
            if mark == ds.OPEN:
                continue
            decided += 1
            here = true + at(w, ds.X, i) * power_of_two(exponent)
            outward = 1.0 if mark == ds.STAY else -1.0
            moved = here + along(complex(here) * outward, r) * power_of_two(exponent)
            assert (moved.square() > 4) == (mark == ds.OUT)
    assert decided > 0
