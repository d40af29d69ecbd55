"""Orbits that return close to 0 repeat their beginning: the bound against flint, and counts next to minibrots."""

from __future__ import annotations

import math
from fractions import Fraction

import numba
import numpy as np
import pytest
from flint import acb, arb, ctx, fmpq

from fractal.oracle import escape_count as judged
from mandeldask.fractal.escape.arithmetic.whole_numbers import scaled
from mandeldask.fractal.escape.exact import near_return
from mandeldask.fractal.escape.exact.bigint_ball import escape_count
from mandeldask.fractal.escape.exact.limb_orbit import decide_orbit
from mandeldask.fractal.escape.perturbation.nucleus import nucleus_of_period
from mandeldask.fractal.rationals import Point, as_point

last_inside = numba.njit(near_return.last_inside)

DIGITS = 400
"""Binary digits of points."""
MINIBROTS = [("-1.98", 24), ("1j", 28), ("-1.7400623825793+0.0281753397792j", 23), ("-1.98", 68)]
"""A point and a period of nuclei that Newton's method finds from it."""
INSIDE, OUTSIDE = [0.2, -1.76, -0.12 + 0.75j], [0.26, -2.1, 3.0, 100j, 2.0**12]
"""c' of pixels of the set and of others."""


def in_acb(c: Point) -> acb:
    return acb(*(arb(fmpq(part.numerator, part.denominator)) for part in c))


def moduli_of(c: Point, length: int) -> list[arb]:
    """Return |z_0|, |z_1|, ... up to where they are beyond 4."""
    z, moduli = acb(0), [arb(0)]
    while len(moduli) <= length and moduli[-1] < 4:
        z = z * z + in_acb(c)
        moduli.append(abs(z))
    return moduli


def next_to(place: str, period: int, c_of_map: complex) -> tuple[Point, float]:
    """Return the point with an estimated c' next to the nucleus, and log2 of the slope of an orbit at its return."""
    nucleus = nucleus_of_period(as_point(place), period, DIGITS)
    assert nucleus is not None
    z, a, b = acb(0), acb(1), acb(0)
    for n in range(period):
        a, b, z = a * 2 * z if n else a, 2 * z * b + 1, z * z + in_acb(nucleus)
    distance = acb(c_of_map) / (a * b)
    re, im = (
        part + Fraction(int((value.mid() * 2**DIGITS).floor().unique_fmpz()), 2**DIGITS)
        for part, value in zip(nucleus, (distance.real, distance.imag), strict=True)
    )
    return Point(re, im), math.log2(float(abs(b).mid()))


@pytest.fixture(autouse=True)
def _digits():
    with ctx.workprec(5 * DIGITS):
        yield


@pytest.mark.parametrize("c_of_map", INSIDE + OUTSIDE)
@pytest.mark.parametrize(("place", "period"), MINIBROTS)
def test_the_bound(place, period, c_of_map):
    """As tight as it gets: the moduli are those of the orbit, rounded up."""
    maxiter = 12 * period
    c, _ = next_to(place, period, c_of_map)
    exact = moduli_of(c, maxiter)
    count = judged(*c, maxiter)
    moduli = np.full(maxiter + 1, np.nan)
    moduli[: period + 1] = [np.nextafter(float(value.upper()), np.inf) for value in exact[: period + 1]]
    last = last_inside(moduli, period, float(moduli[period]), 0, maxiter)
    assert period < last <= count
    assert all(value <= bound for value, bound in zip(exact[: last + 1], moduli[: last + 1].tolist(), strict=True))
    assert last == maxiter or c_of_map != 0.2


@pytest.mark.parametrize("exponent", [0, -300, -1200, -100_000])
def test_a_return_is_given_with_any_exponent(exponent):
    """The moduli are those of c = -1.76, which is next to a nucleus of period 3."""
    moduli = np.array([0.0, 1.76, 1.35, 0.05, *[np.nan] * 57])
    last = last_inside(moduli, 3, 0.05, exponent, 60)
    assert last == 60 if exponent else 3 <= last < 60
    assert np.all(moduli[1 : last + 1] <= 2.0)


@pytest.mark.parametrize("c_of_map", INSIDE + OUTSIDE)
@pytest.mark.parametrize(("place", "period"), MINIBROTS)
def test_counts_next_to_a_minibrot(place, period, c_of_map):
    c, _ = next_to(place, period, c_of_map)
    for maxiter in (5 * period // 2, 40 * period):
        assert escape_count(c, maxiter) == judged(*c, maxiter)


@pytest.mark.parametrize(("place", "period"), MINIBROTS)
def test_an_orbit_is_not_followed_past_its_return(place, period):
    """Its error is that of the first return, though it would also be decided without it, by more steps."""
    (c, slope), bits, cap = next_to(place, period, 100.0), 320, 5 * period // 2
    assert judged(*c, cap) == cap
    parts: tuple[int, int] = tuple(scaled(part, bits) for part in c)
    to_its_return, to_the_cap = (
        decide_orbit(parts, parts, bits, cap, 0, None, from_zero=which) for which in (True, False)
    )
    assert to_its_return.count == to_the_cap.count == cap
    assert slope - bits < to_its_return.error < slope - bits + 12
    assert to_the_cap.error != pytest.approx(to_its_return.error, abs=0.1)
