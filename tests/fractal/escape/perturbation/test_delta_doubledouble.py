"""Differences from a reference in double-double: a step and its bounds, against exact rationals (Lemma 24)."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from fractal.exactly import Complex, along, exact, rational
from mandeldask.fractal.escape.arithmetic import doubledouble
from mandeldask.fractal.escape.perturbation import delta_doubledouble as dd

look, step, rebase = (numba.njit(f) for f in (dd._mark_alone, dd._step, dd._rebase))
add = numba.njit(doubledouble.add)
COUNT, SLOPES = 32, np.empty(0)


def lanes(rng, modulus, scale, size, dc_scale):
    """Return lanes with random dz and dc, and the reference point that each stands at."""
    w = np.zeros(dd.SIZE)
    for i in range(COUNT):
        z = modulus * np.exp(2j * np.pi * rng.random())
        some = rng.normal(size=4)
        rows = zip((dd.REF_X, dd.REF_Y, dd.X, dd.Y, dd.DC_X, dd.DC_Y), (z.real, z.imag, *(some * size)), strict=True)
        for row, high in rows:
            w[row + i] = high * (1e-3 if row in {dd.DC_X, dd.DC_Y} else 1.0)
            w[row + (dd.X_LOW - dd.X) + i] = w[row + i] * 2.0**-54 * rng.uniform(-1, 1)
        w[dd.GX + i], w[dd.GY + i] = rng.normal(size=2) * 2.0 ** rng.uniform(-20, 20)
        w[dd.SCALE + i], w[dd.DC_SCALE + i], w[dd.N + i] = scale, dc_scale, 5.0
    return w


def pair(w, x, y, i):
    low = dd.X_LOW - dd.X
    return Complex.sum_of((w[x + i], w[y + i]), (w[x + low + i], w[y + low + i]))


CASES = [(1.2, 2.0**-30, 1.0, 2.0**-9), (1.5, 1.0, 0.1, 2.0**-10), (1e-3, 1.0, 0.5, 2.0**-10), (1.0, 0.0, 1e9, 1.0)]


@pytest.mark.parametrize(("modulus", "scale", "size", "dc_scale"), CASES)
def test_r_and_q_bound_the_errors_of_a_step(modulus, scale, size, dc_scale):
    rng, spacing = np.random.default_rng(1), 1e-3
    for share in (0.0, 2.0**-96, 2.0**-60, 2.0**-20):
        w = lanes(rng, modulus, scale, size, dc_scale)
        for i in range(COUNT):
            w[dd.R + i] = share * abs(complex(pair(w, dd.X, dd.Y, i)))
            w[dd.Q + i] = min(share * 2.0**40, 0.5) * abs(complex(w[dd.GX + i], w[dd.GY + i]))
        look(w, COUNT, 100)
        start = w.copy()
        step(w, COUNT, spacing, SLOPES)
        for i in range(COUNT):
            z, dz = pair(start, dd.REF_X, dd.REF_Y, i), pair(start, dd.X, dd.Y, i)
            dc = pair(start, dd.DC_X, dd.DC_Y, i) * exact(dc_scale)
            g, added = Complex.of(start[dd.GX + i], start[dd.GY + i]), Complex(exact(spacing * dc_scale), rational(0))
            for direction in (complex(z + dz * exact(scale)) or 1.0, 1j, 1.0):
                true_z = z + along(direction, modulus * 2.0**-103)
                w_true = dz + along(direction, start[dd.R + i])
                lost = (true_z + true_z + w_true * exact(scale)) * w_true + dc - pair(w, dd.X, dd.Y, i)
                assert lost.square() <= exact(w[dd.R + i]) ** 2
                g_true = g + along(complex(g) * direction, start[dd.Q + i])
                slope = (true_z + w_true * exact(scale)) * g_true * rational(2) + added
                assert (slope - Complex.of(w[dd.GX + i], w[dd.GY + i])).square() <= exact(w[dd.Q + i]) ** 2


def test_bounds_are_rounded_up():
    """With no dc and a dz of 0: r' = 2 |Z| r."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        w = lanes(rng, 1.3, 2.0**-40, 0.0, 0.0)
        w[dd.R : dd.R + COUNT] = rng.random(COUNT)
        look(w, COUNT, 100)
        start = w.copy()
        step(w, COUNT, 0.0, None)
        for i in range(COUNT):
            z, r = Complex.of(start[dd.REF_X + i], start[dd.REF_Y + i]), exact(start[dd.R + i])
            assert exact(w[dd.R + i]) ** 2 >= 4 * z.square() * r * r


def test_bounds_of_derivatives_are_rounded_up():
    """With a g of 0: q' = 2 |z| q."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        w = lanes(rng, 1.3, 2.0**-40, 0.0, 0.0)
        w[dd.GX : dd.GX + COUNT] = w[dd.GY : dd.GY + COUNT] = 0.0
        w[dd.Q : dd.Q + COUNT] = rng.random(COUNT)
        look(w, COUNT, 100)
        before = w[dd.Q : dd.Q + COUNT].copy()
        step(w, COUNT, 0.0, SLOPES)
        for i in range(COUNT):
            z = Complex.of(w[dd.ZX + i], w[dd.ZY + i])
            assert exact(w[dd.Q + i]) ** 2 >= 4 * z.square() * exact(before[i]) ** 2


def test_a_rebased_lane_is_within_its_error():
    """As `_attend` rebases: dz = Z + dz in double-double, where Z may be wrong by 2^-103 of it."""
    rng, scale = np.random.default_rng(4), 0.5
    for _ in range(1000):
        w = np.zeros(dd.SIZE)
        z = rng.normal() + 1j * rng.normal()
        near = -z / scale * (1 + 2.0 ** -rng.uniform(1, 110)) if rng.random() < 0.6 else rng.normal() + 1j
        for row, high in ((dd.X, near.real), (dd.Y, near.imag)):
            w[row], w[row + dd.X_LOW - dd.X] = high, high * 2.0**-54 * rng.uniform(-1, 1)
        zx, zx_low = add(z.real, z.real * 2.0**-55, scale * w[dd.X], scale * w[dd.X_LOW])
        zy, zy_low = add(z.imag, z.imag * 2.0**-55, scale * w[dd.Y], scale * w[dd.Y_LOW])
        lost = dd._REFERENCE * (np.hypot(z.real, z.imag) + scale * np.hypot(w[dd.X], w[dd.Y]))
        dz = pair(w, dd.X, dd.Y, 0) * exact(scale)
        rebase(w, 0, zx, zx_low, zy, zy_low, scale, 0, lost, -9)
        reference = Complex.sum_of((z.real, z.imag), (z.real * 2.0**-55, z.imag * 2.0**-55))
        true = reference + along(complex(rng.normal(), rng.normal()), abs(z) * 2.0**-103) + dz
        assert (true - pair(w, dd.X, dd.Y, 0)).square() <= exact(w[dd.R]) ** 2
