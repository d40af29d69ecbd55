"""What a minibrot's map is wrong by, against exact rationals (Lemma P4)."""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb, ctx

from fractal.exactly import Complex, along, exact, power_of_two, rational
from mandeldask.fractal.escape.proofs import minibrot_stage as ms


def orbit(rng, period, largest=1.4):
    """Return Z_0 ... Z_(period - 1) as floats, and points that they may be rounded from."""
    z = np.exp(2j * np.pi * rng.random(period)) * rng.uniform(0.6, largest, period)
    turns = np.exp(2j * np.pi * rng.random(period))
    kept = [Complex.of(one.real, one.imag) for one in z]
    return z, [a + along(complex(a) * t, abs(complex(a)) * 2.1 * 2.0**-53) for a, t in zip(kept, turns, strict=True)]


@pytest.mark.parametrize("period", [20, 60, 200])
def test_the_map_is_within_its_error(period):
    """dz after `period` steps from the largest z and dc that are allowed, against A z^2 + B dc."""
    rng = np.random.default_rng(period)
    for _ in range(6):
        z, true = orbit(rng, period)
        a_x, a_y, a_e, b_x, b_y, b_e, lost, exponent, _ = ms._iterate_nucleus(z.real.copy(), z.imag.copy(), period)
        a, b = Complex.of(a_x, a_y) * power_of_two(a_e), Complex.of(b_x, b_y) * power_of_two(b_e)
        size_z = exact(ms._LARGEST_W / abs(complex(a_x, a_y)) * (1 - 2.0**-40)) * power_of_two(-a_e)
        size_c = exact(ms._LARGEST_C / abs(complex(a_x, a_y) * complex(b_x, b_y))) * power_of_two(-a_e - b_e)
        for _ in range(8):
            start = along(np.exp(2j * np.pi * rng.random()), size_z)
            dc = along(np.exp(2j * np.pi * rng.random()), size_c)
            dz = start * start + dc
            for j in range(1, period):
                dz = ((true[j] + true[j] + dz) * dz + dc).trimmed(4 * 400 + 1000)
            left = dz - (a * start * start + b * dc)
            assert left.square() <= (exact(lost) * power_of_two(exponent)) ** 2


def test_the_bound_is_rounded_up():
    """The recurrence of Lemma P4 in balls, from the same constants."""
    ctx.prec, rng = 200, np.random.default_rng(5)
    for _ in range(40):
        z, _ = orbit(rng, 30)
        a_x, a_y, a_e, b_x, b_y, b_e, lost, exponent, _ = ms._iterate_nucleus(z.real.copy(), z.imag.copy(), 30)
        two = arb(2)
        a, b = (arb(x) ** 2 + arb(y) ** 2 for x, y in ((a_x, a_y), (b_x, b_y)))
        a, b = a.sqrt() * two**a_e, b.sqrt() * two**b_e
        alpha, beta, left = arb(ms._LARGEST_W) ** 2 / (a * a), arb(1.01) * arb(ms._LARGEST_C) / (a * b), arb(0)
        dc = beta
        for j in range(1, 30):
            growth, most = 2 * (arb(z[j].real) ** 2 + arb(z[j].imag) ** 2).sqrt(), alpha + beta + left
            left = growth * left + most * most + arb(ms._STEP_ERROR) * (growth * (alpha + beta) + dc)
            alpha, beta = growth * alpha, growth * beta + dc
        assert arb(lost) * two**exponent >= left


def test_a_pixel_is_where_it_is_taken_to_be():
    """c' = slope dc in float64, for dc rounded."""
    rng = np.random.default_rng(6)
    for _ in range(2000):
        slope = complex(*rng.normal(size=2))
        dc = 2.1 / abs(slope) * np.exp(2j * np.pi * rng.random())
        computed = slope * (np.float64(dc.real) + 1j * np.float64(dc.imag))
        true = Complex(exact(dc.real) * (1 + rational(1, 2**53)), exact(dc.imag) * (1 - rational(1, 2**53)))
        lost = true * Complex.of(slope.real, slope.imag) - Complex.of(computed.real, computed.imag)
        assert lost.square() <= exact(ms._POSITION_ERROR) ** 2
