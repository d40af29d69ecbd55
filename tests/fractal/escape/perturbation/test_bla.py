"""Leaps by bilinear approximation and their bounds, against exact rationals (Lemma 26)."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from fractal.exactly import Complex, along, exact, rational
from mandeldask.fractal.escape.perturbation import bla, delta_skip
from mandeldask.fractal.escape.perturbation import delta_step as ds

grow_error, bla_skip, bla_skip_slope = (
    numba.njit(ds.grow_error),
    numba.njit(delta_skip.bla_skip),
    numba.njit(delta_skip.bla_skip_slope),
)
single, merged = numba.njit(bla._single), numba.njit(bla._merged)
COUNT = 24
NOTHING = Complex(rational(0), rational(0))


def orbit(rng, length):
    """Points as a reference has them, and points that they may be rounded from."""
    z = (0.05 + 1.9 * rng.random(length)) * np.exp(2j * np.pi * rng.random(length))
    kept = [Complex.of(one.real, one.imag) for one in z]
    turns = np.exp(2j * np.pi * rng.random(length))
    return z, [a + along(complex(a) * t, abs(complex(a)) * 2.1 * 2.0**-53) for a, t in zip(kept, turns, strict=True)]


def entry(z, dc_most):
    """Merge the steps as the table does: eight in a row, then by halves."""
    entries = []
    for first in range(0, len(z), 8):
        one = single(z[first].real, z[first].imag)
        for k in range(first + 1, first + 8):
            one = merged(one, single(z[k].real, z[k].imag), dc_most)
        entries.append(one)
    while len(entries) > 1:
        entries = [merged(a, b, dc_most) for a, b in zip(entries[::2], entries[1::2], strict=True)]
    return entries[0]


@pytest.mark.parametrize("fields", [False, True])
@pytest.mark.parametrize("length", [8, 16, 64])
def test_a_leap_is_within_its_error(length, fields):
    """dz just within the radius, dc as large as the table allows; errors before it as large as S says, or none."""
    rng = np.random.default_rng(length)
    for steps, share in ((16, 0.0), (1000, 0.0), (1000, 2.0**-50), (100_000, 2.0**-30)):
        bound, exponent = ds.bound_for(steps), -140
        z, true_z = orbit(rng, length)
        dc_most = float(exponent) - 10.0
        a_x, a_y, b_x, b_y, b_most, radius = entry(z, dc_most)
        assert radius > -300
        scale_bits = int(np.floor(radius)) - 1  # w of modulus up to 2 fits the radius
        w = np.zeros(ds.SIZE)
        angles = rng.random((2, COUNT)) * 2 * np.pi
        some = 2.0 ** (radius - 1e-5 - scale_bits) * (1 - 2.0**-20) * np.exp(1j * angles[0])
        dc = 2.0 ** (dc_most - scale_bits) * (1 - 2.0**-20) * np.exp(1j * angles[1])
        for row, values in ((ds.X, some), (ds.DC_X, dc), (ds.GX, np.exp(1j * angles[1]))):
            w[row : row + COUNT] = values.real
            w[row + ds.Y - ds.X : row + ds.Y - ds.X + COUNT] = values.imag
        r = share * 2.0
        w[ds.S : ds.S + COUNT] = bound.u * r * r * (1 + 2.0**-50)
        start, dc_size = w.copy(), max(abs(dc)) * (1 + 2.0**-50)
        spacing = dc_size * 2.0**-8
        if fields:
            bla_skip_slope(w, COUNT, a_x, a_y, b_x, b_y, b_most, length, spacing, bound)
        grow_error(w, COUNT, np.hypot(a_x, a_y) * (1 + 2.0**-50), b_most, length, dc_size, bound)
        bla_skip(w, COUNT, a_x, a_y, b_x, b_y)
        scale = rational(1, 2**-scale_bits)
        for i in range(COUNT):
            now = Complex.of(start[ds.X + i], start[ds.Y + i]) + along(some[i] * 1j ** int(rng.integers(4)), r)
            true_dc = Complex.of(start[ds.DC_X + i], start[ds.DC_Y + i])
            g, added = Complex.of(start[ds.GX + i], start[ds.GY + i]), Complex(exact(spacing), rational(0))
            for one in true_z:
                g = ((one + now * scale) * g * rational(2) + added).trimmed()
                now = ((one + one + now * scale) * now + true_dc).trimmed()
            assert exact(bound.u) * (now - Complex.of(w[ds.X + i], w[ds.Y + i])).square() <= exact(w[ds.S + i])
            if fields and not r:
                assert (g - Complex.of(w[ds.GX + i], w[ds.GY + i])).square() <= exact(w[ds.Q + i])


def test_steps_that_are_too_close_to_zero_are_not_merged():
    assert single(0.0, 0.0)[5] == bla.NEVER
    one = single(0.5, 0.5)
    assert merged(single(2.0**-250, 0.0), one, -100.0)[5] == bla.NEVER
    assert merged(one, one, -50.0)[5] == bla.NEVER  # dc alone leaves the radius
